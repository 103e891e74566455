//! The connections of this instance by user, the newest frames of each user, and the wake-ups.
//!
//! It knows neither the store nor sockets. A user's first connection subscribes on the bus, the last one unsubscribes.

mod evening;
mod feed;
mod member;
mod meters;
mod ring;
mod ringing;
mod rooms;
mod signalling;
mod signals;
#[cfg(test)]
mod tests;
mod throttle;
mod wheel;

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::Shared};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::feed::Feed;
pub use self::member::Member;
pub use self::meters::Meters;
pub use self::ring::{Delivery, GATHERED, Origin, Read};
pub use self::rooms::Rooms;
pub use self::signals::Unread;

use crate::{
    auth::Identity,
    bus::{Announcement, Bus},
    config::StreamSettings,
    domain::{
        cursor::{Cursor, Epoch, Seq},
        lock::lock,
        share::Evening,
        signal::TopicKey,
        user::UserKey,
    },
    frame::EndReason,
    metrics,
};

const SHARDS: usize = 64;
/// Connections that a drain ends in one step, and the time from one step to the next.
const DRAIN_PACE: usize = 100;
const DRAIN_STEP: Duration = Duration::from_millis(100);

/// A future that ends when a user's announcements come in.
type Subscribed = Shared<futures_util::future::BoxFuture<'static, ()>>;

/// The connections of this instance; cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    bus: Bus,
    settings: StreamSettings,
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<UserKey, Arc<Feed>>>>,
    connections: AtomicUsize,
    has_had_one: AtomicBool,
    evening: Mutex<Evening>,
    wheel: wheel::Wheel,
    meters: Meters,
    rooms: Rooms,
}

/// The transport of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// Server-Sent Events, or one long poll.
    #[default]
    Sse,
    /// A WebSocket.
    WebSocket,
}

impl Transport {
    /// The metrics label.
    fn as_str(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::WebSocket => "websocket",
        }
    }
}

/// Why a connection cannot join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The instance has as many connections as it may.
    #[error("this instance has no room for another stream")]
    Instance,
    /// The user has as many connections here as one user may.
    #[error("this user has too many streams open")]
    User,
}

