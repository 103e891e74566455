//! Subscriptions and memberships: users join and leave topics, administrators add and remove users. Every change is written to the
//! logs of the users whom it concerns and announced to their streams.

use chrono::Utc;
use tokio_util::task::TaskTracker;

use crate::{
    actions::{presence::Presence, to_completion},
    auth::Identity,
    bus::{Bus, Left},
    domain::{
        signal::TopicKey,
        text::Malformed,
        topic::{Access, Mute, Subscription, Topic},
        user::{Tenant, UserId},
    },
    live::announce::Announcer,
    store::{Joining, KnownTopic, MembershipChange, Store, SubscriptionChange, Unavailable},
};

/// Changes subscriptions and memberships, and announces it; cheap to clone.
#[derive(Clone)]
pub struct Topics {
    store: Store,
    announcer: Announcer,
    bus: Bus,
    presence: Presence,
    tracker: TaskTracker,
    /// Most subscriptions of a user.
    most: usize,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The caller may not join the topic, or there is no such topic: the answer is the same for both.
    #[error("this topic may not be joined")]
    MayNotJoin,
    /// There is no such topic, and the caller may know.
    #[error("there is no such topic")]
    Unknown,
    /// Until when the topic is to be muted is out of bounds.
    #[error(transparent)]
    Mute(#[from] Malformed),
    /// These users have as many subscriptions as one may have.
    #[error("a user has at most {most} subscriptions")]
    Full {
        /// The users.
        users: Vec<UserId>,
        /// The bound.
        most: usize,
    },
    /// It is stored, but Redis has not taken the announcement: removed users may still receive signals.
    #[error("it is done, but the bus has not taken the news of it")]
    Untold,
    /// The database did not answer.
    #[error("the database did not answer")]
    Unavailable,
}

impl From<Unavailable> for Refused {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl Topics {
    /// A stop waits for changes that are tracked; `most` bounds the subscriptions of a user.
    pub fn new(
        store: Store,
        announcer: Announcer,
        bus: Bus,
        presence: Presence,
        tracker: TaskTracker,
        most: usize,
    ) -> Self {
        Self { store, announcer, bus, presence, tracker, most }
    }

    /// The caller's view of a topic.
    ///
    /// # Errors
    /// When the caller has nothing to do with it and may not join.
    pub async fn look(&self, caller: &Identity, topic: &Topic) -> Result<KnownTopic, Refused> {
        let known = self.store.topic(&caller.key, topic).await?;
        let concerned = known.member || known.subscribed || known.rules.access != Access::Members;
        if concerned || caller.admin || caller.may_join(topic) { Ok(known) } else { Err(Refused::MayNotJoin) }
    }

    /// Subscribes the caller, and mutes or unmutes the topic.
    ///
    /// # Errors
    /// When the caller may not join or has too many subscriptions, or the mute is out of bounds.
    pub async fn subscribe(&self, caller: &Identity, topic: &Topic, mute: Mute) -> Result<Subscription, Refused> {
        if let Mute::Until(until) = mute {
            until.check(Utc::now())?;
        }
        let (topics, key, topic, covered) = (self.clone(), caller.key.clone(), topic.clone(), caller.may_join(topic));
        to_completion::run(&self.tracker, async move {
            match topics.store.subscribe(&key, &topic, covered, mute, topics.most).await? {
                Joining::Same(subscription) => Ok(subscription),
                Joining::Joined(change) => {
                    topics.announce(std::slice::from_ref(&change));
                    Ok(change.subscription)
                }
                Joining::Muted(change) => {
                    topics.announcer.announce_subscriptions(std::slice::from_ref(&change));
                    Ok(change.subscription)
                }
                Joining::NotAllowed => Err(Refused::MayNotJoin),
                Joining::Full => Err(Refused::Full { users: vec![key.user], most: topics.most }),
            }
        })
        .await
    }

