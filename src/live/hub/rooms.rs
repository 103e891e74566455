//! Rooms: the users of this instance that are subscribed to a topic, as far as this is known for sure.
//!
//! Nothing here reads the store: a user whose subscriptions are to be read waits in a set until the task that reads them takes the
//! user. The order of three steps keeps a removed member from a signal that was sent after the removal:
//!
//! 1. The room is opened, so the topic's channel is subscribed to, before the subscriptions are read.
//! 2. A user that is marked dirty while its subscriptions are read is read again, so a stale answer is never taken in.
//! 3. While the bus is broken the rooms are closed, because the message of a removal may have been lost. They open with no members.

mod state;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use self::state::State;
use super::{feed::Feed, throttle::Passage};
use crate::{
    domain::{
        lock::lock,
        signal::{Signal, TopicKey},
        user::UserKey,
    },
    metrics,
};

/// The feeds of a topic's subscribers on this instance.
pub(super) type Room = Arc<Vec<Arc<Feed>>>;

/// The rooms of this instance.
pub struct Rooms {
    /// A connect pushes here instead of waiting for the lock of the state, under which whole rooms are copied. The next user of the
    /// state takes the moves in; presence uses it every second, so the list stays short.
    moves: Mutex<Vec<Move>>,
    state: Mutex<State>,
    dirty: Notify,
    /// Notified when subscriptions were taken in.
    taken_in: watch::Sender<()>,
    /// Notified when an interval begins, which may end before the one that is waited for.
    held: Notify,
}

/// A connection began or ended.
struct Move {
    key: UserKey,
    /// It was the user's first or last.
    edge: bool,
}

impl Rooms {
    pub(super) fn new(open: bool) -> Self {
        let state = State { open, ..State::default() };
        let (moves, dirty, held) = Default::default();
        Self { moves, state: Mutex::new(state), dirty, taken_in: watch::channel(()).0, held }
    }

    /// Notes that a connection of the user began or ended, the first or the last where it is an `edge`.
    pub(super) fn note(&self, key: &UserKey, edge: bool) {
        lock(&self.moves).push(Move { key: key.clone(), edge });
        if edge {
            self.dirty.notify_one();
        }
    }

