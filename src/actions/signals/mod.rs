//! The way of a signal from its sender to the bus: the rights of senders, the rates, and the values that are kept for later clients.
//!
//! Nothing is stored: a signal that cannot go now is refused.

mod pace;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::Instant;

use self::pace::Pace;
use crate::{
    actions::micros_now,
    bus::{Bus, KEPT_FOR},
    config::SignalSettings,
    domain::{
        lock::lock,
        signal::{Address, Signal, Subject, TopicKey},
        topic::{Access, Rules, Topic},
        user::{Tenant, UserKey},
    },
    frame,
    message::NewSignal,
    metrics,
    store::{Facts, Store, Unavailable},
};

/// How long the facts about a topic may be used for publishers' signals.
const FRESH: Duration = Duration::from_secs(2);
/// Most topics of which something is known.
const TOPICS: usize = 10_000;

/// Sends signals; cheap to clone.
#[derive(Clone)]
pub struct Signals(Arc<Inner>);

struct Inner {
    store: Store,
    bus: Bus,
    settings: SignalSettings,
    facts: Mutex<HashMap<TopicKey, (Instant, Facts)>>,
    users: Mutex<Pace<UserKey>>,
    tenants: Mutex<Pace<Tenant>>,
}

/// The sender of a signal.
#[derive(Debug, Clone, Copy)]
pub enum Sender<'a> {
    /// A backend of the tenant.
    Publisher(&'a Tenant),
    /// A user, to the topics that it is subscribed to.
    User(&'a UserKey),
}

/// Why a signal was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The topic does not exist.
    #[error("there is no topic {0}")]
    UnknownTopic(Topic),
    /// The user is not subscribed to the topic, which may not exist either.
    #[error("not subscribed")]
    NotSubscribed,
    /// The topic, or a user, is for publishers to signal.
    #[error("only publishers signal {0}")]
    OnlyPublishers(&'static str),
    /// The sender sends more than it may.
    #[error("at most {most} signals a second are accepted ({limit})")]
    TooMany {
        /// The setting that bounds it.
        limit: &'static str,
        /// The bound.
        most: u32,
        /// When the next one is accepted.
        retry_after: Duration,
    },
    /// The bus or the database does not answer.
    #[error("signals cannot be sent at the moment")]
    Unavailable,
}

impl From<Unavailable> for Refused {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl Signals {
    /// Over this store and this bus.
    pub fn new(store: Store, bus: Bus, settings: SignalSettings) -> Self {
        let users = Mutex::new(Pace::new(settings.per_user));
        let tenants = Mutex::new(Pace::new(settings.per_tenant));
        Self(Arc::new(Inner { store, bus, settings, facts: Mutex::default(), users, tenants }))
    }

    /// The bounds of signals.
    pub fn settings(&self) -> &SignalSettings {
        &self.0.settings
    }

    /// Sends a signal if the sender may send one more now; `source` is the way in, for the metric. When this returns, the bus has
    /// taken it: a signal that is sent from then on comes after it.
    ///
    /// # Errors
    /// Why it was not sent.
    pub async fn send(&self, sender: Sender<'_>, new: NewSignal, source: &'static str) -> Result<(), Refused> {
        let prepared = match self.pace(sender) {
            Ok(()) => self.prepare(sender, new).await,
            Err(refused) => Err(refused),
        };
        self.hand_over(prepared, source).await
    }

    /// Sends signals of publishers that [`Self::admit`] let through, in this order. The answer of a signal is the reason why it was
    /// not sent, if there is one.
    pub async fn send_all(&self, signals: Vec<(Tenant, NewSignal)>, source: &'static str) -> Vec<Result<(), Refused>> {
        let prepare = async |(tenant, new)| self.prepare(Sender::Publisher(&tenant), new).await;
        let prepared = join_all(signals.into_iter().map(prepare)).await;
        // All are handed over before any is waited for.
        let sent: Vec<_> = prepared.into_iter().map(|prepared| self.hand_over(prepared, source)).collect();
        join_all(sent).await
    }

    /// Gives the tenant's publishers leave to send one more, or says how long they must wait for it.
    ///
    /// # Errors
    /// The time until then.
    pub fn admit(&self, tenant: &Tenant) -> Result<(), Duration> {
        lock(&self.0.tenants).admit(tenant)
    }

    /// The signal for the bus, if the sender may send it.
    async fn prepare(&self, sender: Sender<'_>, new: NewSignal) -> Result<Signal, Refused> {
        let subject = new.subject(sender.tenant());
        let interval = match (sender, &subject.to) {
            (Sender::User(_), Address::User(_)) => return Err(Refused::OnlyPublishers("users")),
            (Sender::Publisher(_), Address::User(_)) => Duration::ZERO,
            (sender, Address::Topic(topic)) => self.facts_for(sender, topic).await?.rules.signal_interval,
        };
        self.render(subject, interval, &new.data)
    }

    /// Passes an admitted signal to the bus, in the order of calls; the future ends when the bus has taken it.
    fn hand_over(
        &self,
        prepared: Result<Signal, Refused>,
        source: &'static str,
    ) -> impl Future<Output = Result<(), Refused>> + Send + use<> {
        let taken = prepared.map(|signal| {
            let kept = matches!(signal.subject.to, Address::Topic(_));
            self.0.bus.signal(signal, kept)
        });
        async move {
            let sent = match taken {
                Ok(taken) => taken.await.then_some(()).ok_or(Refused::Unavailable),
                Err(refused) => Err(refused),
            };
            let result = match &sent {
                Ok(()) => "accepted",
                Err(Refused::TooMany { .. }) => "limited",
                Err(Refused::Unavailable) => "failed",
                Err(_) => "refused",
            };
            ::metrics::counter!(metrics::SIGNALS, "source" => source, "result" => result).increment(1);
            sent
        }
    }

    /// Sends a signal of the server's own to a topic. It is not kept for later, and is lost when it cannot go now. `data` is one line of
    /// JSON.
    pub fn announce(&self, topic: TopicKey, kind: &str, data: &str) {
        let subject = Subject { to: Address::Topic(topic), kind: kind.into(), key: Box::default() };
        let sent = self.render(subject, Duration::ZERO, data).is_ok_and(|signal| self.0.bus.cast(signal));
        if !sent {
            ::metrics::counter!(metrics::SIGNALS_DROPPED, "reason" => "bus").increment(1);
        }
    }

    /// The facts about a topic that the sender may signal.
    async fn facts_for(&self, sender: Sender<'_>, topic: &TopicKey) -> Result<Facts, Refused> {
        match sender {
            Sender::Publisher(_) => {
                let facts = self.facts(topic).await?;
                if facts.known { Ok(facts) } else { Err(Refused::UnknownTopic(topic.topic.clone())) }
            }
            Sender::User(key) => {
                let facts = self.0.store.topic_facts(topic, Some(&key.user)).await?;
                match facts {
                    Facts { subscribed: false, .. } => Err(Refused::NotSubscribed),
                    Facts { rules: Rules { access: Access::ReadOnly, .. }, .. } => {
                        Err(Refused::OnlyPublishers("this topic"))
                    }
                    _ => Ok(facts),
                }
            }
        }
    }

    /// The facts about a topic, some seconds old at most. An unknown topic is always looked up again.
    async fn facts(&self, topic: &TopicKey) -> Result<Facts, Unavailable> {
        let now = Instant::now();
        let known = lock(&self.0.facts).get(topic).filter(|(at, _)| now < *at + FRESH).map(|(_, facts)| facts.clone());
        if let Some(facts) = known {
            return Ok(facts);
        }
        let facts = self.0.store.topic_facts(topic, None).await?;
        if facts.known {
            let mut all = lock(&self.0.facts);
            if all.len() >= TOPICS {
                all.retain(|_, (at, _)| now < *at + FRESH);
            }
            if all.len() < TOPICS {
                all.insert(topic.clone(), (now, facts.clone()));
            }
        }
        Ok(facts)
    }

    /// The signal as all will get it, unless the bus is known to be down.
    fn render(&self, subject: Subject, interval: Duration, data: &str) -> Result<Signal, Refused> {
        if !self.0.bus.health().up {
            return Err(Refused::Unavailable);
        }
        let topic = match &subject.to {
            Address::Topic(key) => Some(&key.topic),
            Address::User(_) => None,
        };
        let bytes = frame::signal(topic, &subject.kind, &subject.key, data).into();
        Ok(Signal { subject, interval, sent_at: micros_now(), bytes })
    }

    fn pace(&self, sender: Sender<'_>) -> Result<(), Refused> {
        let settings = &self.0.settings;
        let (limit, most, paced) = match sender {
            Sender::User(key) => ("signals_per_user", settings.per_user, lock(&self.0.users).admit(key)),
            Sender::Publisher(tenant) => ("signals_per_tenant", settings.per_tenant, self.admit(tenant)),
        };
        paced.map_err(|retry_after| {
            ::metrics::counter!(metrics::LIMIT_HITS, "limit" => limit).increment(1);
            Refused::TooMany { limit, most, retry_after }
        })
    }

    /// The last values of the user's topics, the older ones first. Of topics that the user has lost meanwhile there are
    /// none: the user's subscriptions are read after the values.
    pub async fn last(&self, key: &UserKey, topics: &[TopicKey]) -> Vec<Signal> {
        let mut signals = self.0.bus.last(topics).await;
        let kept_for = KEPT_FOR.as_secs() * 1_000_000;
        let oldest = micros_now().saturating_sub(kept_for);
        signals.retain(|signal| signal.sent_at >= oldest);
        if signals.is_empty() {
            return signals;
        }
        let Ok(mut subscribed) = self.0.store.topics_of(std::slice::from_ref(key)).await else { return Vec::new() };
        // A user without subscriptions is left out of the answer.
        let subscribed = subscribed.remove(key).unwrap_or_default();
        signals.retain(|signal| matches!(&signal.subject.to, Address::Topic(topic) if subscribed.contains(topic)));
        signals.sort_by_key(|signal| signal.sent_at);
        signals
    }
}

impl Sender<'_> {
    fn tenant(&self) -> &Tenant {
        match self {
            Self::Publisher(tenant) => tenant,
            Self::User(key) => &key.tenant,
        }
    }
}
