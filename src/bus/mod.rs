//! Sends "user U reached seq S" between instances, with the rendered frames if they are small.
//!
//! The store holds the truth: the head check finds a lost message. Redis is used in [`redis`] only, NOTIFY in [`postgres`].

pub(crate) mod backoff;
mod kept;
mod local;
mod messages;
mod outgoing;
pub mod postgres;
mod probe;
mod receiver;
pub mod redis;
mod wire;

use std::future::ready;

use futures_util::future::{BoxFuture, FutureExt};

pub use self::messages::{
    Announcement, Arrival, Arrivals, Control, Health, Incoming, Joined, KEPT_FOR, KEPT_SUBJECTS, Left, Setup, Sink,
};
use self::{local::LocalBus, outgoing::Outlet};
use crate::domain::{
    signal::{Signal, TopicKey},
    user::UserKey,
};

/// The bus: in-process when the instance is alone, otherwise Redis, or Postgres if there is no Redis.
#[derive(Clone)]
pub enum Bus {
    /// One instance: the hub gets its own publishes directly, only orders and signals pass here.
    Local(LocalBus),
    /// Several instances over Redis: an instance receives what it subscribed to.
    Redis(redis::RedisBus),
    /// Several instances over Postgres: each instance receives everything.
    Postgres(postgres::PostgresBus),
}

impl Bus {
    /// The bus of an instance that is alone.
    pub fn local(sink: Sink) -> Self {
        Self::Local(LocalBus::new(sink))
    }

    /// The queue of messages to other instances, if there may be other instances.
    fn outlet(&self) -> Option<&Outlet> {
        match self {
            Self::Local(_) => None,
            Self::Redis(bus) => Some(bus.outlet()),
            Self::Postgres(bus) => Some(bus.outlet()),
        }
    }

    /// Asks for a user's announcements. The order of calls is kept from this call on. The future ends when the subscription is
    /// confirmed. It also ends when the bus is down, because the head check then finds the changes.
    pub fn subscribe(&self, key: &UserKey) -> BoxFuture<'static, ()> {
        match self {
            Self::Redis(bus) => bus.subscribe(key).boxed(),
            Self::Local(_) | Self::Postgres(_) => ready(()).boxed(),
        }
    }

    /// Ends a user's announcements.
    pub fn unsubscribe(&self, key: &UserKey) {
        if let Self::Redis(bus) = self {
            bus.unsubscribe(key);
        }
    }

    /// Asks for the messages to a topic, as [`Self::subscribe`] does for a user.
    pub fn follow(&self, topic: &TopicKey) -> BoxFuture<'static, ()> {
        match self {
            Self::Redis(bus) => bus.follow(topic).boxed(),
            Self::Local(_) | Self::Postgres(_) => ready(()).boxed(),
        }
    }

    /// Whether this instance receives everything that is sent to the topic from now on.
    pub fn follows(&self, topic: &TopicKey) -> bool {
        match self {
            Self::Local(_) => true,
            Self::Redis(bus) => bus.follows(topic),
            Self::Postgres(bus) => bus.is_up(),
        }
    }

    /// Ends [`Self::follow`].
    pub fn unfollow(&self, topic: &TopicKey) {
        if let Self::Redis(bus) = self {
            bus.unfollow(topic);
        }
    }

    /// Sends a signal to every instance that follows its address, this one too: so that all receive it between the same
    /// other messages. The order of calls is kept from this call on. The future ends, after a second at most, when the bus has
    /// taken it: a signal that is sent after the answer true, through any instance, comes after it. False when the bus
    /// did not take it, or too many wait.
    ///
    /// One that is `kept` is the last value of its subject from the moment it is received; its time is later than that of
    /// the value before.
    pub fn signal(&self, signal: Signal, kept: bool) -> BoxFuture<'static, bool> {
        match self {
            Self::Local(bus) => {
                bus.signal(signal, kept);
                ready(true).boxed()
            }
            Self::Redis(bus) => bus.outlet().signal(signal, kept).boxed(),
            Self::Postgres(bus) => bus.outlet().signal(signal, kept).boxed(),
        }
    }

    /// Sends a signal that is not kept and waits for nothing. False when too many wait.
    pub fn cast(&self, signal: Signal) -> bool {
        match self {
            Self::Local(bus) => {
                bus.signal(signal, false);
                true
            }
            Self::Redis(bus) => bus.outlet().cast(signal),
            Self::Postgres(bus) => bus.outlet().cast(signal),
        }
    }

    /// The values that are kept of these topics; none where the bus does not answer.
    pub async fn last(&self, topics: &[TopicKey]) -> Vec<Signal> {
        match self {
            Self::Local(bus) => bus.last(topics),
            Self::Redis(bus) => bus.last(topics).await.unwrap_or_else(|error| {
                log::debug!("the last values of signals cannot be read: {error}");
                Vec::new()
            }),
            // The store has logged why.
            Self::Postgres(bus) => bus.last(topics).await.unwrap_or_default(),
        }
    }

    /// Sends every instance a removal of users from a topic, and waits, a second at most, until the bus has taken it. When this
    /// answers true, every signal to the topic that is sent from now on comes after it; false when the bus did not take it.
    pub async fn send_removal(&self, left: Left) -> bool {
        match self {
            Self::Local(bus) => {
                bus.hand(Incoming::Left(left));
                true
            }
            Self::Redis(bus) => bus.outlet().send_removal(left).await,
            Self::Postgres(bus) => bus.outlet().send_removal(left).await,
        }
    }

    /// Announces to the other instances; neither waits nor fails.
    pub fn announce(&self, announcements: Vec<Announcement>) {
        if let Some(outlet) = self.outlet() {
            outlet.announce(announcements);
        }
    }

    /// Announces arrivals to the other instances; neither waits nor fails.
    pub fn send_arrivals(&self, arrivals: Arrivals) {
        if let Some(outlet) = self.outlet() {
            outlet.send_arrivals(arrivals);
        }
    }

    /// Gives an order to all instances; neither waits nor fails.
    pub fn control(&self, control: Control) {
        match self {
            Self::Local(bus) => bus.hand(Incoming::Control(control)),
            Self::Redis(bus) => bus.control(control),
            Self::Postgres(bus) => bus.control(control),
        }
    }

    /// Whether there may be other instances.
    pub fn is_shared(&self) -> bool {
        !matches!(self, Self::Local(_))
    }

    /// The health of the path.
    pub fn health(&self) -> Health {
        match self {
            Self::Local(_) => Health { up: true, probe_age: None },
            Self::Redis(bus) => bus.health(),
            Self::Postgres(bus) => bus.health(),
        }
    }
}
