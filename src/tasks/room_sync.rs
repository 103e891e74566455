//! Keeps the hub's rooms in line with the subscriptions of who is connected here: reads those of many users by one query,
//! and follows a topic's channel while one of them is subscribed to it.

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
pub struct RoomSync {
    hub: Hub,
    store: Store,
    bus: Bus,
    interval: Duration,
}

impl RoomSync {
    /// Reads everybody's subscriptions anew every `interval`, so that what nobody told shows in time.
    pub fn new(hub: Hub, store: Store, bus: Bus, interval: Duration) -> Self {
        Self { hub, store, bus, interval }
    }

    /// Keeps them until told to stop.
    pub async fn run(self, stop: CancellationToken) {
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

    /// Seats everybody who waits.
    async fn work(&self) {
        let rooms = self.hub.rooms();
        // While the bus is down nothing passes, and its return has everybody read anew.
        while rooms.is_open() {
            let users = rooms.take(USERS);
            if users.is_empty() {
                break;
            }
            if self.join(&users).await.is_err() {
                rooms.give_back(users);
                sleep(PAUSE).await;
            }
            rooms.end_turn();
        }
        rooms.reap().iter().for_each(|topic| self.bus.unfollow(topic));
    }

    async fn join(&self, users: &[UserKey]) -> Result<(), Unavailable> {
        let mut found = self.store.topics_of(users).await?;
        if self.open_room(&found).await {
            // A removal between the reading and the following of the channel was not heard: only what is read now counts.
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
