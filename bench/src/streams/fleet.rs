//! All streams of a run, held by reader processes: as many as the limit of open files asks for.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use tidings::domain::cursor::Cursor;

use super::protocol::{Job, Outcome, Progress, Request};
use crate::{
    Mistake, clock,
    target::{Target, Users},
};

const TICK: Duration = Duration::from_millis(10);

/// All streams of a run.
pub struct Fleet {
    pub users: Users,
    /// The servers.
    pub targets: Vec<Target>,
    /// How many.
    pub streams: usize,
    readers: Vec<Reader>,
}

/// One of the processes; it ends when this is dropped.
struct Reader {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Fleet {
    /// Starts the readers, so many, all streams closed. The job is of all of them together.
    ///
    /// # Errors
    /// When a process cannot be started.
    pub async fn start(job: Job, readers: usize) -> anyhow::Result<Self> {
        let Job { users, targets, streams, .. } = job.clone();
        let mut fleet = Self { users, targets, streams, readers: Vec::new() };
        for (first, streams) in shares(streams, readers) {
            let mut reader = Reader::spawn()?;
            reader.send(&Job { first, streams, ..job.clone() }).await?;
            fleet.readers.push(reader);
        }
        let _: Vec<Progress> = fleet.receive().await?;
        Ok(fleet)
    }

    /// Opens all streams, so many at the same time, and waits until all are live; returns how that went.
    ///
    /// # Errors
    /// When they are not within this time, or cannot be.
    pub async fn open(&mut self, concurrency: usize, patience: Duration) -> anyhow::Result<Outcome> {
        let Progress { live, trouble, .. } = self.open_within(concurrency, patience).await?;
        if live < self.streams {
            let (why, streams) = (trouble.unwrap_or_else(|| "no answer yet".to_owned()), self.streams);
            bail!("only {live} of {streams} streams were live after {patience:?}; the last trouble: {why}");
        }
        self.result(&[]).await
    }

    /// Opens all streams, so many at the same time, and waits until all are live, but no longer than this.
    ///
    /// # Errors
    /// When they cannot be.
    pub async fn open_within(&mut self, concurrency: usize, patience: Duration) -> anyhow::Result<Progress> {
        let begin = Instant::now();
        let mut progress = self.ask(&Request::Open { concurrency, start: clock::now() }).await?;
        while progress.live < self.streams && begin.elapsed() < patience {
            if let Some(why) = progress.fatal {
                return Err(Mistake(why).into());
            }
            tokio::time::sleep(TICK).await;
            progress = self.ask(&Request::Progress).await?;
        }
        Ok(progress)
    }

    /// The position of each user's log; every user has had a stream.
    ///
    /// # Errors
    /// When a reader ended, or a stream received no cursor.
    pub async fn cursors(&mut self) -> anyhow::Result<Vec<Cursor>> {
        self.send(&Request::Cursors).await?;
        let mut cursors = vec![None; self.users.count];
        for (user, cursor) in self.receive::<Vec<(usize, String)>>().await?.into_iter().flatten() {
            cursors[user] = Some(cursor.parse().context("a stream without a cursor")?);
        }
        cursors.into_iter().collect::<Option<_>>().context("a user without a stream")
    }

    /// Has notifications from number `first` on be due from `origin` on, and counted.
    ///
    /// # Errors
    /// When a reader ended.
    pub async fn begin(&mut self, origin: u64, first: u64) -> anyhow::Result<()> {
        self.ask(&Request::Due { origin, first }).await.map(drop)
    }

    /// Drops streams one after another from now on, so many per second, and lets each come back after so long; no longer as
    /// an earlier call said.
    ///
    /// # Errors
    /// When a reader ended.
    pub async fn turn_over(&mut self, rate: f64, away: Duration) -> anyhow::Result<()> {
        let rate = rate / self.readers.len() as f64;
        self.ask(&Request::Turnover { rate, away }).await.map(drop)
    }

    /// Drops all connections at once; every stream has noted its cursor then.
    ///
    /// # Errors
    /// When a reader ended.
    pub async fn close(&mut self) -> anyhow::Result<()> {
        self.ask(&Request::Close).await.map(drop)
    }

    /// Waits until everything accepted has come, but no longer than the grace time.
    ///
    /// # Errors
    /// When a reader ended.
    pub async fn outcome(&mut self, accepted: &[(u64, u64)], grace: Duration) -> anyhow::Result<Outcome> {
        let deadline = Instant::now() + grace;
        let expected = self.expected(accepted);
        loop {
            let come = self.ask(&Request::Progress).await?.deliveries >= expected;
            let late = Instant::now() >= deadline;
            if come || late {
                let outcome = self.result(accepted).await?;
                if outcome.lost == 0 || late {
                    return Ok(outcome);
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Asks all readers for the same, and adds up how far they are.
    ///
    /// # Errors
    /// When one ended.
    pub async fn ask(&mut self, request: &Request) -> anyhow::Result<Progress> {
        self.send(request).await?;
        let mut sum = Progress::default();
        self.receive::<Progress>().await?.into_iter().for_each(|progress| sum.add(progress));
        Ok(sum)
    }

    async fn result(&mut self, accepted: &[(u64, u64)]) -> anyhow::Result<Outcome> {
        self.send(&Request::Outcome(accepted.to_vec())).await?;
        let mut sum = Outcome::default();
        self.receive::<Outcome>().await?.into_iter().for_each(|outcome| sum.add(outcome));
        Ok(sum)
    }

    async fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        for reader in &mut self.readers {
            reader.send(request).await?;
        }
        Ok(())
    }

    async fn receive<T: DeserializeOwned>(&mut self) -> anyhow::Result<Vec<T>> {
        let mut received = Vec::with_capacity(self.readers.len());
        for reader in &mut self.readers {
            received.push(reader.receive().await?);
        }
        Ok(received)
    }

    fn expected(&self, accepted: &[(u64, u64)]) -> u64 {
        let (users, streams) = (self.users.count as u64, self.streams as u64);
        // User u has the streams u, u + users, u + 2 users, ...
        let of = |n: u64| (streams - n % users).div_ceil(users);
        accepted.iter().flat_map(|(first, last)| *first..=*last).map(of).sum()
    }
}

/// The streams of each reader: the number of the first, and how many.
fn shares(streams: usize, readers: usize) -> impl Iterator<Item = (usize, usize)> {
    let begin = move |reader: usize| streams * reader / readers;
    (0..readers).map(move |reader| (begin(reader), begin(reader + 1) - begin(reader)))
}

impl Reader {
    fn spawn() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot tell what this program is")?;
        let mut command = Command::new(program);
        command.arg("reader").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("cannot start a process that reads streams")?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.context("a process that reads streams has no pipes")?;
        Ok(Self { _child: child, input, output: BufReader::new(output).lines() })
    }

    async fn send(&mut self, what: &impl serde::Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.input.write_all(&line).await.context("a process that reads streams ended")
    }

    async fn receive<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = self.output.next_line().await?.context("a process that reads streams ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_has_one_reader() {
        for (streams, readers) in [(1, 1), (10, 3), (3, 3), (50_000, 3)] {
            let mut next = 0;
            for (first, count) in shares(streams, readers) {
                assert_eq!(first, next);
                assert!(count.abs_diff(streams / readers) <= 1);
                next += count;
            }
            assert_eq!(next, streams);
        }
    }
}
