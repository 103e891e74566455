//! The state of the rooms: users that are to be read, and users that have joined rooms.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::Room;
use crate::{
    domain::{signal::TopicKey, user::UserKey},
    live::hub::{feed::Feed, throttle::Throttle},
    metrics,
};

/// `State::check` asserts these rules between two uses of the lock:
///
/// - A user's feed is once in the room of each of its topics, and each of these rooms exists.
/// - A room has no other feeds.
/// - A user has each topic once.
#[derive(Default)]
pub(super) struct State {
    pub(super) open: bool,
    /// Users whose number of connections has changed since it was last asked for.
    pub(super) changed: HashSet<UserKey>,
    /// Users whose subscriptions are to be read.
    pub(super) waiting: HashSet<UserKey>,
    /// Users whose subscriptions are being read; one that is in `waiting` as well was marked dirty meanwhile.
    pub(super) reading: HashSet<UserKey>,
    /// Only users with subscriptions: most have none.
    pub(super) users: HashMap<UserKey, Joined>,
    pub(super) rooms: HashMap<TopicKey, Room>,
    pub(super) throttle: Throttle,
}

pub(super) struct Joined {
    feed: Arc<Feed>,
    pub(super) topics: Vec<TopicKey>,
}

impl State {
    pub(super) fn is_out_of_sync(&self, key: &UserKey) -> bool {
        self.waiting.contains(key) || self.reading.contains(key)
    }

    /// Whether the user has joined these rooms already, with this feed.
    pub(super) fn is_joined(&self, key: &UserKey, feed: Option<&Arc<Feed>>, topics: &[TopicKey]) -> bool {
        let joined = self.users.get(key);
        joined.is_some_and(|joined| joined.topics == topics && feed.is_some_and(|feed| Arc::ptr_eq(feed, &joined.feed)))
    }

    pub(super) fn join(&mut self, key: &UserKey, feed: Arc<Feed>, topics: &[TopicKey]) {
        let mut joined = Vec::with_capacity(topics.len());
        for topic in topics {
            if let Some(room) = self.rooms.get_mut(topic) {
                Arc::make_mut(room).push(feed.clone());
                joined.push(topic.clone());
            }
        }
        let before = self.users.insert(key.clone(), Joined { feed, topics: joined });
        debug_assert!(before.is_none(), "a user leaves its rooms before it joins others");
    }

    pub(super) fn leave(&mut self, key: &UserKey) {
        let Some(Joined { feed, topics }) = self.users.remove(key) else { return };
        for topic in topics {
            let left = take_out(self.rooms.get_mut(&topic), &feed);
            debug_assert!(left, "a user is in the room of each of its topics");
        }
    }

    pub(super) fn leave_room(&mut self, key: &UserKey, topic: &TopicKey) {
        let Some(Joined { feed, topics }) = self.users.get_mut(key) else { return };
        topics.retain(|known| known != topic);
        take_out(self.rooms.get_mut(topic), feed);
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        for (key, Joined { feed, topics }) in &self.users {
            assert_eq!(topics.len(), topics.iter().collect::<HashSet<_>>().len(), "{key:?} has each topic once");
            for topic in topics {
                let room = self.rooms.get(topic).expect("a room for each topic");
                assert_eq!(room.iter().filter(|member| Arc::ptr_eq(member, feed)).count(), 1, "{key:?} in {topic:?}");
            }
        }
        let in_rooms: usize = self.rooms.values().map(|room| room.len()).sum();
        let of_users: usize = self.users.values().map(|joined| joined.topics.len()).sum();
        assert_eq!(in_rooms, of_users, "a room has a feed that no user explains");
        self.throttle.check();
    }

    pub(super) fn measure(&self) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        ::metrics::gauge!(metrics::ROOMS).set(self.rooms.len() as f64);
    }
}

/// False when the feed was not in the room.
fn take_out(room: Option<&mut Room>, feed: &Arc<Feed>) -> bool {
    let Some(room) = room else { return false };
    let Some(index) = room.iter().position(|member| Arc::ptr_eq(member, feed)) else { return false };
    Arc::make_mut(room).swap_remove(index);
    true
}
