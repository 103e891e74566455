//! Which topics the users of this instance are subscribed to, as far as that is known for sure.
//!
//! Nothing here asks anybody: users whose subscriptions are to be read wait in a set until the task that reads them takes
//! them. A user who comes and goes while they are read is read again, so a stale answer is never taken in. While the bus
//! is broken the rooms are closed: a member may have been removed without this instance having heard of it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    feed::Feed,
    guard,
    throttle::{Passage, Throttle},
};
use crate::{
    metrics,
    notification::UserKey,
    signal::{Signal, TopicKey},
};

/// The feeds of a topic's subscribers here.
pub(super) type Room = Arc<Vec<Arc<Feed>>>;

/// The rooms of this instance.
pub struct Rooms {
    state: Mutex<State>,
    touched: Notify,
    /// Rung when subscriptions were taken in.
    turns: watch::Sender<()>,
    /// Rung when something may have to go earlier than what was waited for.
    held: Notify,
}

#[derive(Default)]
struct State {
    open: bool,
    /// Whose subscriptions are to be read.
    waiting: HashSet<UserKey>,
    /// Whose subscriptions are being read.
    reading: HashSet<UserKey>,
    /// Only those with subscriptions: most users have none.
    users: HashMap<UserKey, Seated>,
    rooms: HashMap<TopicKey, Room>,
    throttle: Throttle,
}

struct Seated {
    feed: Arc<Feed>,
    topics: Vec<TopicKey>,
}

impl Rooms {
    pub(super) fn new(open: bool) -> Self {
        let state = State { open, ..State::default() };
        Self { state: Mutex::new(state), touched: Notify::new(), turns: watch::channel(()).0, held: Notify::new() }
    }

    /// Has a user's subscriptions read (again): the user came, went, joined or left a topic.
    pub fn touch(&self, key: &UserKey) {
        guard(&self.state).waiting.insert(key.clone());
        self.touched.notify_one();
    }

    /// Ends when a user waits.
    pub async fn touched(&self) {
        self.touched.notified().await;
    }

    /// Takes users whose subscriptions are to be read; each must be given to `seat` or `give_back`.
    pub fn take(&self, most: usize) -> Vec<UserKey> {
        let mut state = guard(&self.state);
        let taken: Vec<_> = state.waiting.iter().take(most).cloned().collect();
        for key in &taken {
            state.waiting.remove(key);
            state.reading.insert(key.clone());
        }
        taken
    }

    /// Puts users back whose subscriptions could not be read.
    pub fn give_back(&self, keys: Vec<UserKey>) {
        let mut state = guard(&self.state);
        for key in keys {
            state.reading.remove(&key);
            state.waiting.insert(key);
        }
    }

    /// Waits until the user's subscriptions are in force here.
    pub async fn settled(&self, key: &UserKey) {
        let mut turns = self.turns.subscribe();
        while guard(&self.state).is_unsettled(key) {
            if turns.changed().await.is_err() {
                return;
            }
        }
    }

    /// The user's topics, as far as they are in force here.
    pub fn topics_of(&self, key: &UserKey) -> Vec<TopicKey> {
        guard(&self.state).users.get(key).map(|seated| seated.topics.clone()).unwrap_or_default()
    }

