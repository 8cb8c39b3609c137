//! What is told of what a child prints: all of it, or its beginning and its end.

use std::collections::VecDeque;

use crate::event::{Stream, Untrusted};

/// How much of a child's beginning is told, and of its end, in bytes. A program that prints without an
/// end would fill the disk with the run's log otherwise.
const FIRST: usize = 256 << 10;
const LAST: usize = 64 << 10;
/// What a line takes in the log beside its text.
const AROUND: usize = 110;

/// The lines of one child. Those between its first and its last ones are left out.
#[derive(Debug, Default)]
pub(super) struct Told {
    first: usize,
    last: VecDeque<(Stream, Untrusted)>,
    /// How many bytes `last` has.
    kept: usize,
    /// The lines that were left out, and their bytes.
    lines: u64,
    bytes: u64,
}

impl Told {
    /// Takes a line; returns it if it is among the first ones.
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

    /// Returns the lines that are still to be told at the child's end.
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
        // A little more than the first ones is told whole.
        let all = told((0..2_500).map(number));
        assert_eq!(all.len(), 2_500);
    }
}
