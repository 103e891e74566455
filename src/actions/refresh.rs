//! Keeps up to date the data that an instance caches from the store. It reads the data again when another instance announces a
//! change, every second while the bus is down, and at an interval in any case.

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
    /// Between readings without a request: the longest delay that a lost announcement causes.
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

    /// Reads each time it is due, until the stop.
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;
    use crate::bus::Incoming;

    fn refresh() -> Refresh {
        Refresh::new(Bus::local(Arc::new(|_: Incoming| {})), Duration::MAX, Duration::MAX)
    }

    #[tokio::test]
    async fn an_older_reading_never_replaces_a_newer_one() {
        let (refresh, slow, known) = (refresh(), Notify::new(), AtomicUsize::new(0));
        let old = refresh.read(async {
            slow.notified().await;
            known.store(1, SeqCst);
            Ok(())
        });
        let new = refresh.read(async {
            known.store(2, SeqCst);
            Ok(())
        });
        let (old, new, ()) = tokio::join!(old, new, async { slow.notify_one() });
        assert_eq!((old, new, known.load(SeqCst)), (Ok(()), Ok(()), 2));
    }

    #[tokio::test]
    async fn a_reading_that_fails_is_repeated() {
        let (refresh, stop, readings) = (refresh(), CancellationToken::new(), AtomicUsize::new(0));
        assert_eq!(refresh.read(async { Err(Unavailable) }).await, Err(Unavailable));
        let run = refresh.run(stop.clone(), || async {
            readings.fetch_add(1, SeqCst);
            stop.cancel();
            Ok(())
        });
        tokio::time::timeout(Duration::from_mins(1), run).await.expect("a second reading");
        assert_eq!(readings.into_inner(), 1);
    }
}
