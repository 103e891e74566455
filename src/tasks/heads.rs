//! The head check: finds what the bus lost, by one query for many users. It is the whole delivery while the bus is
//! down, and hurries then.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    bus::Bus,
    live::hub::Hub,
    metrics,
    store::{Head, Store, Unavailable},
};

/// Between checks while the bus is down, and how often the bus is looked at.
const HURRY: Duration = Duration::from_secs(1);
/// Users of one query.
const USERS: usize = 1_000;
/// How long an announcement may still be under way before it counts as lost.
const UNDER_WAY: Duration = Duration::from_millis(250);

/// Checks heads; cheap to clone.
#[derive(Clone)]
pub struct HeadCheck {
    hub: Hub,
    store: Store,
    bus: Bus,
    interval: Duration,
    overdue: Duration,
    now: Arc<Notify>,
}

impl HeadCheck {
    /// Checks every `interval` while the bus is well; a probe older than `overdue` means that it is not.
    pub fn new(hub: Hub, store: Store, bus: Bus, interval: Duration, overdue: Duration) -> Self {
        Self { hub, store, bus, interval, overdue, now: Arc::default() }
    }

    /// Asks for a check now: anything may have been missed.
    pub fn hurry(&self) {
        self.now.notify_one();
    }

    /// Checks until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut last = Instant::now();
        loop {
            let asked = tokio::select! {
                () = self.now.notified() => true,
                () = sleep(HURRY.min(self.interval)) => false,
                () = stop.cancelled() => return,
            };
            let up = self.carries();
            if asked || !up || last.elapsed() >= self.interval {
                last = Instant::now();
                // When the database is away too, the next turn finds what this one does not.
                let _ = self.check(up).await;
            }
        }
    }

    /// Whether the bus can be relied on: a probe that is overdue counts before the bus gives itself up.
    fn carries(&self) -> bool {
        let health = self.bus.health();
        health.up && health.probe_age.is_none_or(|age| age < self.overdue)
    }

    async fn check(&self, bus_is_up: bool) -> Result<(), Unavailable> {
        let users = self.hub.users();
        for chunk in users.chunks(USERS) {
            let heads = self.store.heads(chunk).await?;
            let mut behind: Vec<Head> = heads.into_iter().filter(|head| self.is_behind(head)).collect();
            if bus_is_up && !behind.is_empty() {
                sleep(UNDER_WAY).await;
                behind.retain(|head| self.is_behind(head));
            }
            let found = behind.iter().filter(|head| self.hub.reached(&head.key, &head.epoch, head.seq)).count();
            ::metrics::counter!(metrics::HEAD_CHECK_FINDS).increment(found as u64);
        }
        Ok(())
    }

    fn is_behind(&self, head: &Head) -> bool {
        self.hub.is_behind(&head.key, &head.epoch, head.seq)
    }
}
