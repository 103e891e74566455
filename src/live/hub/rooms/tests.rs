//! The rooms against a model of the store's subscriptions.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::ready,
};

use futures_util::FutureExt as _;
use proptest::{collection::vec, prelude::*};

use super::*;

const USERS: usize = 4;
const TOPICS: usize = 3;

#[derive(Debug, Clone)]
enum Event {
    /// The first connection of a user begins, or its last one ends.
    Move(usize),
    /// The store changes a user's subscription; with `announced` the instance learns of it.
    Change {
        user: usize,
        topic: usize,
        announced: bool,
    },
    /// The message that a user lost a topic.
    Remove {
        user: usize,
        topic: usize,
    },
    /// The task takes users and reads their subscriptions.
    Read(usize),
    /// It puts them into their rooms, or could not read them.
    Join {
        fails: bool,
    },
    Reap,
    Close,
    Reopen,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let (user, topic) = (0..USERS, 0..TOPICS);
    let event = prop_oneof![
        3 => user.clone().prop_map(Event::Move),
        4 => (user.clone(), topic.clone(), prop::bool::weighted(0.8))
            .prop_map(|(user, topic, announced)| Event::Change { user, topic, announced }),
        2 => (user, topic).prop_map(|(user, topic)| Event::Remove { user, topic }),
        5 => (1..USERS).prop_map(Event::Read),
        5 => prop::bool::weighted(0.1).prop_map(|fails| Event::Join { fails }),
        1 => Just(Event::Reap),
        1 => Just(Event::Close),
        1 => Just(Event::Reopen),
    ];
    vec(event, 0..100)
}

fn key(user: usize) -> UserKey {
    UserKey { tenant: "t".parse().unwrap(), user: format!("u{user}").parse().unwrap() }
}

fn topic(number: usize) -> TopicKey {
    TopicKey { tenant: "t".parse().unwrap(), topic: format!("team:{number}").parse().unwrap() }
}

struct World {
    rooms: Rooms,
    /// Users with connections.
    feeds: BTreeMap<usize, Arc<Feed>>,
    /// The store.
    subscribed: BTreeSet<(usize, usize)>,
    /// The subscriptions that the task has read and not passed on yet.
    read: Vec<(UserKey, Vec<TopicKey>)>,
}

impl World {
    fn new() -> Self {
        Self { rooms: Rooms::new(true), feeds: BTreeMap::new(), subscribed: BTreeSet::new(), read: Vec::new() }
    }

    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Move(user) => {
                if self.feeds.remove(&user).is_none() {
                    self.feeds.insert(user, Arc::new(Feed::new(key(user), ready(()).boxed().shared(), 4, 100)));
                }
                self.rooms.note(&key(user), true);
            }
            Event::Change { user, topic, announced } => {
                if !self.subscribed.remove(&(user, topic)) {
                    self.subscribed.insert((user, topic));
                }
                if announced {
                    self.rooms.mark_dirty(&key(user));
                }
            }
            Event::Remove { user, topic: number } => {
                self.subscribed.remove(&(user, number));
                self.rooms.remove(&topic(number), [key(user)].iter());
                let members = self.rooms.state().rooms.get(&topic(number)).cloned().unwrap_or_default();
                assert!(members.iter().all(|feed| *feed.key() != key(user)), "a removed user is out at once");
            }
            Event::Read(most) => {
                for key in self.rooms.take(most) {
                    let topics = self.topics(&key);
                    self.rooms.unknown(topics.iter()).into_iter().for_each(|topic| self.rooms.open_room(topic));
                    self.read.push((key, topics));
                }
            }
            Event::Join { fails: true } => {
                self.rooms.give_back(self.read.drain(..).map(|(key, _)| key).collect());
            }
            Event::Join { fails: false } => {
                for (key, topics) in std::mem::take(&mut self.read) {
                    self.rooms.join(&key, self.feed(&key), &topics);
                }
            }
            Event::Reap => drop(self.rooms.reap()),
            Event::Close => self.rooms.close(),
            Event::Reopen => self.rooms.reopen(self.feeds.keys().map(|user| key(*user)).collect()),
        }
        self.rooms.state().check();
    }

    fn topics(&self, of: &UserKey) -> Vec<TopicKey> {
        self.subscribed.iter().filter(|(user, _)| key(*user) == *of).map(|(_, number)| topic(*number)).collect()
    }

    fn feed(&self, of: &UserKey) -> Option<Arc<Feed>> {
        self.feeds.iter().find(|(user, _)| key(**user) == *of).map(|(_, feed)| feed.clone())
    }

    /// Every change is announced in the end, and every user is read.
    fn settle(&mut self) {
        (0..USERS).for_each(|user| self.rooms.mark_dirty(&key(user)));
        self.apply(&Event::Join { fails: true });
        for _ in 0..=USERS {
            self.apply(&Event::Read(USERS));
            self.apply(&Event::Join { fails: false });
        }
        self.apply(&Event::Reopen);
        self.apply(&Event::Read(USERS));
        self.apply(&Event::Join { fails: false });
    }
}

proptest! {
    /// However connects, changes, removals and reads interleave: in the end a room has the subscribers that are connected, and there is
    /// no room besides.
    #[test]
    fn rooms_end_with_the_subscribers_that_are_connected(events in events()) {
        let mut world = World::new();
        events.iter().for_each(|event| world.apply(event));
        world.settle();
        world.apply(&Event::Reap);
        for number in 0..TOPICS {
            let members = world.rooms.members(&topic(number)).unwrap_or_default();
            let members: BTreeSet<_> = members.iter().map(|feed| feed.key().clone()).collect();
            let due = world.feeds.keys().filter(|user| world.subscribed.contains(&(**user, number)));
            prop_assert_eq!(&members, &due.map(|user| key(*user)).collect());
            prop_assert_eq!(world.rooms.state().rooms.contains_key(&topic(number)), !members.is_empty());
        }
    }
}
