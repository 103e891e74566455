//! The way of signals through the hub: who is in the rooms, and what is handed to whom when.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Hub, rooms::Room};
use crate::{
    bus::Left,
    domain::{
        signal::{Address, Signal, TopicKey},
        user::{UserId, UserKey},
    },
};

/// Feeds of a room that one task rings: a larger room's are rung by several tasks side by side.
const RUNG_TOGETHER: usize = 128;

impl Hub {
    /// Puts a user into the rooms of these topics, as they were read after [`super::Rooms::take`].
    pub fn join_rooms(&self, key: &UserKey, topics: &[TopicKey]) {
        let feed = self.shard(key).get(key).cloned();
        self.inner.rooms.join(key, feed, topics);
    }

    /// Lets signals pass again after [`super::Rooms::close`], when everybody's subscriptions have been read anew.
    pub fn reopen_rooms(&self) {
        self.inner.rooms.reopen(self.users());
    }

    /// Takes users out of a room: no signal that comes later is for them.
    pub fn leave_room(&self, left: &Left) {
        let key = |user: &UserId| UserKey { tenant: left.topic.tenant.clone(), user: user.clone() };
        let here: Vec<_> = left.users.iter().map(key).filter(|key| self.has(key)).collect();
        self.inner.rooms.remove(&left.topic, here.iter());
    }

    /// Hands a signal to the connections that it is for, now or at the end of its subject's interval.
    pub fn signal(&self, signal: Signal) {
        if let Some(signal) = self.inner.rooms.admit(signal) {
            self.hand_out(signal);
        }
    }

    /// Hands out held signals when their intervals end, until told to stop.
    pub async fn run_throttle(self, stop: CancellationToken) {
        while let Some(held) = stop.run_until_cancelled(self.inner.rooms.held()).await {
            held.into_iter().for_each(|signal| self.hand_out(signal));
        }
    }

    fn hand_out(&self, signal: Signal) {
        let most = self.inner.settings.signal_ring;
        match &signal.subject.to {
            Address::User(key) => {
                let feed = self.shard(key).get(key).cloned();
                if let Some(feed) = feed {
                    feed.take_signal(&Arc::new(signal), most);
                    feed.ring_for_signals();
                }
            }
            Address::Topic(topic) => {
                let Some(room) = self.inner.rooms.members(topic) else { return };
                let signal = Arc::new(signal);
                room.iter().for_each(|feed| feed.take_signal(&signal, most));
                ring_room(room);
            }
        }
    }
}

/// Rings a room whose feeds have taken a signal, and must be called without any lock: a ring may write to a socket. Only
/// this is spread over the runtime's threads: what is taken in keeps its order.
fn ring_room(room: Room) {
    let runtime = Handle::try_current().ok().filter(|_| room.len() > RUNG_TOGETHER);
    let Some(runtime) = runtime else { return room.iter().for_each(|feed| feed.ring_for_signals()) };
    for first in (0..room.len()).step_by(RUNG_TOGETHER) {
        let room = room.clone();
        runtime.spawn(async move {
            room.iter().skip(first).take(RUNG_TOGETHER).for_each(|feed| feed.ring_for_signals());
        });
    }
}
