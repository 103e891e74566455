//! Deliveries without the share of storing: notifications are stored in bulk first, and announced over the bus
//! afterwards, each at its time, as the instance that stored it would have done.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::runtime::Builder;

use crate::{
    clock::{self, micros},
    load::publishers::Plan,
    streams::track::Marker,
    target::Users,
};
use tidings::{
    actions::publish,
    bus::redis::{Ready, Relay},
    config::{RedisSettings, Settings},
    domain::{
        kinds::{Kinds, Seed},
        notification::{NewNotification, Source},
    },
    message,
    store::{Appended, Store},
};

/// Notifications of one transaction.
const BULK: u64 = 2_000;
/// Most announcements of one round trip.
const PIPELINE: usize = 512;
/// From the decision to announce to the first announcement: enough to tell the readers and to connect.
const HEAD_START: Duration = Duration::from_millis(200);

/// Announcements that wait for their time, in order.
pub struct Announcements {
    plan: Plan,
    ready: Vec<Ready>,
    redis: RedisSettings,
    prefix: String,
}

/// When announcing may begin, by the shared clock.
pub fn soon() -> u64 {
    clock::now() + micros(HEAD_START)
}

/// Stores the plan's notifications and keeps what is to be announced of them.
///
/// # Errors
/// When the database or Redis are not those of the settings, or take nothing.
pub async fn store(plan: Plan, users: &Users, settings: &Settings) -> anyhow::Result<Announcements> {
    let redis = settings.redis.clone().context("announcing needs the instances' REDIS_URL")?;
    let relay = Relay::connect(&redis, &settings.prefix).await?;
    let store = Store::open(settings).await?;
    let mut ready = Vec::with_capacity(plan.total as usize);
    for first in (0..plan.total).step_by(BULK as usize) {
        let numbers = first..plan.total.min(first + BULK);
        let items = numbers.map(|n| item(plan, users, settings, n)).collect::<anyhow::Result<Vec<_>>>()?;
        let appended = store.append(&items).await.context("the database stores nothing")?;
        let mut announcements = Vec::with_capacity(items.len());
        for (item, appended) in items.iter().zip(&appended) {
            let Appended::Written(written) = appended else { bail!("a notification was not stored: {appended:?}") };
            publish::announce(item, written, 0, &mut announcements);
        }
        ready.extend(announcements.iter().map(|announcement| relay.prepare(announcement)));
    }
    Ok(Announcements { plan, ready, redis, prefix: settings.prefix.clone() })
}

fn item(plan: Plan, users: &Users, settings: &Settings, n: u64) -> anyhow::Result<NewNotification> {
    let body = plan.body(&users.name(users.of(n)), Marker { n, t: micros(plan.due(n)) });
    let message = message::parse(body.as_bytes(), &settings.publish)?;
    Ok(message.into_new(users.tenant().parse()?, Source::Http, None, &Kinds::new(Seed::default()))?)
}

impl Announcements {
    /// Announces all of them, each at its time after `origin`; answers how long that took.
    ///
    /// # Errors
    /// When Redis stops taking them.
    pub async fn announce(self, origin: u64) -> anyhow::Result<Duration> {
        // On a thread of its own, which may sleep for less than a timer's tick.
        let announcing = tokio::task::spawn_blocking(move || self.announce_blocking(origin));
        announcing.await.context("announcing ended early")?
    }

    fn announce_blocking(&self, origin: u64) -> anyhow::Result<Duration> {
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot make a runtime")?;
        let mut relay = runtime.block_on(Relay::connect(&self.redis, &self.prefix))?;
        let mut sent = 0;
        while sent < self.ready.len() {
            let due = due_by(self.plan.rate, origin, clock::now()).min(self.ready.len());
            if due <= sent {
                let next = origin + micros(self.plan.due(sent as u64));
                std::thread::sleep(Duration::from_micros(next.saturating_sub(clock::now()).max(1)));
                continue;
            }
            let end = due.min(sent + PIPELINE);
            runtime.block_on(relay.send(&self.ready[sent..end]))?;
            sent = end;
        }
        Ok(Duration::from_micros(clock::now().saturating_sub(origin)).max(self.plan.time()))
    }
}

/// How many are due by now: they are spread evenly from `origin` on.
fn due_by(rate: u64, origin: u64, now: u64) -> usize {
    let Some(elapsed) = now.checked_sub(origin) else { return 0 };
    (u128::from(elapsed) * u128::from(rate) / 1_000_000) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_spread_evenly_and_none_is_due_early() {
        assert_eq!(due_by(10_000, 500, 499), 0);
        assert_eq!([500, 599, 600, 1_500, 1_000_500].map(|now| due_by(10_000, 500, now)), [1, 1, 2, 11, 10_001]);
        for rate in [1, 3, 10_000, 60_000, 999_983] {
            let longest = Duration::MAX;
            let plan = Plan { first: 0, rate, total: 1, longest, batch: 1, addressed: true, payload: 0, clients: 1 };
            for n in [0, 1, 2, 3, 1_000, 123_457] {
                let due = micros(plan.due(n));
                assert!(due_by(rate, 0, due + 1) > n as usize, "{rate} {n}");
                assert!(due == 0 || due_by(rate, 0, due - 1) <= n as usize, "{rate} {n}");
            }
        }
    }
}
