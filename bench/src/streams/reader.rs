//! A process that reads streams for the bench: it follows the requests on its standard input, and answers on its
//! standard output. It ends when its input does, so it never outlives the bench.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use anyhow::Context;
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    runtime::{Builder, Handle},
    task::JoinHandle,
    time::{Duration, interval},
};
use tokio_util::task::TaskTracker;

use super::{
    member::Member,
    phase::{Phase, lock},
    protocol::{Job, Outcome, Progress, Request},
    shared::Shared,
    stream::keep_open,
};
use crate::{clock::micros, figures::process};

/// Runs the process.
///
/// # Errors
/// When the input is not the bench's, or more streams are asked for than files may be open.
pub async fn run() -> anyhow::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let Some(job) = lines.next_line().await? else { return Ok(()) };
    let mut reader = Reader::new(serde_json::from_str(&job)?)?;
    answer(&Progress::default()).await?;
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Request::Outcome(accepted) => answer(&reader.outcome(&accepted)).await?,
            Request::Cursors => answer(&reader.cursors()).await?,
            request => {
                reader.handle(request).await;
                answer(&reader.progress()).await?;
            }
        }
    }
    Ok(())
}

async fn answer(what: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    let mut output = tokio::io::stdout();
    output.write_all(&line).await?;
    Ok(output.flush().await?)
}

struct Reader {
    shared: Arc<Shared>,
    users: usize,
    members: Arc<[Arc<Member>]>,
    thread: Handle,
    phase: Arc<Phase>,
    tasks: TaskTracker,
    /// The task that drops one stream after the other.
    turnover: Option<JoinHandle<()>>,
}

impl Reader {
    fn new(job: Job) -> anyhow::Result<Self> {
        process::allow_files(job.streams)?;
        let numbers = job.first..job.first + job.streams;
        let members = numbers.map(|number| Member::new(&job, number).map(Arc::new)).collect::<anyhow::Result<_>>()?;
        Ok(Self {
            shared: Arc::new(Shared::new(job.targets, job.system)),
            users: job.users.count,
            members,
            thread: thread()?,
            phase: Arc::new(Phase::new(1, 0)),
            tasks: TaskTracker::new(),
            turnover: None,
        })
    }

    async fn handle(&mut self, request: Request) {
        match request {
            Request::Open { concurrency, start } => self.open(concurrency, start),
            Request::Close => self.close().await,
            Request::Due { origin, first } => self.shared.begin(origin, first),
            Request::Turnover { rate, away } => {
                self.shared.away.store(micros(away), Relaxed);
                let turnover = self.thread.spawn(turn_over(self.members.clone(), rate));
                if let Some(former) = self.turnover.replace(turnover) {
                    former.abort();
                }
            }
            Request::Leave(at) => self.shared.left.store(at, Relaxed),
            Request::Progress | Request::Outcome(_) | Request::Cursors => {}
        }
    }

    fn open(&mut self, concurrency: usize, start: u64) {
        self.phase = Arc::new(Phase::new(concurrency, start));
        self.tasks = TaskTracker::new();
        for member in self.members.iter() {
            self.tasks.spawn_on(keep_open(self.shared.clone(), self.phase.clone(), member.clone()), &self.thread);
        }
    }

