//! Who is present: what this instance says of its users, what topics are told of comings and goings, and what is answered
//! to who asks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    hub::Hub,
    metrics,
    notification::{Tenant, UserKey},
    signal::{PRESENCE, TopicKey},
    signals::Signals,
    store::{Present, Store, Unavailable},
};

/// Most users whose changes one sign of life carries; those of the others follow with the next.
const CHANGES: usize = 5_000;
/// Most names in a signal, of either sort: beyond, there are only counts.
const NAMES: usize = 50;
/// How long a count may be answered again.
const FRESH: Duration = Duration::from_secs(1);
/// Most counts that are kept before the old ones are forgotten.
const COUNTS: usize = 1_000;

/// Keeps this instance's part of presence, and answers about the whole; cheap to clone.
#[derive(Clone)]
pub struct Presence(Arc<Inner>);

struct Inner {
    store: Store,
    hub: Hub,
    signals: Signals,
    grace: Duration,
    instance: Uuid,
    counts: Mutex<HashMap<Place, Count>>,
}

/// Whom a count is of: a tenant's users, or the subscribers of one of its topics.
type Place = (Tenant, Option<TopicKey>);
/// A count and its age; whoever finds it too old holds the lock while it is made anew, so that others wait for the same.
type Count = Arc<tokio::sync::Mutex<Option<(Instant, i64)>>>;

/// What a topic is told.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct News {
    /// Some of those who came.
    joined: Vec<String>,
    /// Some of those who went.
    left: Vec<String>,
    /// How many came in all.
    joined_count: usize,
    /// How many went in all.
    left_count: usize,
    online: i64,
}

impl Presence {
    /// Of an instance under a fresh name.
    pub fn new(store: Store, hub: Hub, signals: Signals, grace: Duration) -> Self {
        let (instance, counts) = (Uuid::new_v4(), Mutex::default());
        Self(Arc::new(Inner { store, hub, signals, grace, instance, counts }))
    }

    /// Says that this instance lives and what has changed here since the last time; tells topics who came and went if it
    /// is this instance's turn.
    ///
    /// # Errors
    /// When the database does not answer: the next time says all of it.
    pub async fn beat(&self) -> Result<(), Unavailable> {
        let Inner { store, hub, grace, instance, .. } = &*self.0;
        let users = hub.rooms().take_changed(CHANGES);
        let counted = |key: &UserKey| (key.clone(), i32::try_from(hub.connections_of(key)).unwrap_or(i32::MAX));
        let changed: Vec<_> = users.iter().map(counted).collect();
        let beat = store.beat(*instance, &changed, *grace).await.inspect_err(|_| hub.rooms().note_changed(users))?;
        if beat.fresh {
            hub.rooms().note_changed(hub.users());
        }
        ::metrics::counter!(metrics::PRESENCE_CHANGES, "change" => "joined").increment(beat.joined.len() as u64);
        ::metrics::counter!(metrics::PRESENCE_CHANGES, "change" => "left").increment(beat.left.len() as u64);
        self.tell(&beat.joined, &beat.left).await
    }

    async fn tell(&self, joined: &[UserKey], left: &[UserKey]) -> Result<(), Unavailable> {
        if joined.is_empty() && left.is_empty() {
            return Ok(());
        }
        let mut news: BTreeMap<TopicKey, News> = BTreeMap::new();
        for (topic, key) in self.0.store.told_of(joined).await? {
            let news = news.entry(topic).or_default();
            news.joined_count += 1;
            news.joined.push(key.user.into());
        }
        for (topic, key) in self.0.store.told_of(left).await? {
            let news = news.entry(topic).or_default();
            news.left_count += 1;
            news.left.push(key.user.into());
        }
        let topics: Vec<_> = news.keys().cloned().collect();
        let online = self.0.store.online(&topics).await?;
        for (topic, mut news) in news {
            news.online = online.get(&topic).copied().unwrap_or_default();
            news.joined.truncate(NAMES);
            news.left.truncate(NAMES);
            // Plain data always serialises. A signal that cannot go now is lost, as signals may be.
            self.0.signals.tell(topic, PRESENCE, &serde_json::to_string(&news).unwrap_or_default());
        }
        Ok(())
    }

    /// How many are present, about a second old at most.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn online(&self, tenant: &Tenant, topic: Option<&TopicKey>) -> Result<i64, Unavailable> {
        let count = self.count_of((tenant.clone(), topic.cloned()));
        let mut count = count.lock().await;
        if let Some((at, online)) = *count
            && at.elapsed() < FRESH
        {
            return Ok(online);
        }
        let online = match topic {
            Some(topic) => self.0.store.online(std::slice::from_ref(topic)).await?.get(topic).copied().unwrap_or(0),
            None => self.0.store.online_in_tenant(tenant).await?,
        };
        *count = Some((Instant::now(), online));
        Ok(online)
    }

    fn count_of(&self, place: Place) -> Count {
        // No code under this lock can panic half-way, so a poisoned one still guards whole data.
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTS {
            counts.retain(|_, count| Arc::strong_count(count) > 1);
        }
        counts.entry(place).or_default().clone()
    }

    /// Who is present after this user in the order of ids.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users(
        &self,
        tenant: &Tenant,
        topic: Option<&TopicKey>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Present>, Unavailable> {
        self.0.store.present(tenant, topic, after, limit).await
    }
}
