//! The messages between the load generator and the processes that read its streams: lines of JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    figures::times::Times,
    peers::system::System,
    streams::track::Faults,
    target::{Target, Users},
};

/// The start of a reader: which of the run's streams are its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The servers.
    pub targets: Vec<Target>,
    /// The run's users.
    pub users: Users,
    /// Number of the reader's first stream within the run.
    pub first: usize,
    /// How many streams it opens.
    pub streams: usize,
    /// How they are spread over the servers.
    pub spread: Spread,
    /// The kind of the servers.
    pub system: System,
    /// How the order of each stream is checked.
    pub order: Order,
}

/// How a stream's order is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Each seq follows its predecessor's.
    Gapless,
    /// Seqs ascend. A replay merges changes of state of one item, so a run with such changes cannot detect a hole by the
    /// seqs.
    Ascending,
    /// Numbers ascend, of messages that one sender sends.
    Numbers,
}

/// How streams are spread over the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spread {
    /// Round robin, and a user's streams at different servers.
    Even,
    /// The run's first so many at the first server, the rest at the others, round robin.
    First(usize),
}

/// A request to a reader, which answers with [`Progress`] unless another answer is named here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// Open all streams, so many at the same time, and keep them open; `start` is when this began.
    Open {
        /// Most that open at the same time.
        concurrency: usize,
        /// By the shared clock.
        start: u64,
    },
    /// Drop all connections at once.
    Close,
    /// Notifications are due from this moment on, and counted from now on.
    Due {
        /// By the shared clock.
        origin: u64,
        /// The number of the first; those before it are counted no more.
        first: u64,
    },
    /// Drop streams one after another and let each come back.
    Turnover {
        /// So many per second.
        rate: f64,
        /// How long each stays away.
        away: Duration,
    },
    /// The first server goes away at this moment of the shared clock: its streams come back elsewhere.
    Leave(u64),
    /// How far it is.
    Progress,
    /// The outcome of the accepted notifications, ranges of numbers: answered with [`Outcome`].
    Outcome(Vec<(u64, u64)>),
    /// The positions of the users' logs: answered with each user's number and cursor.
    Cursors,
}

/// How far a reader is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Streams that have been live since they were to open.
    pub live: usize,
    /// Streams of a server that went away which are live elsewhere.
    pub moved: usize,
    /// Notifications that came, repeats left out.
    pub deliveries: u64,
    /// When the last of them came.
    pub last_delivery: u64,
    /// Notifications that came before they were due.
    pub early: u64,
    /// Signals that came from the servers themselves.
    pub told: u64,
    /// Why the streams cannot be opened at all.
    pub fatal: Option<String>,
    /// Why a stream was last tried again.
    pub trouble: Option<String>,
}

/// The outcome of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Arrivals that had to be.
    pub expected: u64,
    /// Of these, those that were not.
    pub lost: u64,
    /// Further faults.
    pub faults: Faults,
    /// Notifications that came, repeats left out.
    pub deliveries: u64,
    /// When the last of them came.
    pub last_delivery: u64,
    /// Bytes of all streams.
    pub bytes: u64,
    /// From the moment a notification was due to its arrival.
    pub lag: Times,
    /// The same of notifications for all users of the run.
    pub lag_for_all: Times,
    /// The same at streams of a server that went away.
    pub moved_lag: Times,
    /// From the beginning of the last opening to each stream's being live.
    pub live_after: Times,
    /// From the moment a server went away to its streams' being live elsewhere.
    pub moved_after: Times,
    /// Streams answered `fresh`, `resumed` and `reset` since the last opening.
    pub verdicts: [u64; 3],
    /// Ends and failed tries since then that were followed by another try.
    pub retries: u64,
    /// The last of them.
    pub trouble: Option<String>,
}

impl Outcome {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.faults == Faults::default()
    }

    /// Adds another reader's.
    pub fn add(&mut self, other: Self) {
        self.expected += other.expected;
        self.lost += other.lost;
        self.faults.add(&other.faults);
        self.deliveries += other.deliveries;
        self.last_delivery = self.last_delivery.max(other.last_delivery);
        self.bytes += other.bytes;
        self.lag.add(&other.lag);
        self.lag_for_all.add(&other.lag_for_all);
        self.moved_lag.add(&other.moved_lag);
        self.live_after.add(&other.live_after);
        self.moved_after.add(&other.moved_after);
        self.verdicts.iter_mut().zip(other.verdicts).for_each(|(sum, one)| *sum += one);
        self.retries += other.retries;
        self.trouble = other.trouble.or(self.trouble.take());
    }
}

impl Progress {
    /// Adds another reader's.
    pub fn add(&mut self, other: Self) {
        self.live += other.live;
        self.moved += other.moved;
        self.deliveries += other.deliveries;
        self.last_delivery = self.last_delivery.max(other.last_delivery);
        self.early += other.early;
        self.told += other.told;
        self.fatal = self.fatal.take().or(other.fatal);
        self.trouble = other.trouble.or(self.trouble.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_results_add_up() {
        let one = |lost, repeated, micros, last_delivery| {
            let mut outcome = Outcome { expected: 10, lost, last_delivery, verdicts: [1, 2, 3], ..Outcome::default() };
            outcome.faults.repeated = repeated;
            outcome.lag.record(micros);
            outcome
        };
        let mut sum = one(0, 0, 1_000, 7);
        assert!(sum.is_clean());
        sum.add(one(2, 1, 9_000, 5));
        assert_eq!((sum.expected, sum.lost, sum.faults.repeated, sum.last_delivery), (20, 2, 1, 7));
        assert_eq!((sum.verdicts, sum.lag.count()), ([2, 4, 6], 2));
        assert!(!sum.is_clean());
    }
}
