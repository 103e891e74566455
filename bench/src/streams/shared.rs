//! The state that all streams of a reader share: the times of the publishes, and the arrivals.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::phase::lock;
use crate::{figures::times::Times, peers::system::System, target::Target};

/// The state that all streams of a reader share.
pub struct Shared {
    /// The servers.
    pub targets: Vec<Target>,
    /// The system of the servers.
    pub system: System,
    /// When publishing began: the start of the markers' times.
    pub origin: AtomicU64,
    /// The number of the first notification that counts.
    pub first: AtomicU64,
    /// When the first server went away; 0 while it is there.
    pub left: AtomicU64,
    /// From the moment a notification was due to its arrival.
    pub lag: Mutex<Times>,
    /// The same of notifications for all users of the run.
    pub lag_for_all: Mutex<Times>,
    /// The same at streams of a server that went away.
    pub moved_lag: Mutex<Times>,
    /// From the moment a server went away to a stream's being live elsewhere.
    pub moved_after: Mutex<Times>,
    /// Streams that moved.
    pub moved: AtomicUsize,
    /// How long a stream that is to leave stays away, in microseconds.
    pub away: AtomicU64,
    /// Notifications that came before they were due.
    pub early: AtomicU64,
    /// Signals that came from the servers themselves.
    pub told: AtomicU64,
    /// Notifications that came, repeats left out.
    pub deliveries: AtomicU64,
    /// When the last of them came.
    pub last_delivery: AtomicU64,
    /// Bytes that came.
    pub bytes: AtomicU64,
}

impl Shared {
    /// Of a run whose notifications are not due yet.
    pub fn new(targets: Vec<Target>, system: System) -> Self {
        Self {
            targets,
            system,
            origin: AtomicU64::new(0),
            first: AtomicU64::new(0),
            left: AtomicU64::new(0),
            lag: Mutex::default(),
            lag_for_all: Mutex::default(),
            moved_lag: Mutex::default(),
            moved_after: Mutex::default(),
            moved: AtomicUsize::new(0),
            away: AtomicU64::new(0),
            early: AtomicU64::new(0),
            told: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            last_delivery: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// How long a stream that is to leave stays away.
    pub fn away(&self) -> Duration {
        Duration::from_micros(self.away.load(Relaxed))
    }

    /// Resets the counts: notifications from number `first` on are due from `origin` on.
    pub fn begin(&self, origin: u64, first: u64) {
        self.origin.store(origin, Relaxed);
        self.first.store(first, Relaxed);
        for times in [&self.lag, &self.lag_for_all, &self.moved_lag] {
            *lock(times) = Times::new();
        }
        for count in [&self.deliveries, &self.last_delivery, &self.bytes] {
            count.store(0, Relaxed);
        }
    }

    /// Notes how many notifications came for the first time, and when.
    pub fn came(&self, count: u64, now: u64) {
        self.deliveries.fetch_add(count, Relaxed);
        self.last_delivery.fetch_max(now, Relaxed);
    }
}
