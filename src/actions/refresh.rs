//! How what an instance knows from the store is kept as the store has it: read anew when another instance tells of a
//! change, often while the bus is down, and now and then in any case.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{bus::Bus, store::Unavailable};

/// Between looks while the bus is down, and how often the bus is looked at.
const HURRY: Duration = Duration::from_secs(1);

/// When to read anew; cheap to clone.
#[derive(Clone)]
pub struct Refresh {
    bus: Bus,
    changed: Arc<Notify>,
    /// How often it is read without being told: what a word that the bus lost costs at most.
    interval: Duration,
}

impl Refresh {
    /// Every `interval` while the bus is well.
    pub fn new(bus: Bus, interval: Duration) -> Self {
        Self { bus, changed: Arc::default(), interval }
    }

    /// Notes that there may be something new.
    pub fn note_change(&self) {
        self.changed.notify_one();
    }

    /// Reads anew whenever it is due, until told to stop.
    pub async fn run<F>(&self, stop: CancellationToken, read: impl Fn() -> F)
    where
        F: Future<Output = Result<(), Unavailable>>,
    {
        let mut last = Instant::now();
        loop {
            let told = tokio::select! {
                () = self.changed.notified() => true,
                () = sleep(HURRY.min(self.interval)) => false,
                () = stop.cancelled() => return,
            };
            let due = told || !self.bus.health().up || last.elapsed() >= self.interval;
            if due && read().await.is_ok() {
                last = Instant::now();
            } else if told {
                // The database is away: what was told is looked at again with the next turn.
                self.changed.notify_one();
                sleep(HURRY).await;
            }
        }
    }
}
