use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    harness::{PATIENCE, RedisCluster, RedisServer, until},
    *,
};
use crate::{
    bus::Bus,
    frame::{Frame, Subject},
    notification::{Epoch, Priority},
};

/// An instance's bus and what it hears.
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
        let bus = RedisBus::start(settings, "tidings", sink, stop.clone(), &tracker).unwrap();
        Self { bus, heard, stop, tracker }
    }

    async fn up(settings: &RedisSettings) -> Self {
        let mut instance = Self::start(settings);
        instance.restored().await;
        instance
    }

    async fn next(&mut self) -> Incoming {
        timeout(PATIENCE, self.heard.recv()).await.expect("nothing was heard").unwrap()
    }

    /// Skips what comes before the path is whole.
    async fn restored(&mut self) {
        while self.next().await != Incoming::Restored {}
        assert!(self.bus.health().up && self.bus.health().probe_age.is_some());
    }

    async fn down(&self) {
        until(async || !self.bus.health().up).await;
    }
}

fn key(user: &str) -> UserKey {
    UserKey { tenant: "acme".parse().unwrap(), user: user.parse().unwrap() }
}

/// An announcement of its own seq, with one frame.
fn announcement(user: &str) -> Announcement {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let head = NEXT.fetch_add(1, Ordering::Relaxed);
    let subject = Subject::Notification { kind: "payment_received".to_owned(), priority: Priority::High };
    let frames = vec![Frame { seq: head, subject, bytes: Bytes::from(format!("id: {user}.{head}\n\n")) }];
    Announcement { key: key(user), epoch: Epoch::from("e1".to_owned()), head, frames, published_at: 7 }
}

/// Announces to a user on one instance until the other hears it: what is sent while the path heals may be lost.
async fn passes(from: &Instance, to: &mut Instance, user: &str) {
    let mut sent = Vec::new();
    until(async || {
        let given = announcement(user);
        from.bus.announce(vec![given.clone()]);
        sent.push(given);
        match timeout(Duration::from_millis(500), to.heard.recv()).await {
            Ok(Some(Incoming::Announced(heard))) => sent.contains(&heard),
            _ => false,
        }
    })
    .await;
}

