//! What processes and their children use, read from `/proc`.

use std::{fs, time::Duration};

use anyhow::ensure;

/// Processor time of these processes and their children: the scheduler's own count, exact to the nanosecond, of the
/// threads that run now.
///
/// # Errors
/// When one of the named processes is gone.
pub fn cpu(pids: &[u32]) -> anyhow::Result<Duration> {
    let mut sum = 0;
    for pid in family(pids)? {
        for task in tasks(pid) {
            let text = fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).unwrap_or_default();
            sum += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(sum))
}

/// Resident memory of these processes and their children in KiB, shared pages divided by their users.
///
/// # Errors
/// When one of the named processes is gone.
pub fn memory_kib(pids: &[u32]) -> anyhow::Result<u64> {
    let pss = |pid: u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    };
    Ok(family(pids)?.into_iter().filter_map(pss).sum())
}

/// The processes and all that they started. What they started may end at any time, the processes themselves may not.
fn family(pids: &[u32]) -> anyhow::Result<Vec<u32>> {
    for pid in pids {
        ensure!(fs::exists(format!("/proc/{pid}/task"))?, "process {pid} is not running");
    }
    let mut all = pids.to_vec();
    let mut next = 0;
    while let Some(&pid) = all.get(next) {
        next += 1;
        for task in tasks(pid) {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{task}/children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    Ok(all)
}

fn tasks(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    #[test]
    fn this_process_uses_something() {
        let own = [process::id()];
        assert!(cpu(&own).unwrap() > Duration::ZERO);
        assert!(memory_kib(&own).unwrap() > 0);
    }

    #[test]
    fn children_count_as_well() {
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        let family = family(&[process::id()]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.contains(&child.id()));
    }
}
