//! Deliveries without the share of storing: notifications are stored in bulk first, and announced over the bus
//! afterwards, each at its time, as the instance that stored it would have done.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::runtime::Builder;

use super::{fleet::Shared, load::Plan, phase::micros};
use crate::{
    bus::redis::{Ready, Relay},
    config::{RedisSettings, Settings},
    message,
    notification::{NewNotification, Source, Tenant},
    publish,
    store::{Appended, Store},
};

/// Notifications of one transaction.
const BULK: u64 = 2_000;
/// Most announcements of one round trip.
const PIPELINE: usize = 512;

/// Announcements that wait for their time, in order.
pub struct Announcements {
    plan: Plan,
    ready: Vec<Ready>,
    redis: RedisSettings,
    prefix: String,
}

/// Stores the plan's notifications and keeps what is to be announced of them.
///
/// # Errors
/// When the database or Redis are not those of the settings, or take nothing.
pub async fn store(plan: Plan, shared: &Shared, settings: &Settings, tenant: &Tenant) -> anyhow::Result<Announcements> {
    let redis = settings.redis.clone().context("announcing needs the instances' REDIS_URL")?;
    let relay = Relay::connect(&redis, &settings.prefix).await?;
    let store = Store::open(settings).await?;
    let mut ready = Vec::with_capacity(plan.total as usize);
    for first in (0..plan.total).step_by(BULK as usize) {
        let numbers = first..plan.total.min(first + BULK);
        let items = numbers.map(|n| item(plan, shared, settings, tenant, n)).collect::<anyhow::Result<Vec<_>>>()?;
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

fn item(plan: Plan, shared: &Shared, settings: &Settings, tenant: &Tenant, n: u64) -> anyhow::Result<NewNotification> {
    let body = plan.body(&shared.users.name(shared.users.of(n)), n, micros(plan.due(n)));
    let message = message::parse(body.as_bytes(), &settings.publish)?;
    Ok(message.into_new(tenant.clone(), Source::Http, None))
}

impl Announcements {
    /// Announces all of them, each at its time; answers how long that took.
    ///
    /// # Errors
    /// When Redis stops taking them.
    pub async fn announce(self, shared: Arc<Shared>) -> anyhow::Result<Duration> {
        // On a thread of its own, which may sleep for less than a timer's tick.
        tokio::task::spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build().context("cannot make a runtime")?;
            let mut relay = runtime.block_on(Relay::connect(&self.redis, &self.prefix))?;
            let begin = Instant::now();
            shared.origin.store(micros(begin - shared.started), Relaxed);
            let mut rest = &self.ready[..];
            while !rest.is_empty() {
                let sent = self.ready.len() - rest.len();
                let due = due_by(self.plan.rate, begin.elapsed()).saturating_sub(sent as u64);
                if due == 0 {
                    std::thread::sleep(self.plan.due(sent as u64).saturating_sub(begin.elapsed()));
                    continue;
                }
                let (now, later) = rest.split_at(rest.len().min(PIPELINE).min(due as usize));
                runtime.block_on(relay.send(now))?;
                rest = later;
            }
            Ok(begin.elapsed().max(self.plan.time()))
        })
        .await
        .context("announcing ended early")?
    }
}

/// How many are due by this time.
fn due_by(rate: u64, elapsed: Duration) -> u64 {
    (elapsed.as_nanos() * u128::from(rate) / 1_000_000_000) as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_spread_evenly_and_none_is_due_early() {
        for rate in [1, 3, 10_000, 60_000, 999_983] {
            let longest = Duration::MAX;
            let plan = Plan { rate, total: 1, longest, batch: 1, addressed: true, payload: 0, publishers: 1 };
            for n in [0, 1, 2, 3, 1_000, 123_457] {
                let at = plan.due(n);
                assert!(due_by(rate, at + Duration::from_nanos(1)) > n, "{rate} {n}");
                assert!(at.is_zero() || due_by(rate, at.saturating_sub(Duration::from_nanos(2))) <= n, "{rate} {n}");
            }
        }
    }
}