    /// Those of the topics that have no room yet, each once.
    pub fn unknown<'a>(&self, topics: impl Iterator<Item = &'a TopicKey>) -> Vec<TopicKey> {
        let state = guard(&self.state);
        let unknown: HashSet<_> = topics.filter(|topic| !state.rooms.contains_key(*topic)).collect();
        unknown.into_iter().cloned().collect()
    }

    /// Makes a room: everything that is sent to the topic is heard from now on.
    pub fn furnish(&self, topic: TopicKey) {
        let mut state = guard(&self.state);
        state.rooms.entry(topic).or_default();
        state.measure();
    }

    /// Seats a user by what was read since it was taken; with no feed the user has left. Somebody who was touched since,
    /// or has a topic without a room, is read again.
    pub(super) fn seat(&self, key: &UserKey, feed: Option<Arc<Feed>>, topics: &[TopicKey]) {
        let mut state = guard(&self.state);
        state.reading.remove(key);
        if state.waiting.contains(key) {
            return;
        }
        if state.sits(key, feed.as_ref(), topics) {
            return;
        }
        state.unseat(key);
        if let Some(feed) = feed.filter(|_| !topics.is_empty()) {
            state.seat(key, feed, topics);
            if topics.iter().any(|topic| !state.rooms.contains_key(topic)) {
                state.waiting.insert(key.clone());
                self.touched.notify_one();
            }
        }
    }

    /// Lets those go who wait for what was taken in.
    pub fn end_turn(&self) {
        self.turns.send_replace(());
    }

    /// Takes down the rooms where nobody is, once all that was touched is seated.
    pub fn deserted(&self) -> Vec<TopicKey> {
        let mut state = guard(&self.state);
        if !state.waiting.is_empty() || !state.reading.is_empty() {
            return Vec::new();
        }
        let deserted = state.rooms.extract_if(|_, room| room.is_empty()).map(|(topic, _)| topic).collect();
        state.measure();
        deserted
    }

    /// Takes users out of a room at once; they are read again all the same, for they may have come back.
    pub fn remove<'a>(&self, topic: &TopicKey, users: impl Iterator<Item = &'a UserKey>) {
        let mut state = guard(&self.state);
        for key in users {
            state.unseat_from(key, topic);
            state.waiting.insert(key.clone());
        }
        self.touched.notify_one();
    }

    /// Whether signals pass.
    pub fn is_open(&self) -> bool {
        guard(&self.state).open
    }

    /// Nothing passes until the rooms are opened again: removals may be missed.
    pub fn close(&self) {
        let mut state = guard(&self.state);
        state.open = false;
        state.throttle.clear();
    }

    /// Signals pass again, to those whose subscriptions are read from now on.
    pub(super) fn reopen(&self, users: Vec<UserKey>) {
        let mut state = guard(&self.state);
        state.open = true;
        state.users.clear();
        state.rooms.values_mut().for_each(|room| *room = Room::default());
        state.waiting.extend(users);
        self.touched.notify_one();
    }

    /// Whoever is in a room; none while it is not known for sure who is.
    pub(super) fn members(&self, topic: &TopicKey) -> Option<Room> {
        let state = guard(&self.state);
        if !state.open {
            ::metrics::counter!(metrics::SIGNALS_DROPPED, "reason" => "doubt").increment(1);
            return None;
        }
        state.rooms.get(topic).cloned()
    }

    /// The signal, if it may go now; else what becomes of it shows at the end of its interval.
    pub(super) fn admit(&self, signal: Signal) -> Option<Signal> {
        if signal.interval.is_zero() {
            return Some(signal);
        }
        match guard(&self.state).throttle.offer(signal, Instant::now()) {
            Passage::Now(signal) => {
                self.held.notify_one();
                Some(signal)
            }
            Passage::Later => None,
            Passage::Dropped => {
                ::metrics::counter!(metrics::SIGNALS_DROPPED, "reason" => "throttle").increment(1);
                None
            }
        }
    }

    /// Waits for the end of an interval and answers what was held until then.
    pub(super) async fn held(&self) -> Vec<Signal> {
        loop {
            let next = guard(&self.state).throttle.next_end();
            match next {
                Some(end) if end <= Instant::now() => return guard(&self.state).throttle.due(Instant::now()),
                Some(end) => tokio::select! {
                    () = tokio::time::sleep_until(end) => {}
                    () = self.held.notified() => {}
                },
                None => self.held.notified().await,
            }
        }
    }
}

impl State {
    fn is_unsettled(&self, key: &UserKey) -> bool {
        self.waiting.contains(key) || self.reading.contains(key)
    }

    /// Whether the user sits already where it is to sit.
    fn sits(&self, key: &UserKey, feed: Option<&Arc<Feed>>, topics: &[TopicKey]) -> bool {
        let seated = self.users.get(key);
        seated.is_some_and(|seated| seated.topics == topics && feed.is_some_and(|feed| Arc::ptr_eq(feed, &seated.feed)))
    }

    fn seat(&mut self, key: &UserKey, feed: Arc<Feed>, topics: &[TopicKey]) {
        let mut taken = Vec::with_capacity(topics.len());
        for topic in topics {
            if let Some(room) = self.rooms.get_mut(topic) {
                Arc::make_mut(room).push(feed.clone());
                taken.push(topic.clone());
            }
        }
        self.users.insert(key.clone(), Seated { feed, topics: taken });
    }

    fn unseat(&mut self, key: &UserKey) {
        let Some(Seated { feed, topics }) = self.users.remove(key) else { return };
        for topic in topics {
            take_out(self.rooms.get_mut(&topic), &feed);
        }
    }

    fn unseat_from(&mut self, key: &UserKey, topic: &TopicKey) {
        let Some(Seated { feed, topics }) = self.users.get_mut(key) else { return };
        topics.retain(|known| known != topic);
        take_out(self.rooms.get_mut(topic), feed);
    }

    fn measure(&self) {
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
