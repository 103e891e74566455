//! Sends "user U reached seq S" between instances, with the rendered frames if they are small.
//!
//! The store holds the truth: the head check finds a lost message. Redis is used in [`redis`] only, NOTIFY in [`postgres`].

pub(crate) mod backoff;
mod kept;
mod local;
mod outgoing;
pub mod postgres;
mod probe;
mod receiver;
pub mod redis;
mod wire;

use std::{future::ready, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::{local::LocalBus, outgoing::Outlet};
use crate::{
    auth::Identity,
    domain::{
        channel::Decision,
        cursor::{Cursor, Epoch, Seq},
        notification::Published,
        signal::{Signal, TopicKey},
        topic::Topic,
        user::{Tenant, UserId, UserKey},
    },
    frame::Frame,
};

/// How long the last value of a topic's subject is kept for later subscribers.
pub const KEPT_FOR: Duration = Duration::from_hours(1);
/// Most subjects of one topic whose last value is kept.
pub const KEPT_SUBJECTS: usize = 100;

/// A user's stream moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The user of the stream.
    pub key: UserKey,
    /// The stream's epoch.
    pub epoch: Epoch,
    /// The newest seq after the change.
    pub head: Seq,
    /// The changes up to `head`, in order and without gaps; empty when they are too large for a message.
    pub frames: Vec<Frame>,
    /// When the publish was received, microseconds since 1970; 0 for changes of state.
    pub published_at: u64,
    /// The subscription that the newest of the changes was about, if it was about one.
    pub subscription: Option<Joined>,
}

impl Announcement {
    /// Of the changes up to `cursor`, whose frames these are; none of a publish or a subscription.
    pub fn new(key: UserKey, Cursor { epoch, seq }: Cursor, frames: Vec<Frame>) -> Self {
        debug_assert!(
            frames.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq),
            "frames follow each other without gaps"
        );
        debug_assert!(frames.last().is_none_or(|last| last.seq == seq), "the last frame is the head's");
        Self { key, epoch, head: seq, frames, published_at: 0, subscription: None }
    }
}

/// A user joined or left a topic. Announcements may come out of order: that of the newest head counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The topic.
    pub topic: Topic,
    /// Whether the user is subscribed to it now.
    pub subscribed: bool,
}

/// One notification that arrived in many inboxes at once, for every instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrivals {
    /// The tenant of the users.
    pub tenant: Tenant,
    /// The notification; none when it is too large for a message.
    pub notification: Option<Arc<Published>>,
    /// The inboxes that got it.
    pub rows: Vec<Arrival>,
}

/// One inbox that got a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The user of the inbox.
    pub user: UserId,
    /// The stream's epoch.
    pub epoch: Epoch,
    /// The seq of the change, the newest of the user's log.
    pub seq: Seq,
    /// The user's unread count with it.
    pub unread: i64,
    /// The channels that it takes to the user.
    pub decision: Decision,
    /// The topic that brought it; none when it went to everyone.
    pub topic: Option<Topic>,
}

/// Something every instance must do at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// The revocations changed: read them again and end the streams that they concern.
    Revoked,
    /// The tenants' kinds changed: read them again.
    KindsChanged,
    /// Let an open stream go on under a fresh token of its user.
    Extend {
        /// The stream's connection, on any instance.
        connection: Uuid,
        /// The identity of the token.
        identity: Box<Identity>,
    },
    /// A large fan-out began: write it first to the users who are connected.
    ConnectedFirst(Uuid),
}

/// Users left a topic, or lost it: no signal of it may reach them any more. The message keeps its order among the topic's signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The topic.
    pub topic: TopicKey,
    /// The users that lost it.
    pub users: Vec<UserId>,
}

/// A message that the bus hands to this instance.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A subscribed user's stream moved.
    Announced(Announcement),
    /// A notification arrived in many inboxes, by the doing of another instance.
    Arrived(Arrivals),
    /// A signal to a subscribed user or topic, from any instance, this one too.
    Signal(Signal),
    /// These are no longer subscribed to the topic: no later signal of it is for them.
    Left(Left),
    /// An order to all instances, this one too.
    Control(Control),
    /// The path is broken: until it is whole again a message may follow one that was missed.
    Broken,
    /// The path was broken and is whole again: anything may have been missed.
    Restored,
}

/// Takes the bus's messages; called on the bus's own task, so it must not block.
pub type Sink = Arc<dyn Fn(Incoming) + Send + Sync>;

/// What a bus between instances begins with.
pub struct Setup<'a> {
    /// First part of every channel's name.
    pub prefix: &'a str,
    /// How often a probe is sent; three missed ones mean a broken path.
    pub probe_interval: Duration,
    /// Takes what comes in.
    pub sink: Sink,
    /// Ends the bus' tasks.
    pub stop: CancellationToken,
    /// Waits for them.
    pub tracker: &'a TaskTracker,
}

/// The health of the path to the other instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// False while announcements may be lost: the head check must hurry.
    pub up: bool,
    /// Since the last probe came back; none for the in-process bus or before the first.
    pub probe_age: Option<Duration>,
}

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
