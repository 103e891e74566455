//! What processes use, read from `/proc`, and how many files this one may open.

use std::{fs, time::Duration};

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors of this process besides its streams: runtime, publishers, Redis.
const SPARE_FILES: u64 = 256;

/// What processes have used so far, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// Resident memory in KiB, shared pages divided by their users.
    pub pss_kib: u64,
}

/// Reads what these processes use; none without processes.
///
/// # Errors
/// When one of them is gone or may not be read by this user.
pub fn usage(pids: &[u32]) -> anyhow::Result<Option<Usage>> {
    if pids.is_empty() {
        return Ok(None);
    }
    let mut sum = Usage::default();
    for &pid in pids {
        let (rss_kib, pss_kib) = memory(pid)?;
        sum.cpu += cpu(pid)?;
        sum.rss_kib += rss_kib;
        sum.pss_kib += pss_kib;
    }
    Ok(Some(sum))
}

/// User and system time of a process.
fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = read(pid, "stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 14 and 15 of proc_pid_stat(5); the list begins after the second field, which may hold anything.
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).with_context(|| format!("cannot read the stat of process {pid}"))?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis((user + system) * 1000 / per_second))
}

fn memory(pid: u32) -> anyhow::Result<(u64, u64)> {
    let rollup = read(pid, "smaps_rollup")?;
    let kib = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
    };
    kib("Rss:").zip(kib("Pss:")).with_context(|| format!("cannot read the memory of process {pid}"))
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}: is the process running, and is it yours?"))
}

/// Raises the limit of open files as far as it may go, and says so when these streams do not fit into it.
///
/// # Errors
/// When the hard limit is too low.
pub fn allow_files(streams: usize) -> anyhow::Result<()> {
    let needed = streams as u64 + SPARE_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < needed) {
        bail!(
            "{streams} streams need {needed} open files, but a process may have {}: raise `ulimit -Hn` or open fewer",
            maximum.unwrap_or_default()
        );
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })
        .with_context(|| format!("cannot raise the limit of open files to {needed}"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory() {
        let usage = usage(&[std::process::id()]).unwrap().unwrap();
        assert!(usage.rss_kib > 0 && usage.pss_kib <= usage.rss_kib);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error_that_names_it() {
        let error = usage(&[u32::MAX]).unwrap_err().to_string();
        assert!(error.contains("/proc/4294967295/"), "{error}");
    }

    #[test]
    fn more_streams_than_files_are_refused_by_number() {
        let hard = getrlimit(Resource::Nofile).maximum;
        if let Some(hard) = hard.and_then(|hard| usize::try_from(hard).ok()) {
            assert!(allow_files(hard).unwrap_err().to_string().contains(&hard.to_string()));
        }
    }
}
