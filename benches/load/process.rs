//! Processor time and memory of a process, read from `/proc`.

use std::{fs, time::Duration};

/// The unit in which the kernel counts processor time.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of a process and, with `children`, of all its descendants, including those that have ended.
pub(crate) fn cpu(pid: u32, children: bool) -> Duration {
    let mut ticks = ticks_of(pid, children);
    if children {
        for child in children_of(pid) {
            ticks += ticks_of(child, true);
        }
    }
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Resident memory in KiB.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}

/// The fields of `stat` after the name, which may contain any character.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn ticks_of(pid: u32, ended_children: bool) -> u64 {
    let Some(fields) = stat(pid) else { return 0 };
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), two of which precede the end of the name.
    let last = if ended_children { 15 } else { 13 };
    fields[11..last]
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum()
}

/// The running child processes.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|&other: &u32| stat(other).is_some_and(|fields| fields[1] == pid.to_string()))
        .collect()
}
