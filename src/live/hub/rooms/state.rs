//! What the rooms are made of: who waits to be seated, who is_joined where.

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

#[derive(Default)]
pub(super) struct State {
    pub(super) open: bool,
    /// Whose number of connections has changed since it was last asked for.
    pub(super) changed: HashSet<UserKey>,
    /// Whose subscriptions are to be read.
    pub(super) waiting: HashSet<UserKey>,
    /// Whose subscriptions are being read.
    pub(super) reading: HashSet<UserKey>,
    /// Only those with subscriptions: most users have none.
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

    /// Whether the user is_joined already where it is to join_feed.
    pub(super) fn is_joined(&self, key: &UserKey, feed: Option<&Arc<Feed>>, topics: &[TopicKey]) -> bool {
        let seated = self.users.get(key);
        seated.is_some_and(|seated| seated.topics == topics && feed.is_some_and(|feed| Arc::ptr_eq(feed, &seated.feed)))
    }

    pub(super) fn join(&mut self, key: &UserKey, feed: Arc<Feed>, topics: &[TopicKey]) {
        let mut taken = Vec::with_capacity(topics.len());
        for topic in topics {
            if let Some(room) = self.rooms.get_mut(topic) {
                Arc::make_mut(room).push(feed.clone());
                taken.push(topic.clone());
            }
        }
        self.users.insert(key.clone(), Joined { feed, topics: taken });
    }

    pub(super) fn leave(&mut self, key: &UserKey) {
        let Some(Joined { feed, topics }) = self.users.remove(key) else { return };
        for topic in topics {
            take_out(self.rooms.get_mut(&topic), &feed);
        }
    }

    pub(super) fn leave_room(&mut self, key: &UserKey, topic: &TopicKey) {
        let Some(Joined { feed, topics }) = self.users.get_mut(key) else { return };
        topics.retain(|known| known != topic);
        take_out(self.rooms.get_mut(topic), feed);
    }

    pub(super) fn measure(&self) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        ::metrics::gauge!(metrics::ROOMS).set(self.rooms.len() as f64);
    }
}

fn take_out(room: Option<&mut Room>, feed: &Arc<Feed>) {
    let Some(room) = room else { return };
    if let Some(place) = room.iter().position(|member| Arc::ptr_eq(member, feed)) {
        Arc::make_mut(room).swap_remove(place);
    }
}
