//! Tells of changes: first the connections of this instance, then the other instances.

use crate::{
    bus::{Announcement, Bus, Joined},
    frame::Frame,
    hub::{Hub, Origin},
    notification::UserKey,
    store::{Changed, Head, Stamped, SubscriptionChange},
};

/// Most items of one change of state that are carried to other instances; a larger one they read from the log.
const CARRIED: usize = 1_000;

/// The way from a committed change to whoever must hear of it; cheap to clone.
#[derive(Clone)]
pub struct Fanout {
    hub: Hub,
    bus: Bus,
}

impl Fanout {
    /// Over this hub and this bus.
    pub fn new(hub: Hub, bus: Bus) -> Self {
        Self { hub, bus }
    }

    /// Tells of committed changes; neither waits nor fails, for the head check finds what is lost.
    pub fn tell(&self, announcements: Vec<Announcement>) {
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

    /// Tells of a change of state.
    pub fn tell_change(&self, key: &UserKey, changed: &Changed) {
        self.tell(Announcement::of_change(key, changed).into_iter().collect());
    }

    /// Tells users of changes of their subscriptions.
    pub fn tell_subscriptions(&self, changes: &[SubscriptionChange]) {
        self.tell(changes.iter().map(Announcement::of_subscription).collect());
    }

    /// Tells of a change of the user's settings.
    pub fn tell_settings(&self, key: &UserKey, stamped: &Stamped) {
        let frame = Frame::settings(&stamped.cursor, stamped.unread);
        self.tell(vec![Announcement::of_account(key, stamped, frame)]);
    }
}

impl Announcement {
    /// Of a change of state; none when it changed nothing.
    pub fn of_change(key: &UserKey, changed: &Changed) -> Option<Self> {
        if changed.rows.is_empty() {
            return None;
        }
        let carried = changed.rows.len() <= CARRIED;
        let frames =
            if carried { vec![Frame::state(&changed.cursor, &changed.rows, changed.unread)] } else { Vec::new() };
        Some(Self {
            key: key.clone(),
            epoch: changed.cursor.epoch.clone(),
            head: changed.cursor.seq,
            frames,
            published_at: 0,
            subscription: None,
        })
    }

    fn of_subscription(SubscriptionChange { key, stamped, subscription }: &SubscriptionChange) -> Self {
        let frame = Frame::subscription(&stamped.cursor, subscription, stamped.unread);
        let joined = Joined { topic: subscription.topic.clone(), subscribed: subscription.subscribed };
        Self { subscription: Some(joined), ..Self::of_account(key, stamped, frame) }
    }

    fn of_account(key: &UserKey, stamped: &Stamped, frame: Frame) -> Self {
        Self {
            key: key.clone(),
            epoch: stamped.cursor.epoch.clone(),
            head: stamped.cursor.seq,
            frames: vec![frame],
            published_at: 0,
            subscription: None,
        }
    }
}

impl From<Head> for Announcement {
    fn from(head: Head) -> Self {
        Self {
            key: head.key,
            epoch: head.epoch,
            head: head.seq,
            frames: Vec::new(),
            published_at: 0,
            subscription: None,
        }
    }
}
