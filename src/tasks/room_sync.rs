//! Keeps the hub's rooms in sync with the subscriptions of the users connected here. It reads those of many users by one query, and
//! follows a topic's channel while a connected user is subscribed to the topic.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{
    bus::Bus,
    domain::{signal::TopicKey, user::UserKey},
    live::hub::Hub,
    store::{Store, Unavailable},
};

/// Users of one query.
const USERS: usize = 500;
/// Pause after the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the rooms.
pub(crate) struct RoomSync {
    hub: Hub,
    store: Store,
    bus: Bus,
    interval: Duration,
}

impl RoomSync {
    /// Reads all subscriptions again every `interval`: the longest time that a lost announcement of a change costs.
    pub(crate) fn new(hub: Hub, store: Store, bus: Bus, interval: Duration) -> Self {
        Self { hub, store, bus, interval }
    }

    /// Keeps them in sync until the stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut refresh = Instant::now() + self.interval;
        loop {
            tokio::select! {
                () = self.hub.rooms().dirty() => {}
                () = sleep_until(refresh) => {
                    self.hub.users().iter().for_each(|key| self.hub.rooms().mark_dirty(key));
                    refresh = Instant::now() + self.interval;
                }
                () = stop.cancelled() => return,
            }
            if stop.run_until_cancelled(self.work()).await.is_none() {
                return;
            }
        }
    }

    /// Joins dirty users to their rooms.
    async fn work(&self) {
        let rooms = self.hub.rooms();
        // While the bus is down rooms are closed, and its return marks all users dirty.
        while rooms.is_open() {
            let users = rooms.take(USERS);
            if users.is_empty() {
                break;
            }
            if self.join(&users).await.is_err() {
                rooms.give_back(users);
                sleep(PAUSE).await;
            }
            rooms.notify_taken_in();
        }
        rooms.reap().iter().for_each(|topic| self.bus.unfollow(topic));
    }

    async fn join(&self, users: &[UserKey]) -> Result<(), Unavailable> {
        let mut found = self.store.topics_of(users).await?;
        if self.open_room(&found).await {
            // A removal between the reading and the following of a channel was not received: a second reading includes it.
            found = self.store.topics_of(users).await?;
        }
        for key in users {
            self.hub.join_rooms(key, found.get(key).map_or(&[], Vec::as_slice));
        }
        Ok(())
    }

    /// Makes rooms for topics that have none here; whether there were any.
    async fn open_room(&self, found: &HashMap<UserKey, Vec<TopicKey>>) -> bool {
        let unknown = self.hub.rooms().unknown(found.values().flatten());
        join_all(unknown.iter().map(|topic| self.bus.follow(topic))).await;
        for topic in &unknown {
            if self.bus.follows(topic) {
                self.hub.rooms().open_room(topic.clone());
            } else {
                self.bus.unfollow(topic);
            }
        }
        !unknown.is_empty()
    }
}
