//! What the system knows of a process: time on the processor and memory.

use std::{fs, time::Duration};

/// The kernel counts processor time in hundredths of a second here.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of a process and, with `children`, of all below it, including those that have ended.
pub(crate) fn cpu(pid: u32, children: bool) -> Duration {
    let mut ticks = own(pid, children);
    if children {
        for child in below(pid) {
            ticks += own(child, true);
        }
    }
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Memory that is really there, in KiB.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}

/// The fields of `stat` after the name, which may hold anything.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn own(pid: u32, ended_children: bool) -> u64 {
    let Some(fields) = stat(pid) else { return 0 };
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), of which two come before the name's end.
    let last = if ended_children { 15 } else { 13 };
    fields[11..last]
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum()
}

/// Those that it started and that are still there.
pub(crate) fn below(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|&other: &u32| stat(other).is_some_and(|fields| fields[1] == pid.to_string()))
        .collect()
}
