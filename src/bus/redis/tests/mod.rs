//! The bus against real Redis servers.

mod carry;
mod cluster;
mod heal;
mod values;

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    harness::{Network, PATIENCE, RedisCluster, RedisServer, until},
    *,
};
use crate::{
    bus::{
        Announcement, Bus, KEPT_SUBJECTS, Left,
        wire::{ephemeral, slot},
    },
    domain::{
        cursor::{Cursor, Epoch},
        priority::Priority,
        signal::{Address, Signal, Subject},
    },
    frame::{self, Frame},
};

/// An instance's bus and the messages that it receives.
struct Instance {
    bus: RedisBus,
    heard: UnboundedReceiver<Incoming>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Instance {
    fn start(settings: &RedisSettings) -> Self {
        let (sender, heard) = unbounded_channel();
        let sink: Sink = Arc::new(move |incoming| drop(sender.send(incoming)));
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let setup = Setup {
            prefix: "tidings",
            probe_interval: Duration::from_millis(200),
            sink,
            stop: stop.clone(),
            tracker: &tracker,
        };
        let bus = RedisBus::start(settings, setup).unwrap();
        Self { bus, heard, stop, tracker }
    }

    async fn up(settings: &RedisSettings) -> Self {
        let mut instance = Self::start(settings);
        instance.restored().await;
        instance
    }

    async fn following(settings: &RedisSettings, user: &str) -> Self {
        let instance = Self::up(settings).await;
        instance.bus.subscribe(&key(user)).await;
        instance
    }

    async fn next(&mut self) -> Incoming {
        timeout(PATIENCE, self.heard.recv()).await.expect("nothing was heard").unwrap()
    }

    /// Skips messages until the path is whole.
    async fn restored(&mut self) {
        while self.next().await != Incoming::Restored {}
        assert!(self.bus.health().up && self.bus.health().probe_age.is_some());
    }

    async fn down(&self) {
        until(async || !self.bus.health().up).await;
    }
}

fn topic() -> TopicKey {
    TopicKey { tenant: "acme".parse().unwrap(), topic: "team:7".parse().unwrap() }
}

fn value(number: u64) -> Signal {
    let subject = Subject { to: Address::Topic(topic()), kind: "k".into(), key: "a key".into() };
    let bytes = Bytes::from(format!("data: {number}\n\n"));
    Signal { subject, interval: Duration::ZERO, sent_at: 1, bytes }
}

/// Users are removed by one instance, and another, on another connection, signals at once.
async fn removals_come_before_later_signals(remover: Instance, sender: Instance, mut listener: Instance) {
    listener.bus.follow(&topic()).await;
    for round in 0..200 {
        let left = Left { topic: topic(), users: vec![format!("u {round}").parse().unwrap()] };
        assert!(remover.bus.outlet().send_removal(left.clone()).await);
        let (signal, kept) = (value(round), round % 2 == 0);
        assert!(sender.bus.outlet().signal(signal.clone(), kept).await);
        assert_eq!(listener.next().await, Incoming::Left(left));
        let Incoming::Signal(heard) = listener.next().await else { panic!("the signal is next") };
        assert_eq!(heard.sent_at == 1, !kept, "Redis tells when it took what it keeps");
        assert_eq!(Signal { sent_at: 1, ..heard }, signal);
    }
}

fn key(user: &str) -> UserKey {
    UserKey { tenant: "acme".parse().unwrap(), user: user.parse().unwrap() }
}

/// An announcement of its own seq, with one frame.
fn announcement(user: &str) -> Announcement {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let head = NEXT.fetch_add(1, Ordering::Relaxed);
    let subject = frame::Subject::Notification { kind: "payment_received".into(), priority: Priority::High };
    let cursor = Cursor { epoch: Epoch::from("e1".to_owned()), seq: head };
    let frames = vec![Frame { subject, ..Frame::settings(&cursor, 0) }];
    Announcement { published_at: 7, ..Announcement::new(key(user), cursor, frames) }
}

/// Announces to a user on one instance until the other receives it: messages may be lost while the path heals.
async fn passes(from: &Instance, to: &mut Instance, user: &str) {
    let mut sent = Vec::new();
    until(async || {
        let given = announcement(user);
        from.bus.outlet().announce(vec![given.clone()]);
        sent.push(given);
        match timeout(Duration::from_millis(500), to.heard.recv()).await {
            Ok(Some(Incoming::Announced(heard))) => sent.contains(&heard),
            _ => false,
        }
    })
    .await;
}