#[tokio::test]
async fn an_announcement_reaches_the_instance_that_subscribed_and_no_other() {
    let server = RedisServer::start().await;
    let (one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.subscribe(&key("u1")).await;
    let (other, given) = (announcement("u2"), announcement("u1"));
    one.bus.announce(vec![other, given.clone()]);
    assert_eq!(two.next().await, Incoming::Announced(given));
}

#[tokio::test]
async fn ids_full_of_separators_do_not_cross() {
    let server = RedisServer::start().await;
    let (one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    let users = ["a", "*", "a*", "a?", "[ab]", "{a}", "a}", "a b", "a:b", "a%3Ab", "%", "\u{1f600} ä", "a/b\\c\"'"];
    for user in users {
        two.bus.subscribe(&key(user)).await;
        let given: Vec<_> = users.iter().map(|user| announcement(user)).collect();
        let mine = given.iter().find(|given| given.key == key(user)).unwrap().clone();
        one.bus.announce(given);
        assert_eq!(two.next().await, Incoming::Announced(mine));
        two.bus.unsubscribe(&key(user));
        one.bus.control(Control::Revoked);
        assert_eq!(two.next().await, Incoming::Control(Control::Revoked), "only {user} was heard");
        until(async || {
            let channel = format!("tidings:{{acme:{}*", if user == "a" { "a}" } else { "" });
            let mut connection = server.connect().await;
            let open: Vec<String> =
                redis::cmd("PUBSUB").arg("CHANNELS").arg(channel).query_async(&mut connection).await.unwrap();
            open.is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn an_order_reaches_every_instance_once() {
    let server = RedisServer::start().await;
    let (mut one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    one.bus.control(Control::Revoked);
    assert_eq!(one.next().await, Incoming::Control(Control::Revoked));
    assert_eq!(two.next().await, Incoming::Control(Control::Revoked));
    one.bus.subscribe(&key("u")).await;
    let given = announcement("u");
    two.bus.announce(vec![given.clone()]);
    assert_eq!(one.next().await, Incoming::Announced(given), "its own order does not come back");
}

#[tokio::test]
async fn an_instance_starts_without_redis_and_finds_it_later() {
    let mut server = RedisServer::start().await;
    server.kill();
    let mut instance = Instance::start(&server.settings());
    Bus::Redis(instance.bus.clone()).subscribe(&key("u")).await;
    assert!(!instance.bus.health().up);
    instance.bus.control(Control::Revoked);
    assert_eq!(instance.next().await, Incoming::Control(Control::Revoked));
    server.restart().await;
    instance.restored().await;
    passes(&Instance::up(&server.settings()).await, &mut instance, "u").await;
    instance.stop.cancel();
    instance.tracker.close();
    instance.tracker.wait().await;
}

#[tokio::test]
async fn a_redis_that_was_killed_and_came_back_empty_is_joined_anew() {
    let mut server = RedisServer::start().await;
    let (mut one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.subscribe(&key("u")).await;
    server.kill();
    one.down().await;
    two.down().await;
    two.bus.subscribe(&key("late")).await;
    server.restart().await;
    one.restored().await;
    two.restored().await;
    passes(&one, &mut two, "u").await;
    passes(&one, &mut two, "late").await;
}

#[tokio::test]
async fn a_redis_that_stood_still_is_found_out_and_joined_anew() {
    let server = RedisServer::start().await;
    let (mut one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.subscribe(&key("u")).await;
    server.signal("STOP");
    one.down().await;
    two.down().await;
    server.signal("CONT");
    one.restored().await;
    two.restored().await;
    passes(&one, &mut two, "u").await;
}

#[tokio::test]
async fn killed_connections_heal() {
    let server = RedisServer::start().await;
    let (mut one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.subscribe(&key("u")).await;
    for kind in ["pubsub", "normal"] {
        let mut connection = server.connect().await;
        let kill = ["KILL", "TYPE", kind, "SKIPME", "yes"];
        let _: i64 = redis::cmd("CLIENT").arg(&kill).query_async(&mut connection).await.unwrap();
        if kind == "pubsub" {
            one.restored().await;
            two.restored().await;
        }
        passes(&one, &mut two, "u").await;
    }
}

#[tokio::test]
async fn a_redis_that_refuses_publishes_is_found_out_by_the_probe() {
    let server = RedisServer::start().await;
    let mut one = Instance::up(&server.settings()).await;
    let mut connection = server.connect().await;
    let refuse = ["SETUSER", "default", "-publish"];
    redis::cmd("ACL").arg(&refuse).query_async::<()>(&mut connection).await.unwrap();
    one.down().await;
    let allow = ["SETUSER", "default", "+publish"];
    redis::cmd("ACL").arg(&allow).query_async::<()>(&mut connection).await.unwrap();
    one.restored().await;
}

#[tokio::test]
async fn foreign_messages_are_ignored() {
    let server = RedisServer::start().await;
    let mut one = Instance::up(&server.settings()).await;
    one.bus.subscribe(&key("u")).await;
    let mut connection = server.connect().await;
    for channel in ["tidings:{acme:u}", "tidings:control"] {
        for message in [&b""[..], b"\xff\xfe", b"T1 ", b"T2 of the future\n", b"T1 e 1 1 1,9\nab"] {
            redis::cmd("PUBLISH").arg(channel).arg(message).query_async::<()>(&mut connection).await.unwrap();
        }
    }
    let given = announcement("u");
    one.bus.announce(vec![given.clone()]);
    assert_eq!(one.next().await, Incoming::Announced(given));
}

#[tokio::test]
async fn thousands_of_users_are_joined_again_after_a_restart() {
    let mut server = RedisServer::start().await;
    let (one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    let users: Vec<String> = (0..3_000).map(|n| format!("u{n}")).collect();
    futures_util::future::join_all(users.iter().map(|user| two.bus.subscribe(&key(user)))).await;
    server.kill();
    two.down().await;
    server.restart().await;
    two.restored().await;
    until(async || one.bus.health().up).await;
    for user in ["u0", "u1500", "u2999"] {
        passes(&one, &mut two, user).await;
    }
}

#[tokio::test]
async fn a_cluster_carries_everything_over_sharded_channels() {
    let mut cluster = RedisCluster::start().await;
    let (mut one, mut two) = (Instance::up(&cluster.settings()).await, Instance::up(&cluster.settings()).await);
    let users: Vec<String> = (0..50).map(|n| format!("u{n}")).collect();
    futures_util::future::join_all(users.iter().map(|user| two.bus.subscribe(&key(user)))).await;
    let mut sharded = 0;
    for node in &cluster.nodes {
        let mut connection = node.connect().await;
        let channels: Vec<String> =
            redis::cmd("PUBSUB").arg(&["SHARDCHANNELS", "tidings:{acme:*"]).query_async(&mut connection).await.unwrap();
        assert!(!channels.is_empty(), "every node carries some users");
        sharded += channels.len();
    }
    assert_eq!(sharded, users.len());

    let given: Vec<_> = users.iter().map(|user| announcement(user)).collect();
    one.bus.announce(given.clone());
    for _ in &given {
        assert!(matches!(two.next().await, Incoming::Announced(heard) if given.contains(&heard)));
    }
    one.bus.control(Control::Revoked);
    assert_eq!(two.next().await, Incoming::Control(Control::Revoked));

    cluster.nodes[0].kill();
    two.down().await;
    cluster.nodes[0].restart().await;
    one.restored().await;
    two.restored().await;
    for user in &users[..10] {
        passes(&one, &mut two, user).await;
    }
}
