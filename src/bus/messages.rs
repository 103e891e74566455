//! The messages between instances, and the parameters of every kind of bus.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

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

/// The parameters of a bus between instances.
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