    /// The moves are taken under the lock of the state: of two users of the state, the later one sees all moves of the earlier.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        let moves = std::mem::take(&mut *lock(&self.moves));
        for Move { key, edge } in moves {
            if edge {
                state.waiting.insert(key.clone());
            }
            state.changed.insert(key);
        }
        state
    }

    /// Takes up to `most` of the users whose number of connections has changed.
    pub fn take_changed(&self, most: usize) -> Vec<UserKey> {
        let mut room = most;
        let fits = |_: &UserKey| {
            let fits = room > 0;
            room -= usize::from(fits);
            fits
        };
        self.state().changed.extract_if(fits).collect()
    }

    /// Puts users back for [`Self::take_changed`].
    pub fn note_changed(&self, users: Vec<UserKey>) {
        self.state().changed.extend(users);
    }

    /// Has a user's subscriptions read again: the user joined or left a topic.
    pub fn mark_dirty(&self, key: &UserKey) {
        self.state().waiting.insert(key.clone());
        self.dirty.notify_one();
    }

    /// Ends when a user waits.
    pub async fn dirty(&self) {
        self.dirty.notified().await;
    }

    /// Takes users whose subscriptions are to be read; each must be given to `join` or `give_back`.
    pub fn take(&self, most: usize) -> Vec<UserKey> {
        let mut state = self.state();
        let taken: Vec<_> = state.waiting.iter().take(most).cloned().collect();
        for key in &taken {
            state.waiting.remove(key);
            state.reading.insert(key.clone());
        }
        taken
    }

    /// Puts users back whose subscriptions could not be read.
    pub fn give_back(&self, keys: Vec<UserKey>) {
        let mut state = self.state();
        for key in keys {
            state.reading.remove(&key);
            state.waiting.insert(key);
        }
    }

    /// Waits until the user's subscriptions are in force here.
    pub async fn in_sync(&self, key: &UserKey) {
        let mut taken_in = self.taken_in.subscribe();
        while self.state().is_out_of_sync(key) {
            if taken_in.changed().await.is_err() {
                return;
            }
        }
    }

    /// The user's topics, as far as they are in force here.
    pub fn topics_of(&self, key: &UserKey) -> Vec<TopicKey> {
        self.state().users.get(key).map(|joined| joined.topics.clone()).unwrap_or_default()
    }

    /// The topics without a room yet, each once.
    pub fn unknown<'a>(&self, topics: impl Iterator<Item = &'a TopicKey>) -> Vec<TopicKey> {
        let state = self.state();
        let unknown: HashSet<_> = topics.filter(|topic| !state.rooms.contains_key(*topic)).collect();
        unknown.into_iter().cloned().collect()
    }

    /// Makes a room, once this instance receives every signal to the topic.
    pub fn open_room(&self, topic: TopicKey) {
        let mut state = self.state();
        state.rooms.entry(topic).or_default();
        state.measure();
    }

    /// Puts a user into the rooms of the topics that were read since it was taken; with no feed the user has left. A user that was
    /// marked dirty since, or has a topic without a room, is read again.
    pub(super) fn join(&self, key: &UserKey, feed: Option<Arc<Feed>>, topics: &[TopicKey]) {
        let mut state = self.state();
        state.reading.remove(key);
        // The subscriptions may have been read before the change that marked the user dirty.
        if state.waiting.contains(key) {
            return;
        }
        if state.is_joined(key, feed.as_ref(), topics) {
            return;
        }
        state.leave(key);
        if let Some(feed) = feed.filter(|_| !topics.is_empty()) {
            state.join(key, feed, topics);
            if topics.iter().any(|topic| !state.rooms.contains_key(topic)) {
                state.waiting.insert(key.clone());
                self.dirty.notify_one();
            }
        }
    }

    /// Wakes the callers of [`Self::in_sync`].
    pub fn notify_taken_in(&self) {
        self.taken_in.send_replace(());
    }

    /// Removes the empty rooms, once no user is dirty: the subscriptions of a user that is being read may name an empty room, which
    /// was opened for them.
    pub fn reap(&self) -> Vec<TopicKey> {
        let mut state = self.state();
        if !state.waiting.is_empty() || !state.reading.is_empty() {
            return Vec::new();
        }
        let reap = state.rooms.extract_if(|_, room| room.is_empty()).map(|(topic, _)| topic).collect();
        state.measure();
        reap
    }

    /// Takes users out of a room at once; they are read again all the same, because they may have come back.
    pub fn remove<'a>(&self, topic: &TopicKey, users: impl Iterator<Item = &'a UserKey>) {
        let mut state = self.state();
        for key in users {
            state.leave_room(key, topic);
            state.waiting.insert(key.clone());
        }
        self.dirty.notify_one();
    }

    /// Whether signals pass.
    pub fn is_open(&self) -> bool {
        self.state().open
    }

    /// Nothing passes until the rooms are opened again: removals may be missed.
    pub fn close(&self) {
        let mut state = self.state();
        state.open = false;
        state.throttle.clear();
    }

    /// Signals pass again, to those whose subscriptions are read from now on.
    pub(super) fn reopen(&self, users: Vec<UserKey>) {
        let mut state = self.state();
        state.open = true;
        state.users.clear();
        state.rooms.values_mut().for_each(|room| *room = Room::default());
        state.waiting.extend(users);
        self.dirty.notify_one();
    }

    /// The members of a room; none while they are not known for sure.
    pub(super) fn members(&self, topic: &TopicKey) -> Option<Room> {
        let state = self.state();
        if !state.open {
            ::metrics::counter!(metrics::SIGNALS_DROPPED, "reason" => "doubt").increment(1);
            return None;
        }
        state.rooms.get(topic).cloned()
    }

    /// The signal, if it may go now; otherwise it goes at the end of its subject's interval, unless a newer one replaces it.
    pub(super) fn admit(&self, signal: Signal) -> Option<Signal> {
        let paced = !signal.interval.is_zero();
        match self.state().throttle.offer(signal, Instant::now()) {
            Passage::Now(signal) => {
                if paced {
                    self.held.notify_one();
                }
                Some(signal)
            }
            Passage::Later => None,
            Passage::Dropped => {
                ::metrics::counter!(metrics::SIGNALS_DROPPED, "reason" => "throttle").increment(1);
                None
            }
        }
    }

    /// Waits for the end of an interval and answers the signals that were held until then.
    pub(super) async fn held(&self) -> Vec<Signal> {
        loop {
            let next = self.state().throttle.next_end();
            match next {
                Some(end) if end <= Instant::now() => return self.state().throttle.due(Instant::now()),
                Some(end) => tokio::select! {
                    () = tokio::time::sleep_until(end) => {}
                    () = self.held.notified() => {}
                },
                None => self.held.notified().await,
            }
        }
    }
}
