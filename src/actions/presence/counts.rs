//! How many are present. To count takes the longer the larger a topic is, so a large one's count is used for longer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::OwnedMutexGuard, time::Instant};

use crate::{
    domain::{lock::lock, signal::TopicKey, user::Tenant},
    store::{Online, Store, Unavailable},
};

/// The shortest time for which a count may be answered again, however few users it has.
const FRESH: Duration = Duration::from_secs(1);
/// How long a count is used, for each user among whom it was counted: about twenty times the cost of one user.
const EACH: Duration = Duration::from_micros(25);
/// So many counts are kept before the old ones are looked for.
const FEW: usize = 1_000;

/// A tenant's users, or the subscribers of one of its topics.
type Audience = (Tenant, Option<TopicKey>);
/// A caller that finds the count too old holds the lock while it counts, so that concurrent callers share the result.
type Slot = Arc<tokio::sync::Mutex<Option<Count>>>;

/// Counts, and keeps the counts.
pub(super) struct Counts {
    store: Store,
    known: Mutex<Known>,
}

struct Known {
    slots: HashMap<Audience, Slot>,
    /// With so many, the old ones are forgotten.
    most: usize,
}

#[derive(Clone, Copy)]
struct Count {
    at: Instant,
    found: Online,
}

impl Count {
    fn new(found: Online) -> Self {
        Self { at: Instant::now(), found }
    }

    /// Whether it may be used again; one among few only while it is younger than `fresh`.
    fn is_good(&self, fresh: Duration) -> bool {
        let among = u32::try_from(self.found.among).unwrap_or(u32::MAX);
        self.at.elapsed() < EACH.saturating_mul(among).max(fresh)
    }
}

impl Counts {
    pub(super) fn new(store: Store) -> Self {
        Self { store, known: Mutex::new(Known { slots: HashMap::new(), most: FEW }) }
    }

    /// How many are present, as the answer to a query.
    pub(super) async fn online(&self, tenant: &Tenant, topic: Option<&TopicKey>) -> Result<i64, Unavailable> {
        let mut slot = self.slot((tenant.clone(), topic.cloned())).lock_owned().await;
        if let Some(count) = slot.filter(|count| count.is_good(FRESH)) {
            return Ok(count.found.present);
        }
        let found = match topic {
            // A topic without present subscribers is left out of the answer.
            Some(topic) => self.store.online(std::slice::from_ref(topic)).await?.remove(topic).unwrap_or_default(),
            None => self.store.online_in_tenant(tenant).await?,
        };
        *slot = Some(Count::new(found));
        Ok(found.present)
    }

    /// How many users are present in each of some topics after a change. The topics are in order, so that two concurrent callers take
    /// the locks in the same order and do not deadlock.
    pub(super) async fn after_change(&self, topics: &[TopicKey]) -> Result<Vec<i64>, Unavailable> {
        let mut slots: Vec<OwnedMutexGuard<Option<Count>>> = Vec::with_capacity(topics.len());
        for topic in topics {
            slots.push(self.slot((topic.tenant.clone(), Some(topic.clone()))).lock_owned().await);
        }
        let kept: Vec<_> = slots.iter().map(|slot| slot.filter(|count| count.is_good(Duration::ZERO))).collect();
        let old: Vec<_> =
            topics.iter().zip(&kept).filter(|(_, kept)| kept.is_none()).map(|(topic, _)| topic.clone()).collect();
        let counted = self.store.online(&old).await?;
        let mut online = Vec::with_capacity(topics.len());
        for ((topic, kept), mut slot) in topics.iter().zip(kept).zip(slots) {
            // As above: a topic that is left out counts as none.
            let count = kept.unwrap_or_else(|| Count::new(counted.get(topic).copied().unwrap_or_default()));
            *slot = Some(count);
            online.push(count.found.present);
        }
        Ok(online)
    }

    fn slot(&self, audience: Audience) -> Slot {
        let mut known = lock(&self.known);
        if known.slots.len() >= known.most {
            let is_good =
                |slot: &Slot| slot.try_lock().is_ok_and(|count| count.is_some_and(|count| count.is_good(FRESH)));
            known.slots.retain(|_, slot| Arc::strong_count(slot) > 1 || is_good(slot));
            known.most = FEW.max(known.slots.len() * 2);
        }
        known.slots.entry(audience).or_default().clone()
    }
}