    /// Unsubscribes the caller, whether there is a subscription or not.
    ///
    /// # Errors
    /// When there is no such topic and the caller might join it.
    pub async fn unsubscribe(&self, caller: &Identity, topic: &Topic) -> Result<Subscription, Refused> {
        let change = MembershipChange::removing(caller.key.user.clone());
        if let Err(refused) = self.change_subscribers(&caller.key.tenant, topic, change).await {
            // A caller who may not join gets the same answer for every topic, known or not.
            let is_hidden = refused == Refused::Unknown && self.look(caller, topic).await == Err(Refused::MayNotJoin);
            if !is_hidden {
                return Err(refused);
            }
        }
        Ok(Subscription { topic: topic.clone(), subscribed: false, muted_until: None })
    }

    /// Makes sure that the tenant knows a topic, and then does so for good.
    ///
    /// # Errors
    /// When it does not.
    pub async fn require(&self, tenant: &Tenant, topic: &Topic) -> Result<(), Refused> {
        let topic = TopicKey { tenant: tenant.clone(), topic: topic.clone() };
        if self.store.topic_facts(&topic, None).await?.known { Ok(()) } else { Err(Refused::Unknown) }
    }

    /// Subscribes and unsubscribes users, even if they may not join by themselves; answers how many it really did. When this
    /// returns, removed users get no signal that is sent to the topic from then on.
    ///
    /// # Errors
    /// When users have too many subscriptions, or when the topic is not known and the change adds no user: nothing is changed
    /// then.
    pub async fn change_subscribers(
        &self,
        tenant: &Tenant,
        topic: &Topic,
        change: MembershipChange,
    ) -> Result<(usize, usize), Refused> {
        if change.added().is_empty() {
            self.require(tenant, topic).await?;
        }
        let (topics, tenant, topic) = (self.clone(), tenant.clone(), topic.clone());
        to_completion::run(&self.tracker, async move {
            let done = topics.store.change_subscribers(&tenant, &topic, &change, topics.most).await?;
            let changes = done.map_err(|users| Refused::Full { users, most: topics.most })?;
            topics.announce_with_removals(tenant, topic, &change, &changes).await?;
            let added = changes.iter().filter(|change| change.subscription.subscribed).count();
            Ok((added, changes.len() - added))
        })
        .await
    }

    /// Makes users members of a topic, and removes others together with their subscriptions; answers how many it really did.
    /// When this returns, removed users get no signal that is sent to the topic from then on.
    ///
    /// # Errors
    /// When the topic is not known and the change adds no member.
    pub async fn change_members(
        &self,
        tenant: &Tenant,
        topic: &Topic,
        change: MembershipChange,
    ) -> Result<(usize, usize), Refused> {
        if change.added().is_empty() {
            self.require(tenant, topic).await?;
        }
        let (topics, tenant, topic) = (self.clone(), tenant.clone(), topic.clone());
        to_completion::run(&self.tracker, async move {
            let (added, removed, changes) = topics.store.change_members(&tenant, &topic, &change).await?;
            topics.announce_with_removals(tenant, topic, &change, &changes).await?;
            Ok((added, removed))
        })
        .await
    }

    /// Announces the removal of all named users, even if they had been removed before: an earlier announcement may have been lost.
    /// While the bus is down no instance delivers signals before it has read all subscriptions again. If the bus is up and does not take the
    /// announcement, the caller must repeat the change.
    async fn announce_with_removals(
        &self,
        tenant: Tenant,
        topic: Topic,
        change: &MembershipChange,
        changes: &[SubscriptionChange],
    ) -> Result<(), Refused> {
        self.announce(changes);
        if change.removed().is_empty() {
            return Ok(());
        }
        let left = Left { topic: TopicKey { tenant, topic }, users: change.removed().to_vec() };
        let told = self.bus.send_removal(left).await;
        if told || !self.bus.health().up { Ok(()) } else { Err(Refused::Untold) }
    }

    /// Announces subscriptions that have begun or ended to their users, and to the topics if the user is present.
    fn announce(&self, changes: &[SubscriptionChange]) {
        self.announcer.announce_subscriptions(changes);
        let (presence, changes) = (self.presence.clone(), changes.to_vec());
        self.tracker.spawn(async move { presence.note_moved(&changes).await });
    }
}
