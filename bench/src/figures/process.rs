//! The resources that processes use, read from `/proc`, and how many files this one may open.

use std::{collections::HashMap, fs, ops::AddAssign, time::Duration};

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors of a process besides its streams: runtime, publishers, Redis.
const SPARE_FILES: u64 = 256;

/// Memory of processes, added up, in KB of 1,000 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Memory {
    /// Resident.
    pub rss: f64,
    /// Resident, shared pages divided by their users.
    pub pss: f64,
}

impl AddAssign for Memory {
    fn add_assign(&mut self, other: Self) {
        self.rss += other.rss;
        self.pss += other.pss;
    }
}

/// The memory of these processes and of all that they started; none without processes.
///
/// # Errors
/// When one of them is gone or may not be read by this user.
pub fn memory(pids: &[u32]) -> anyhow::Result<Option<Memory>> {
    sum(pids, memory_of)
}

/// User and system time of these processes and of all that they started, the ended ones too; none without processes.
///
/// # Errors
/// When one of them is gone or may not be read by this user.
pub fn cpu(pids: &[u32]) -> anyhow::Result<Option<Duration>> {
    sum(pids, |pid| Ok(own(&stat(pid)?, pid)))
}

/// Adds up the use of each of these processes and of all that they started; none without processes.
fn sum<T: Default + AddAssign>(pids: &[u32], of: impl Fn(u32) -> anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    if pids.is_empty() {
        return Ok(None);
    }
    let children = children();
    let mut sum = T::default();
    for &pid in pids {
        sum += of(pid)?;
        let mut waiting = children.get(&pid).cloned().unwrap_or_default();
        while let Some(child) = waiting.pop() {
            // One that ended meanwhile is in its parent's time from then on, and has no memory.
            sum += of(child).unwrap_or_default();
            waiting.extend(children.get(&child).into_iter().flatten());
        }
    }
    Ok(Some(sum))
}

fn memory_of(pid: u32) -> anyhow::Result<Memory> {
    let rollup = read(pid, "smaps_rollup")?;
    let kb = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()).map(|kib| kib * 1.024)
    };
    let both = kb("Rss:").zip(kb("Pss:")).with_context(|| format!("cannot read the memory of process {pid}"))?;
    Ok(Memory { rss: both.0, pss: both.1 })
}

/// The fields of `/proc/PID/stat` that are used here.
struct Stat {
    parent: u32,
    used: Duration,
    /// Of children that ended and were waited for.
    ended_children: Duration,
}

/// The time of a process and of its ended children. The scheduler's own account of the living threads is finer than
/// the clock ticks, which alone include ended threads. The larger one is right, within a tick.
fn own(stat: &Stat, pid: u32) -> Duration {
    scheduled(pid).max(stat.used) + stat.ended_children
}

fn stat(pid: u32) -> anyhow::Result<Stat> {
    parse_stat(&read(pid, "stat")?).with_context(|| format!("cannot read the stat of process {pid}"))
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The list begins after the second field, the program's name, which may hold anything.
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let per_second = rustix::param::clock_ticks_per_second();
    let time = |ticks: u64| Duration::from_millis(ticks * 1000 / per_second);
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        used: time(ticks(11)? + ticks(12)?),
        ended_children: time(ticks(13)? + ticks(14)?),
    })
}

/// Time on a processor of a process' living threads.
fn scheduled(pid: u32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let nanos = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// All processes by their parents.
fn children() -> HashMap<u32, Vec<u32>> {
    let mut children = HashMap::<u32, Vec<u32>>::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if let Ok(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    children
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}: is the process running, and is it yours?"))
}

/// How many streams one process may open.
pub fn most_streams() -> usize {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX).saturating_sub(SPARE_FILES);
    usize::try_from(most).unwrap_or(usize::MAX).max(1)
}

/// Raises the limit of open files as far as it may go, and fails when these streams do not fit into it.
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
            "{streams} streams of one process need {needed} open files, but it may have {}: raise `ulimit -Hn`, or \
             --readers",
            maximum.unwrap_or_default()
        );
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })
        .with_context(|| format!("cannot raise the limit of open files to {needed}"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn this_process_uses_memory() {
        let memory = memory(&[std::process::id()]).unwrap().unwrap();
        assert!(memory.rss > 0.0 && memory.pss <= memory.rss);
        assert_eq!(super::memory(&[]).unwrap(), None);
    }

    #[test]
    fn children_of_a_process_count_with_it() {
        let own = [std::process::id()];
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let family = sum(&own, |pid| Ok(Pids(vec![pid]))).unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.0.contains(&own[0]) && family.0.contains(&child.id()));
    }

    #[derive(Default)]
    struct Pids(Vec<u32>);

    impl AddAssign for Pids {
        fn add_assign(&mut self, other: Self) {
            self.0.extend(other.0);
        }
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error_that_names_it() {
        for error in [memory(&[u32::MAX]).unwrap_err(), cpu(&[u32::MAX]).unwrap_err()] {
            assert!(error.to_string().contains("/proc/4294967295/"), "{error}");
        }
    }

    #[test]
    fn a_program_with_any_name_has_a_parent_and_times() {
        let second = rustix::param::clock_ticks_per_second();
        let line = format!("7 (a) b (c) S 42 7 7 0 -1 4194304 1 2 3 4 {second} {second} {second} 0 20 0 1 0 1 1 1");
        let stat = parse_stat(&line).unwrap();
        assert_eq!((stat.parent, stat.used.as_secs(), stat.ended_children.as_secs()), (42, 2, 1));
        assert!(parse_stat("7 (a) S").is_none());
    }

    #[test]
    fn an_ended_child_counts_with_its_parent() {
        let before = cpu(&[std::process::id()]).unwrap().unwrap();
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", busy]).status().unwrap().success());
        assert!(cpu(&[std::process::id()]).unwrap().unwrap() > before + Duration::from_millis(10));
    }

    #[test]
    fn more_streams_than_files_are_refused_by_number() {
        let hard = getrlimit(Resource::Nofile).maximum;
        if let Some(hard) = hard.and_then(|hard| usize::try_from(hard).ok()) {
            assert!(allow_files(hard).unwrap_err().to_string().contains(&hard.to_string()));
            assert!(most_streams() < hard);
        }
    }
}
