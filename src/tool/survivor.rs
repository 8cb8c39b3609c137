//! Processes that outlived the labctl that started them: how they are recognised and ended.

use std::time::Duration;

use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

use super::process::GRACE;
use crate::event::Child;

/// Returns the process with this id as it is now; `None` if there is none, or if this system does
/// not tell.
#[must_use]
pub fn found(pid: u32) -> Option<Child> {
    let started = start_of(pid)?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Child {
        program: name.trim_end().to_owned(),
        group: pid,
        started,
    })
}

/// Ends a process that outlived the labctl that started it, and the group that it leads, if its id
/// still belongs to that process. Returns true if the process was there.
pub async fn end_survivor(child: &Child) -> bool {
    let Some(pid) = i32::try_from(child.group).ok().and_then(Pid::from_raw) else {
        return false;
    };
    if child.started == 0 || started(pid) != Some(child.started) {
        return false;
    }
    // A group that it does not lead may be anybody's.
    let leads = getpgid(Some(pid)) == Ok(pid);
    signal(pid, leads, Signal::TERM);
    let ended = exit_of(child);
    let mut ended = std::pin::pin!(ended);
    if tokio::time::timeout(GRACE, &mut ended).await.is_err() {
        signal(pid, leads, Signal::KILL);
        ended.await;
    } else if leads {
        // All that it started goes with it, even if it did not wait for them.
        signal(pid, leads, Signal::KILL);
    }
    true
}

fn signal(pid: Pid, leads: bool, signal: Signal) {
    // The process may have ended in between; then there is nothing left to signal.
    let _ = if leads {
        kill_process_group(pid, signal)
    } else {
        kill_process(pid, signal)
    };
}

/// Waits until `process` has ended.
pub async fn exit_of(process: &Child) {
    let Some(pid) = i32::try_from(process.group).ok().and_then(Pid::from_raw) else {
        return;
    };
    let is_there = || started(pid) == Some(process.started);
    watched(pid, is_there).await;
    // If the kernel does not report the end, poll.
    while is_there() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the process has ended; returns at once if this system does not report that. Only its
/// parent can wait for a process, but a descriptor of a process becomes readable when it ends. A
/// thread waits for that, and is left behind if the future is dropped.
#[cfg(target_os = "linux")]
async fn watched(pid: Pid, is_there: impl Fn() -> bool) {
    use rustix::{
        event::{PollFd, PollFlags, poll},
        process::{PidfdFlags, pidfd_open},
    };
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    // The process may have ended before the descriptor was opened, and its id be another one's.
    if !is_there() {
        return;
    }
    let (sender, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let polled = poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None);
        sender.send(polled)
    });
    let _ = ended.await;
}

#[cfg(not(target_os = "linux"))]
fn watched(_: Pid, _: impl Fn() -> bool) -> impl std::future::Future<Output = ()> {
    std::future::ready(())
}

/// Returns the start of the process with this id, in clock ticks since boot; `None` if there is no
/// such process, or if this system does not tell.
#[must_use]
pub fn start_of(pid: u32) -> Option<u64> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.and_then(started)
}

/// Returns the start of the process in clock ticks since boot: field 22 of `/proc/PID/stat`,
/// counted from behind the name, which may itself contain anything. `None` if there is no such
/// process, or if it is a zombie.
pub(super) fn started(pid: Pid) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_is_told_when_it_comes() {
        #[expect(clippy::disallowed_methods, reason = "a process that the test ends")]
        let mut other = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let process = found(other.id());
        let mut early = Ok(());
        if let Some(process) = &process {
            early = tokio::time::timeout(Duration::from_millis(50), exit_of(process)).await;
        }
        other.kill().unwrap();
        if let Some(process) = &process {
            let told = tokio::time::timeout(Duration::from_secs(10), exit_of(process)).await;
            assert!(early.is_err() && told.is_ok(), "told at another time");
        }
        other.wait().unwrap();
        assert_eq!(found(other.id()), None);
    }
}
