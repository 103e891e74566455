//! Keeps what an instance caches from the store up to date: it is read again when another instance announces a change,
//! every second while the bus is down, and at an interval in any case.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{bus::Bus, store::Unavailable};

/// Between readings while the bus is down or the database does not answer, and how often the bus is looked at.
const RETRY: Duration = Duration::from_secs(1);

/// When to read again; cheap to clone.
#[derive(Clone)]
pub struct Refresh {
    bus: Bus,
    changed: Arc<Notify>,
    reading: Arc<Mutex<()>>,
    /// Between readings that nobody asked for: the longest time that a lost announcement costs.
    interval: Duration,
    /// Age of the bus's last probe from which on the bus counts as down.
    overdue: Duration,
}

impl Refresh {
    /// Every `interval` while the bus is up; a probe older than `overdue` means that it is not.
    pub fn new(bus: Bus, interval: Duration, overdue: Duration) -> Self {
        Self { bus, changed: Arc::default(), reading: Arc::default(), interval, overdue }
    }

    /// Asks for a reading as soon as possible.
    pub fn note_change(&self) {
        self.changed.notify_one();
    }

    /// Whether the bus can be relied on: an overdue probe counts before the bus itself gives up.
    pub fn bus_is_up(&self) -> bool {
        let health = self.bus.health();
        health.up && health.probe_age.is_none_or(|age| age < self.overdue)
    }

    /// Reads now. A reading that fails is repeated by [`Self::run`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self, read: impl Future<Output = Result<(), Unavailable>>) -> Result<(), Unavailable> {
        // One at a time: of two at once, the one that read first could replace what the other read after it. A token that was
        // just revoked would be accepted again.
        let _reading = self.reading.lock().await;
        read.await.inspect_err(|_| self.note_change())
    }

    /// Reads whenever it is due, until the stop.
    pub async fn run<F>(&self, stop: CancellationToken, read: impl Fn() -> F)
    where
        F: Future<Output = Result<(), Unavailable>>,
    {
        let mut last = Instant::now();
        loop {
            let asked = tokio::select! {
                () = self.changed.notified() => true,
                () = sleep(RETRY.min(self.interval)) => false,
                () = stop.cancelled() => return,
            };
            if !asked && self.bus_is_up() && last.elapsed() < self.interval {
                continue;
            }
            if self.read(read()).await.is_ok() {
                last = Instant::now();
            } else {
                // A failure asks for the next reading at once.
                let _ = stop.run_until_cancelled(sleep(RETRY)).await;
            }
        }
    }
}
