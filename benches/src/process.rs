//! What a process uses, from /proc.

use std::fs;
use std::time::Duration;

/// The kernel counts processor time in hundredths of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of a process and of its children.
pub(crate) fn cpu(pid: u32) -> Duration {
    let own = |pid: u32| ticks(pid, UTIME) + ticks(pid, STIME);
    own(pid) + children(pid).into_iter().map(own).sum::<Duration>()
}

/// User time of a process.
pub(crate) fn user(pid: u32) -> Duration {
    ticks(pid, UTIME)
}

/// Where user and system time stand, counted from the state after the name.
const UTIME: usize = 11;
const STIME: usize = 12;

fn ticks(pid: u32, at: usize) -> Duration {
    let fields = stat(pid).unwrap_or_default();
    TICK * fields.get(at).and_then(|it| it.parse::<u32>().ok()).unwrap_or_default()
}

/// Resident octets of a process and of its children.
pub(crate) fn resident(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// The most octets that were ever resident of a process and of its children.
pub(crate) fn most_resident(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, field: &str) -> u64 {
    let own = |pid: u32| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|it| it.strip_prefix(field));
        line.and_then(|it| it.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() * 1024
    };
    own(pid) + children(pid).into_iter().map(own).sum::<u64>()
}

fn children(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|it| stat(*it).is_some_and(|fields| fields.get(1) == Some(&pid.to_string()))).collect()
}

/// The fields after the name, which may hold anything.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// What a bench opens at most: twenty thousand viewers here, and as many in the server, which inherits the limit.
const DESCRIPTORS: u64 = 65_536;

/// Lets this process, and those it starts, open as many sockets as a bench needs, or as it may.
///
/// Tells how many that are.
pub(crate) fn raise_descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = Some(DESCRIPTORS);
    if setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).is_err() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        // Where it is not granted, connecting says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
