//! Announces changes: first to the connections of this instance, then to the other instances.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::{
    bus::{Announcement, Arrival, Arrivals, Bus, Joined},
    domain::{audience::Reason, cursor::Cursor, user::UserKey},
    frame::{self, Frame},
    live::hub::{Hub, Origin},
    store::{Changed, Chunk, Head, Reached, Stamped, SubscriptionChange},
};

/// Most items of one change of state that are carried to other instances; a larger one they read from the log.
const CARRIED: usize = 1_000;

/// The path from a committed change to the connections of its user; cheap to clone.
#[derive(Clone)]
pub struct Announcer {
    hub: Hub,
    bus: Bus,
    begun: Arc<Notify>,
}

impl Announcer {
    /// Over this hub and this bus.
    pub fn new(hub: Hub, bus: Bus) -> Self {
        Self { hub, bus, begun: Arc::default() }
    }

    /// Announces committed changes; neither waits nor fails, because the head check finds a lost announcement.
    pub fn announce(&self, announcements: Vec<Announcement>) {
        if announcements.is_empty() {
            return;
        }
        for announcement in &announcements {
            // Most users of a large publish have no connection here: only frames for those who do are shared.
            if self.hub.has(&announcement.key) {
                self.hub.deliver(announcement.clone(), Origin::Local);
            }
        }
        self.bus.announce(announcements);
    }

    /// Announces the heads of inboxes: the changes up to them are read from the log.
    pub fn announce_heads(&self, heads: Vec<Head>) {
        self.announce(heads.into_iter().map(Announcement::from).collect());
    }

    /// Announces one chunk of a fan-out: one message for all other instances.
    pub fn announce_chunk(&self, chunk: Chunk) {
        let arrivals = Arrivals::from(chunk);
        if !arrivals.rows.is_empty() {
            self.deliver_arrivals(&arrivals, Origin::Local);
            self.bus.send_arrivals(arrivals);
        }
    }

    /// Delivers arrivals to their users' connections on this instance; frames are rendered for no other users.
    pub fn deliver_arrivals(&self, arrivals: &Arrivals, origin: Origin) {
        // There are none when the notification was too large for a message of the bus: it is then read from the log.
        let mut frames = arrivals.notification.as_deref().map(|published| {
            frame::Arrivals::of(published.id, &published.content, published.created_at, published.expires_at)
        });
        for row in &arrivals.rows {
            let key = UserKey { tenant: arrivals.tenant.clone(), user: row.user.clone() };
            if self.hub.has(&key) {
                let frame = frames.as_mut().map(|frames| {
                    let reason = row.topic.clone().map_or(Reason::Everyone, Reason::Topic);
                    frames.frame(&reason, row.decision, &row.epoch, row.seq, row.unread)
                });
                self.hub.deliver(Announcement::of_arrival(key, row, frame), origin);
            }
        }
    }

    /// Notes that a fan-out began here, so that the fan-out worker need not wait for its next look.
    pub fn note_begun(&self) {
        self.begun.notify_one();
    }

    /// Ends when a fan-out has begun since the last call.
    pub async fn begun(&self) {
        self.begun.notified().await;
    }

    /// Announces a change of state.
    pub fn announce_change(&self, key: &UserKey, changed: &Changed) {
        self.announce(Announcement::of_change(key, changed).into_iter().collect());
    }

    /// Announces changes of subscriptions.
    pub fn announce_subscriptions(&self, changes: &[SubscriptionChange]) {
        self.announce(changes.iter().map(Announcement::of_subscription).collect());
    }

    /// Announces a change of the user's preferences.
    pub fn announce_preferences(&self, key: &UserKey, stamped: &Stamped) {
        let frame = Frame::settings(&stamped.cursor, stamped.unread);
        self.announce(vec![Announcement::of_account(key, stamped, frame)]);
    }
}

impl Announcement {
    fn of_arrival(key: UserKey, row: &Arrival, frame: Option<Frame>) -> Self {
        // A fan-out takes its time, so it does not count among the times of publishes.
        Self::new(key, Cursor { epoch: row.epoch.clone(), seq: row.seq }, frame.into_iter().collect())
    }

    /// Of a change of state; none when it changed nothing.
    pub fn of_change(key: &UserKey, changed: &Changed) -> Option<Self> {
        if changed.rows.is_empty() {
            return None;
        }
        let carried = changed.rows.len() <= CARRIED;
        let frames =
            if carried { vec![Frame::state(&changed.cursor, &changed.rows, changed.unread)] } else { Vec::new() };
        Some(Self::new(key.clone(), changed.cursor.clone(), frames))
    }

    fn of_subscription(SubscriptionChange { key, stamped, subscription }: &SubscriptionChange) -> Self {
        let frame = Frame::subscription(&stamped.cursor, subscription, stamped.unread);
        let joined = Joined { topic: subscription.topic.clone(), subscribed: subscription.subscribed };
        Self { subscription: Some(joined), ..Self::of_account(key, stamped, frame) }
    }

    fn of_account(key: &UserKey, stamped: &Stamped, frame: Frame) -> Self {
        Self::new(key.clone(), stamped.cursor.clone(), vec![frame])
    }
}

impl From<Chunk> for Arrivals {
    fn from(chunk: Chunk) -> Self {
        let topics: Vec<_> = chunk.topics.iter().map(|topic| topic.parse().ok()).collect();
        let arrival = |reached: Reached| Arrival {
            user: reached.user,
            epoch: reached.placed.epoch,
            seq: reached.placed.seq,
            unread: reached.placed.unread,
            decision: reached.placed.decision,
            topic: reached.topic.and_then(|ordinal| topics.get(ordinal).cloned().flatten()),
        };
        Self {
            tenant: chunk.tenant,
            rows: chunk.reached.into_iter().map(arrival).collect(),
            // A chunk with more than plain new items is read from the log.
            notification: chunk.is_plain.then(|| Arc::new(chunk.notification)),
        }
    }
}

impl From<Head> for Announcement {
    fn from(Head { key, epoch, seq }: Head) -> Self {
        Self::new(key, Cursor { epoch, seq }, Vec::new())
    }
}
