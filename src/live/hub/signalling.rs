//! The path of signals through the hub: from rooms and users to their feeds, at most once per interval.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Hub, feed::Feed, ringing::ring_all};
use crate::{
    bus::Left,
    domain::{
        signal::{Address, Signal, TopicKey},
        user::{UserId, UserKey},
    },
};

impl Hub {
    /// Puts a user into the rooms of these topics, as they were read after [`super::Rooms::take`].
    pub fn join_rooms(&self, key: &UserKey, topics: &[TopicKey]) {
        let feed = self.shard(key).get(key).cloned();
        self.inner.rooms.join(key, feed, topics);
    }

    /// Lets signals pass again after [`super::Rooms::close`], when the subscriptions of all users have been read again.
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

    /// Hands out held signals when their intervals end, until `stop`.
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
                // Every feed has the signal before any is rung: only the ringing is spread, so signals keep their order.
                ring_all(room, Feed::ring_for_signals);
            }
        }
    }
}