impl Hub {
    /// A hub without connections.
    pub fn new(bus: Bus, settings: StreamSettings) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let (connections, has_had_one, evening) = Default::default();
        let wheel = wheel::Wheel::new();
        let (hasher, meters) = (RandomState::new(), Meters::new());
        // A shared bus says by itself when it is whole.
        let rooms = Rooms::new(!bus.is_shared());
        let inner = Inner { bus, settings, hasher, shards, connections, has_had_one, evening, wheel, meters, rooms };
        Self { inner: Arc::new(inner) }
    }

    /// Joins for a connection; every announcement from now on reaches it.
    ///
    /// # Errors
    /// When the instance or the user has too many.
    pub fn join(&self, identity: Identity, transport: Transport) -> Result<Membership, Full> {
        let taken = self.inner.connections.fetch_add(1, Ordering::Relaxed);
        if taken >= self.inner.settings.per_instance {
            self.count_down();
            return Err(Full::Instance);
        }
        let member = Arc::new(Member::new(identity));
        let Some(feed) = self.join_feed(&member) else {
            self.count_down();
            return Err(Full::User);
        };
        ::metrics::gauge!(metrics::CONNECTIONS, "transport" => transport.as_str()).increment(1.0);
        Ok(Membership { hub: self.clone(), feed, member, transport })
    }

    /// Puts the member into the user's feed, made if this is the first; none when the feed is full. The shard's lock is held over
    /// the bus call: otherwise a user that leaves and comes back could be subscribed first and unsubscribed afterwards.
    fn join_feed(&self, member: &Arc<Member>) -> Option<Arc<Feed>> {
        let key = member.key();
        let mut shard = self.shard(key);
        match shard.entry(key.clone()) {
            Entry::Occupied(feed) => {
                let added = feed.get().add(member, self.inner.settings.per_user);
                added.then(|| self.inner.rooms.note(key, false));
                added.then(|| feed.get().clone())
            }
            Entry::Vacant(entry) => {
                let subscribed = self.inner.bus.subscribe(key).shared();
                let settings = &self.inner.settings;
                let feed = Arc::new(Feed::new(key.clone(), subscribed, settings.ring_frames, settings.ring_bytes));
                feed.add(member, self.inner.settings.per_user);
                entry.insert(feed.clone());
                self.inner.rooms.note(key, true);
                Some(feed)
            }
        }
    }

    fn leave(&self, feed: &Feed, member: &Member, transport: Transport) {
        let mut shard = self.shard(feed.key());
        let last = feed.remove(member.id());
        if last {
            shard.remove(feed.key());
            self.inner.bus.unsubscribe(feed.key());
        }
        self.inner.rooms.note(feed.key(), last);
        drop(shard);
        self.count_down();
        ::metrics::gauge!(metrics::CONNECTIONS, "transport" => transport.as_str()).decrement(1.0);
    }

    fn count_down(&self) {
        let before = self.inner.connections.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "more connections left than came");
    }

    /// Hands an announcement to the user's connections, if there are any here.
    pub fn deliver(&self, announcement: Announcement, origin: Origin) {
        let feed = self.shard(&announcement.key).get(&announcement.key).cloned();
        if let Some(feed) = feed {
            if announcement.subscription.is_some() {
                self.inner.rooms.mark_dirty(feed.key());
            }
            feed.deliver(announcement, origin);
        }
    }

    /// The topics that users of this instance are subscribed to.
    pub fn rooms(&self) -> &Rooms {
        &self.inner.rooms
    }

    /// Notes that the head of a stream is `seq`, whichever instance moved it; true when the head moved.
    pub fn reached(&self, key: &UserKey, epoch: &Epoch, seq: Seq) -> bool {
        let feed = self.shard(key).get(key).cloned();
        feed.is_some_and(|feed| feed.reached(epoch, seq))
    }

    /// Whether `seq`, the head of a stream, is ahead of the announcements here.
    pub fn is_behind(&self, key: &UserKey, epoch: &Epoch, seq: Seq) -> bool {
        let feed = self.shard(key).get(key).cloned();
        feed.is_some_and(|feed| feed.is_behind(epoch, seq))
    }

    /// The newest change of a user's stream that is known here.
    pub fn head(&self, key: &UserKey) -> Option<Cursor> {
        let feed = self.shard(key).get(key).cloned();
        feed.and_then(|feed| feed.head()).map(|(epoch, seq)| Cursor { epoch, seq })
    }

    /// The users with connections here.
    pub fn users(&self) -> Vec<UserKey> {
        self.inner.shards.iter().flat_map(|shard| lock(shard).keys().cloned().collect::<Vec<_>>()).collect()
    }

    /// Whether the instance has an open connection of this user.
    pub fn has(&self, key: &UserKey) -> bool {
        self.shard(key).contains_key(key)
    }

    /// How many connections the user has here.
    pub fn connections_of(&self, key: &UserKey) -> usize {
        let feed = self.shard(key).get(key).cloned();
        feed.map_or(0, |feed| feed.members().len())
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::Relaxed)
    }

    /// Ends the connections that `concerns`; answers their number.
    pub fn end(&self, reason: EndReason, concerns: impl Fn(&Identity) -> bool) -> usize {
        let members: Vec<_> = self.members().into_iter().filter(|member| concerns(&member.identity())).collect();
        members.iter().for_each(|member| member.end(reason));
        members.len()
    }

    /// Ends all connections, a thousand a second or faster where `most` asks for it, so that the others are not stormed.
    pub async fn drain(&self, most: Duration) {
        let members = self.members();
        let time = most.min(DRAIN_STEP * u32::try_from(members.len().div_ceil(DRAIN_PACE)).unwrap_or(u32::MAX));
        let steps = (time.as_millis() / DRAIN_STEP.as_millis()).max(1);
        for group in members.chunks(members.len().div_ceil(steps as usize).max(1)) {
            group.iter().for_each(|member| member.end(EndReason::Draining));
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    /// Waits until no connection is open.
    pub async fn empty(&self) {
        while self.connections() > 0 {
            tokio::time::sleep(DRAIN_STEP / 10).await;
        }
    }

    /// Gives an open connection a fresh identity of the same user; false when it is not here.
    pub fn extend(&self, connection: Uuid, identity: &Identity) -> bool {
        let feed = self.shard(&identity.key).get(&identity.key).cloned();
        feed.is_some_and(|feed| feed.extend(connection, identity))
    }

    /// Drives every timer of the connections, until `stop`.
    pub async fn run_wheel(self, stop: CancellationToken) {
        self.inner.wheel.run(stop).await;
    }

    fn members(&self) -> Vec<Arc<Member>> {
        let feeds = |shard| lock::<HashMap<UserKey, Arc<Feed>>>(shard).values().cloned().collect::<Vec<_>>();
        self.inner.shards.iter().flat_map(feeds).flat_map(|feed| feed.members().to_vec()).collect()
    }

    fn shard(&self, key: &UserKey) -> MutexGuard<'_, HashMap<UserKey, Arc<Feed>>> {
        let index = self.inner.hasher.hash_one(key) as usize % SHARDS;
        lock(&self.inner.shards[index])
    }
}

/// A connection's membership of the hub; dropping it leaves.
pub struct Membership {
    hub: Hub,
    feed: Arc<Feed>,
    member: Arc<Member>,
    transport: Transport,
}

impl Membership {
    /// The settings of streams.
    pub fn settings(&self) -> &StreamSettings {
        &self.hub.inner.settings
    }

    /// The metrics of every frame.
    pub fn meters(&self) -> &Meters {
        &self.hub.inner.meters
    }

    /// The user's feed.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The connection's own handle.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The next signals that the connection has not got, if any, about `most_bytes` of them; it has got them then.
    pub fn take_signals(&self, most_bytes: usize) -> Option<Unread> {
        self.feed.take_signals(&self.member, most_bytes)
    }

    /// The connection wants no signals.
    pub fn refuse_signals(&self) {
        self.member.move_signals(signals::NEVER);
    }

    /// The user's topics, once they are known.
    pub async fn topics(&self) -> Vec<TopicKey> {
        let rooms = &self.hub.inner.rooms;
        rooms.in_sync(self.feed.key()).await;
        rooms.topics_of(self.feed.key())
    }

    /// Waits until the user's announcements come in, or the bus is known to be down.
    pub async fn subscribed(&self) {
        self.feed.subscribed().await;
    }

    /// Wakes the connection at about `at`, a quarter of a second late at most.
    pub fn wake_at(&self, at: Instant) {
        self.hub.inner.wheel.schedule(&self.member, at);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.hub.leave(&self.feed, &self.member, self.transport);
    }
}
