//! Presence: which users are connected here, the signals to topics when users join or leave, and the answers to queries.

mod changes;
mod counts;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use uuid::Uuid;

use self::{changes::PresenceChanges, counts::Counts};
use crate::{
    actions::signals::Signals,
    domain::{
        lock::lock,
        signal::{PRESENCE, TopicKey},
        user::{Tenant, UserKey},
    },
    live::hub::Hub,
    metrics,
    store::{Beat, Moved, Present, Store, SubscriptionChange, Unavailable},
};

/// Most users whose changes one sign of life stores; changes of further users follow with the next.
const CHANGES: usize = 5_000;
/// Most beginnings and ends of subscriptions that the next beat announces.
const MOVES: usize = 50_000;

/// Keeps this instance's part of presence, and answers about the whole; cheap to clone.
#[derive(Clone)]
pub struct Presence(Arc<Inner>);

struct Inner {
    store: Store,
    hub: Hub,
    signals: Signals,
    grace: Duration,
    instance: Uuid,
    counts: Counts,
    moved: Mutex<Vec<Moved>>,
}

impl Presence {
    /// Of an instance under a fresh name.
    pub fn new(store: Store, hub: Hub, signals: Signals, grace: Duration) -> Self {
        let (instance, counts) = (Uuid::new_v4(), Counts::new(store.clone()));
        Self(Arc::new(Inner { store, hub, signals, grace, instance, counts, moved: Mutex::default() }))
    }

    /// Stores that this instance is alive, how many streams it has if it takes new ones and gets any, and which of its users have changed
    /// since the last beat. Ends streams early if other instances have far fewer. One instance at a time sends signals to topics about
    /// users who joined or left.
    ///
    /// # Errors
    /// When the database does not answer: the next beat includes the changes of this one. Signals that were not sent are lost.
    pub async fn beat(&self, takes_streams: bool) -> Result<(), Unavailable> {
        let Inner { store, hub, grace, instance, .. } = &*self.0;
        let users = hub.rooms().take_changed(CHANGES);
        let counted = |key: &UserKey| (key.clone(), i32::try_from(hub.connections_of(key)).unwrap_or(i32::MAX));
        let changed: Vec<_> = users.iter().map(counted).collect();
        let streams = hub.counted().filter(|_| takes_streams);
        let beat = store.beat(*instance, streams, &changed, *grace).await;
        let beat = beat.inspect_err(|_| hub.rooms().note_changed(users))?;
        if let Some(own) = streams {
            hub.even_out(beat.share, own);
        }
        if beat.fresh {
            hub.rooms().note_changed(hub.users());
        }
        ::metrics::counter!(metrics::PRESENCE_CHANGES, "change" => "joined").increment(beat.joined.len() as u64);
        ::metrics::counter!(metrics::PRESENCE_CHANGES, "change" => "left").increment(beat.left.len() as u64);
        let moved = std::mem::take(&mut *lock(&self.0.moved));
        self.announce(beat, moved).await
    }

    async fn announce(&self, beat: Beat, moved: Vec<Moved>) -> Result<(), Unavailable> {
        let mut changes: BTreeMap<TopicKey, PresenceChanges> = BTreeMap::new();
        for (topic, key) in self.0.store.presence_topics(&beat.joined).await? {
            changes.entry(topic).or_default().joined(key.user);
        }
        for (topic, key) in self.0.store.presence_topics(&beat.left).await? {
            changes.entry(topic).or_default().left(key.user);
        }
        for Moved { topic, user, subscribed } in moved {
            let changes = changes.entry(topic).or_default();
            if subscribed { changes.joined(user) } else { changes.left(user) }
        }
        self.send(changes).await
    }

    /// Notes subscriptions that have just begun or ended: the next beat announces those of present users to their topics. Beyond a
    /// bound they are dropped, as signals may be lost.
    ///
    /// # Errors
    /// When the database does not answer: then they are dropped.
    pub async fn note_moved(&self, changes: &[SubscriptionChange]) -> Result<(), Unavailable> {
        let changes: Vec<_> = changes.iter().map(Moved::from).collect();
        // Asked at once: users who connect after this are announced as users who joined.
        let present = self.0.store.present_among(changes).await?;
        let mut moved = lock(&self.0.moved);
        let room = MOVES.saturating_sub(moved.len());
        moved.extend(present.into_iter().take(room));
        Ok(())
    }

    async fn send(&self, changes: BTreeMap<TopicKey, PresenceChanges>) -> Result<(), Unavailable> {
        if changes.is_empty() {
            return Ok(());
        }
        let topics: Vec<_> = changes.keys().cloned().collect();
        let online = self.0.counts.after_change(&topics).await?;
        debug_assert_eq!(online.len(), topics.len(), "one count for each topic");
        for ((topic, changes), online) in changes.into_iter().zip(online) {
            // A signal that cannot go now is lost, as signals may be.
            self.0.signals.announce(topic, PRESENCE, &changes.render(online));
        }
        Ok(())
    }

    /// How many are present: a second ago, or longer in a topic of more than 40,000 subscribers, 25 us for each.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn online(&self, tenant: &Tenant, topic: Option<&TopicKey>) -> Result<i64, Unavailable> {
        self.0.counts.online(tenant, topic).await
    }

    /// The present users after this user in the order of ids.
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
