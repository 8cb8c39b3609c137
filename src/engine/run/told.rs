//! The part of a child's output that is reported: all of it, or its beginning and its end.

use std::collections::VecDeque;

use crate::event::{Stream, Untrusted};

/// The size of the reported beginning and of the reported end, in bytes. Without a limit, a program
/// that never stops printing would fill the disk with the run's log.
const FIRST: usize = 256 << 10;
const LAST: usize = 64 << 10;
/// The size of a line in the log without its text, in bytes.
const AROUND: usize = 110;

/// A filter for the lines of one child, which leaves out those between the first and the last ones.
#[derive(Debug, Default)]
pub(super) struct Told {
    first: usize,
    last: VecDeque<(Stream, Untrusted)>,
    /// The size of `last`, in bytes.
    kept: usize,
    /// The number of lines that were left out, and of their bytes.
    lines: u64,
    bytes: u64,
}

impl Told {
    /// Takes a line, and returns it if it belongs to the beginning.
    pub(super) fn take(&mut self, stream: Stream, line: Untrusted) -> Option<Untrusted> {
        let length = line.as_str().len() + AROUND;
        if self.last.is_empty() && self.lines == 0 && self.first + length <= FIRST {
            self.first += length;
            return Some(line);
        }
        self.kept += length;
        self.last.push_back((stream, line));
        while self.kept > LAST {
            let Some((_, oldest)) = self.last.pop_front() else {
                break;
            };
            let length = oldest.as_str().len();
            self.kept -= length + AROUND;
            self.lines += 1;
            self.bytes += length as u64 + 1;
        }
        None
    }

    /// Returns the lines to report at the child's end.
    pub(super) fn rest(&mut self) -> Vec<(Stream, Untrusted)> {
        let mut rest: Vec<_> = std::mem::take(&mut self.last).into();
        if self.lines > 0 {
            let (lines, bytes) = (self.lines, self.bytes);
            let cut = format!("… {lines} lines ({bytes} bytes) are left out here …");
            rest.insert(0, (Stream::Stderr, Untrusted::new(&cut)));
        }
        *self = Self::default();
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: impl Iterator<Item = String>) -> Vec<String> {
        let mut told = Told::default();
        let mut all = Vec::new();
        for line in lines {
            all.extend(told.take(Stream::Stdout, Untrusted::new(&line)));
            assert!(told.kept <= LAST);
        }
        all.extend(told.rest().into_iter().map(|(_, line)| line));
        all.into_iter().map(|l| l.as_str().to_owned()).collect()
    }

    #[test]
    fn of_much_the_beginning_and_the_end_are_told_and_that_something_is_missing() {
        let number = |n: usize| format!("line {n}");
        let few = told((0..500).map(number));
        assert_eq!(few.len(), 500);
        let many = told((0..100_000).map(number));
        let cut = many.iter().position(|l| l.starts_with('…')).unwrap();
        assert!(many[..cut].iter().enumerate().all(|(n, l)| *l == number(n)));
        assert_eq!(many.last().unwrap(), "line 99999");
        let missing = 100_000 - (many.len() - 1);
        assert!(
            many[cut].contains(&format!(" {missing} lines (")),
            "{}",
            many[cut]
        );
        assert!(many.iter().map(String::len).sum::<usize>() < FIRST + LAST);
        // Output that is a little longer than the beginning is reported whole.
        let all = told((0..2_500).map(number));
        assert_eq!(all.len(), 2_500);
    }
}
