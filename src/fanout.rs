//! Tells of changes: first the connections of this instance, then the other instances.

use crate::{
    bus::{Announcement, Bus},
    frame::Frame,
    hub::{Hub, Origin},
    notification::UserKey,
    store::{Changed, Head},
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
        })
    }
}

impl From<Head> for Announcement {
    fn from(head: Head) -> Self {
        Self { key: head.key, epoch: head.epoch, head: head.seq, frames: Vec::new(), published_at: 0 }
    }
}