    async fn close(&mut self) {
        self.phase.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn progress(&self) -> Progress {
        let Self { shared, phase, .. } = self;
        Progress {
            live: phase.live.load(Relaxed),
            moved: shared.moved.load(Relaxed),
            deliveries: shared.deliveries.load(Relaxed),
            last_delivery: shared.last_delivery.load(Relaxed),
            early: shared.early.load(Relaxed),
            told: shared.told.load(Relaxed),
            fatal: phase.fatal.get().cloned(),
            trouble: lock(&phase.trouble).clone(),
        }
    }

    /// The users' numbers and the positions of their logs.
    fn cursors(&self) -> Vec<(usize, String)> {
        self.members.iter().map(|member| (member.user, lock(&member.track).cursor.clone())).collect()
    }

    fn outcome(&self, accepted: &[(u64, u64)]) -> Outcome {
        let Self { shared, phase, .. } = self;
        let mut outcome = audit(&self.members, self.users, accepted);
        outcome.deliveries = shared.deliveries.load(Relaxed);
        outcome.last_delivery = shared.last_delivery.load(Relaxed);
        outcome.bytes = shared.bytes.load(Relaxed);
        outcome.lag.clone_from(&lock(&shared.lag));
        outcome.lag_for_all.clone_from(&lock(&shared.lag_for_all));
        outcome.moved_lag.clone_from(&lock(&shared.moved_lag));
        outcome.live_after.clone_from(&lock(&phase.live_after));
        outcome.moved_after.clone_from(&lock(&shared.moved_after));
        outcome.verdicts = phase.verdicts();
        outcome.retries = phase.retries.load(Relaxed);
        outcome.trouble.clone_from(&lock(&phase.trouble));
        outcome
    }
}

/// Compares the events of the streams with the accepted publishes.
fn audit(members: &[Arc<Member>], users: usize, accepted: &[(u64, u64)]) -> Outcome {
    let mut outcome = Outcome::default();
    for member in members {
        let track = lock(&member.track);
        for n in accepted.iter().flat_map(|range| numbers_of(member.user, users, *range)) {
            outcome.expected += 1;
            outcome.lost += u64::from(!track.has(n));
        }
        outcome.faults.add(&track.faults);
    }
    outcome
}

/// The numbers of a range, both ends included, that are a user's.
fn numbers_of(user: usize, users: usize, (first, last): (u64, u64)) -> impl Iterator<Item = u64> {
    let (user, users) = (user as u64, users as u64);
    let skipped = (user + users - first % users) % users;
    (first + skipped..=last).step_by(users as usize)
}

/// Drops one stream after the other, so many per second; each reconnects by itself.
async fn turn_over(members: Arc<[Arc<Member>]>, rate: f64) {
    let mut clock = interval(Duration::from_secs_f64(1.0 / rate));
    for member in members.iter().cycle() {
        clock.tick().await;
        member.leave.notify_one();
    }
}

/// A thread with a runtime of its own for all streams: one loop, and no other thread to wake. It ends with the process.
fn thread() -> anyhow::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot make a runtime")?;
    let handle = runtime.handle().clone();
    let running = std::thread::Builder::new().name("streams".into());
    running.spawn(move || runtime.block_on(std::future::pending::<()>())).context("cannot start a thread")?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        marker::Marker,
        peers::system::System,
        streams::{
            protocol::{Order, Spread},
            track::Faults,
        },
        target::{Signing, Target, Users},
    };

    /// Five streams of two users: user 0 has three, user 1 has two.
    fn members() -> Vec<Arc<Member>> {
        let target = Target { address: ([127, 0, 0, 1], 1).into(), host: "a:1".into(), base: String::new() };
        let signing = Signing { secret: "secret".into(), tenant: "default".into(), issuer: None, audience: None };
        let users = Users::new(2, signing);
        let job = Job {
            targets: vec![target],
            users,
            first: 0,
            streams: 5,
            spread: Spread::Even,
            system: System::Tidings,
            order: Order::Gapless,
        };
        (0..5).map(|number| Arc::new(Member::new(&job, number).unwrap())).collect()
    }

    fn deliver(member: &Member, seq: i64, n: u64) {
        let mut track = lock(&member.track);
        track.step(seq);
        track.take(Marker { n, t: 0 });
    }

    #[test]
    fn a_notification_that_one_stream_of_a_user_did_not_get_is_lost() {
        let members = members();
        let accepted = [(0, 1), (2, 2)];
        for member in members.iter().filter(|member| member.user == 0) {
            deliver(member, 1, 0);
            deliver(member, 2, 2);
        }
        deliver(&members[1], 1, 1);
        let outcome = audit(&members, 2, &accepted);
        assert_eq!((outcome.expected, outcome.lost, outcome.faults), (8, 1, Faults::default()));
        deliver(&members[3], 1, 1);
        assert!(audit(&members, 2, &accepted).is_clean());
    }

    #[test]
    fn a_users_numbers_are_those_that_its_streams_must_get() {
        let of = |user, range| numbers_of(user, 3, range).collect::<Vec<_>>();
        assert_eq!(of(0, (0, 6)), [0, 3, 6]);
        assert_eq!(of(1, (2, 7)), [4, 7]);
        assert_eq!(of(2, (3, 4)), [0_u64; 0]);
    }
}
