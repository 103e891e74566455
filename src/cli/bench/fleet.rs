//! All streams of a run, spread over the servers and over a few threads.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::runtime::{Builder, Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    phase::{Micros, Phase, lock},
    stream::{Member, keep_open},
    target::{Target, Users},
    track::{Faults, Track},
};
use crate::cli::Mistake;

const TICK: Duration = Duration::from_millis(10);

/// What all streams share.
pub struct Shared {
    /// The servers.
    pub targets: Vec<Target>,
    /// The users.
    pub users: Users,
    /// The run's zero of time.
    pub started: Instant,
    /// When publishing began, in microseconds since the start: what markers count from.
    pub origin: AtomicU64,
    /// From the moment a notification was due to its arrival.
    pub lag: Mutex<Micros>,
    /// Notifications that came before they were due.
    pub early: AtomicU64,
    /// Notifications that came, repeats left out.
    pub deliveries: AtomicU64,
    /// When the last of them came, in microseconds since the start.
    pub last_delivery: AtomicU64,
}

impl Shared {
    /// The shared part of a run that begins now.
    pub fn new(targets: Vec<Target>, users: Users) -> Self {
        Self {
            targets,
            users,
            started: Instant::now(),
            origin: AtomicU64::new(0),
            lag: Mutex::new(Micros::new()),
            early: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            last_delivery: AtomicU64::new(0),
        }
    }
}

/// All streams of a run.
pub struct Fleet {
    /// What they share.
    pub shared: Arc<Shared>,
    members: Vec<Arc<Member>>,
    threads: Vec<Handle>,
    end: CancellationToken,
}

/// The streams of one phase; open until closed.
pub struct Opened {
    /// How it went.
    pub phase: Arc<Phase>,
    tasks: TaskTracker,
}

/// What came of what was accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audit {
    /// Arrivals that had to be.
    pub expected: u64,
    /// Of these, those that were not.
    pub lost: u64,
    /// What else went wrong.
    pub faults: Faults,
}

impl Audit {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.faults == Faults::default()
    }
}

impl Fleet {
    /// A fleet of closed streams: stream `i` is of user `i % users`, and a user's streams are on different servers.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn new(shared: Arc<Shared>, streams: usize, threads: usize) -> anyhow::Result<Self> {
        let (users, targets) = (shared.users.count, shared.targets.len());
        let member = |index: usize| {
            let user = index % users;
            let target = (index / users + user) % targets;
            Arc::new(Member { user, target, track: Mutex::new(Track::new(user, users)) })
        };
        let end = CancellationToken::new();
        let threads = (0..threads).map(|_| thread(end.clone())).collect::<anyhow::Result<_>>()?;
        Ok(Self { shared, members: (0..streams).map(member).collect(), threads, end })
    }

    /// How many streams there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Begins to open all streams, so many at the same time; each keeps itself open until [`Opened::close`].
    pub fn open(&self, concurrency: usize) -> Opened {
        let (phase, tasks) = (Arc::new(Phase::new(concurrency)), TaskTracker::new());
        for (member, thread) in self.members.iter().zip(self.threads.iter().cycle()) {
            tasks.spawn_on(keep_open(self.shared.clone(), phase.clone(), member.clone()), thread);
        }
        Opened { phase, tasks }
    }

    /// Waits until all streams are live.
    ///
    /// # Errors
    /// When they are not within this time, or cannot be.
    pub async fn all_live(&self, opened: &Opened, patience: Duration) -> anyhow::Result<Duration> {
        let phase = &opened.phase;
        loop {
            let live = phase.live.load(Relaxed);
            if live == self.len() {
                return Ok(Duration::from_secs_f64(lock(&phase.live_after).milliseconds_at(1.0) / 1000.0));
            }
            if let Some(why) = phase.fatal.get() {
                return Err(Mistake(why.clone()).into());
            }
            if phase.start.elapsed() > patience {
                let why = lock(&phase.trouble).take().unwrap_or_else(|| "no answer yet".to_owned());
                bail!("only {live} of {} streams were live after {patience:?}; the last trouble: {why}", self.len());
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Waits until everything accepted has come, but no longer than the grace time.
    pub async fn all_come(&self, accepted: &[u64], grace: Duration) -> Audit {
        let deadline = Instant::now() + grace;
        let expected = self.expected(accepted);
        loop {
            let come = self.shared.deliveries.load(Relaxed) >= expected;
            let late = Instant::now() >= deadline;
            if come || late {
                let audit = self.audit(accepted);
                if audit.lost == 0 || late {
                    return audit;
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn expected(&self, accepted: &[u64]) -> u64 {
        let users = self.shared.users.count as u64;
        let streams = self.len() as u64;
        // User u has the streams u, u + users, u + 2 users, ...
        accepted.iter().map(|n| (streams - n % users).div_ceil(users)).sum()
    }

    fn audit(&self, accepted: &[u64]) -> Audit {
        let mut by_user = vec![Vec::new(); self.shared.users.count];
        for n in accepted {
            by_user[self.shared.users.of(*n)].push(*n);
        }
        let mut audit = Audit { expected: self.expected(accepted), ..Audit::default() };
        for member in &self.members {
            let track = lock(&member.track);
            audit.lost += by_user[member.user].iter().filter(|n| !track.has(**n)).count() as u64;
            audit.faults.add(&track.faults);
        }
        audit
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Opened {
    /// Drops all connections at once and waits until every stream has noted its cursor.
    pub async fn close(self) {
        self.phase.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A thread with a runtime of its own, so that reading streams disturbs neither publishing nor the clock of it.
fn thread(end: CancellationToken) -> anyhow::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot make a runtime")?;
    let handle = runtime.handle().clone();
    let running = std::thread::Builder::new().name("streams".into()).spawn(move || runtime.block_on(end.cancelled()));
    running.context("cannot start a thread")?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{bench::track::Marker, minter::Minter};

    /// Five streams of two users at two servers: user 0 has three, user 1 has two.
    fn fleet() -> Fleet {
        let target = Target { address: ([127, 0, 0, 1], 1).into(), host: "a:1".into(), base: String::new() };
        let minter = Minter::new("secret", "default".parse().unwrap(), Duration::from_mins(1));
        Fleet::new(Arc::new(Shared::new(vec![target.clone(), target], Users::new(2, minter))), 5, 0).unwrap()
    }

    fn deliver(member: &Member, seq: i64, n: u64) {
        let mut track = lock(&member.track);
        track.step(seq);
        track.take(Marker { n, t: 0 });
    }

    #[test]
    fn a_users_streams_are_spread_over_the_servers() {
        let places: Vec<_> = fleet().members.iter().map(|member| (member.user, member.target)).collect();
        assert_eq!(places, [(0, 0), (1, 1), (0, 1), (1, 0), (0, 0)]);
    }

    #[test]
    fn what_one_stream_of_a_user_did_not_get_is_lost() {
        let fleet = fleet();
        let accepted = [0, 1, 2];
        for member in fleet.members.iter().filter(|member| member.user == 0) {
            deliver(member, 1, 0);
            deliver(member, 2, 2);
        }
        deliver(&fleet.members[1], 1, 1);
        let audit = fleet.audit(&accepted);
        assert_eq!((audit.expected, audit.lost, audit.faults), (8, 1, Faults::default()));
        deliver(&fleet.members[3], 1, 1);
        assert!(fleet.audit(&accepted).is_clean());
    }
}
