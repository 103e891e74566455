//! The bus over a real Postgres: what it carries and in which order, and how it mends itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tidings::{
    bus::{
        Announcement, Arrival, Arrivals, Bus, Control, Incoming, KEPT_SUBJECTS, Left, Setup, Sink,
        postgres::PostgresBus,
    },
    config::options::Options,
    domain::{
        channel::Decision,
        cursor::{Cursor, Epoch},
        signal::{Address, Signal, Subject, TopicKey},
        user::UserKey,
    },
    frame::Frame,
    store::Store,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::harness::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// An instance's bus and what it receives.
struct Instance {
    bus: Bus,
    received: UnboundedReceiver<Incoming>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Instance {
    async fn start(url: &str) -> Self {
        let variables = [("DATABASE_URL", url), ("TIDINGS_POOL_SIZE", "2")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Options::default().effective(variables).unwrap().1;
        let store = Store::open(&settings).await.unwrap();
        let (sender, received) = unbounded_channel();
        let sink: Sink = Arc::new(move |incoming| drop(sender.send(incoming)));
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let setup = Setup {
            prefix: "tidings",
            probe_interval: Duration::from_millis(200),
            sink,
            stop: stop.clone(),
            tracker: &tracker,
        };
        let relay = store.relay(settings.database.as_ref().unwrap());
        Self { bus: Bus::Postgres(PostgresBus::start(relay, setup)), received, stop, tracker }
    }

    async fn up(url: &str) -> Self {
        let mut instance = Self::start(url).await;
        instance.restored().await;
        instance
    }

    async fn next(&mut self) -> Incoming {
        timeout(PATIENCE, self.received.recv()).await.expect("nothing was received").unwrap()
    }

    async fn restored(&mut self) {
        while self.next().await != Incoming::Restored {}
        assert!(self.bus.health().up && self.bus.health().probe_age.is_some());
    }

    async fn down(&self) {
        eventually("the bus is down", async || (!self.bus.health().up).then_some(())).await;
    }
}

fn key(user: &str) -> UserKey {
    UserKey { tenant: "acme".parse().unwrap(), user: user.parse().unwrap() }
}

fn topic() -> TopicKey {
    TopicKey { tenant: "acme".parse().unwrap(), topic: "team:7".parse().unwrap() }
}

fn value(number: u64) -> Signal {
    let subject = Subject { to: Address::Topic(topic()), kind: "k".into(), key: "a key".into() };
    let bytes = format!("data: {number} ä\u{1f600}\n\n").into();
    Signal { subject, interval: Duration::ZERO, sent_at: 1, bytes }
}

/// An announcement of its own seq, with one frame.
fn announcement(user: &str) -> Announcement {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let cursor = Cursor { epoch: Epoch::from("e1".to_owned()), seq: NEXT.fetch_add(1, Ordering::Relaxed) };
    let frames = vec![Frame::settings(&cursor, 0)];
    Announcement { published_at: 7, ..Announcement::new(key(user), cursor, frames) }
}

fn arrivals(rows: usize) -> Arrivals {
    let row = |number: usize| Arrival {
        user: format!("user {number} ä").parse().unwrap(),
        epoch: "e".to_owned().into(),
        seq: 1,
        unread: 1,
        decision: Decision::PLAIN,
        topic: None,
    };
    Arrivals { tenant: "acme".parse().unwrap(), notification: None, rows: (0..rows).map(row).collect() }
}

/// Announces on one instance until the other receives it: what is sent while the path heals may be lost.
async fn passes(from: &Instance, to: &mut Instance) {
    let mut sent = Vec::new();
    eventually("an announcement passes", async || {
        let given = announcement("u");
        from.bus.announce(vec![given.clone()]);
        sent.push(given);
        match timeout(Duration::from_millis(500), to.received.recv()).await {
            Ok(Some(Incoming::Announced(received))) if sent.contains(&received) => Some(()),
            _ => None,
        }
    })
    .await;
}

#[tokio::test]
async fn messages_of_every_kind_and_size_come_once_and_in_order() {
    let postgres = Postgres::start().await;
    let (one, mut two) = (Instance::up(&postgres.url()).await, Instance::up(&postgres.url()).await);
    let many: Vec<_> = (0..500).map(|number| announcement(&format!("u {number}:*{{}}%ä"))).collect();
    one.bus.announce(many.clone());
    one.bus.send_arrivals(arrivals(1_000));
    one.bus.control(Control::Revoked);
    for given in many {
        assert_eq!(two.next().await, Incoming::Announced(given));
    }
    assert_eq!(two.next().await, Incoming::Arrived(arrivals(1_000)));
    assert_eq!(two.next().await, Incoming::Control(Control::Revoked));
    let large = Signal { bytes: format!("data: {}\n\n", "ä".repeat(30_000)).into(), ..value(1) };
    for kept in [false, true] {
        assert!(one.bus.signal(large.clone(), kept).await);
        let Incoming::Signal(received) = two.next().await else { panic!("the signal is next") };
        assert_eq!(Signal { sent_at: 1, ..received }, large);
    }
}

#[tokio::test]
async fn an_order_reaches_every_instance_once() {
    let postgres = Postgres::start().await;
    let (mut one, mut two) = (Instance::up(&postgres.url()).await, Instance::up(&postgres.url()).await);
    one.bus.control(Control::Revoked);
    one.bus.send_arrivals(arrivals(1));
    assert_eq!(one.next().await, Incoming::Control(Control::Revoked));
    assert_eq!(two.next().await, Incoming::Control(Control::Revoked));
    assert_eq!(two.next().await, Incoming::Arrived(arrivals(1)));
    // Sent after both, so received after both.
    let given = announcement("u");
    two.bus.announce(vec![given.clone()]);
    assert_eq!(one.next().await, Incoming::Announced(given), "neither its order nor its arrivals come back");
}

#[tokio::test]
async fn what_is_signalled_after_a_removal_was_taken_is_received_after_it() {
    let postgres = Postgres::start().await;
    let (one, two) = (Instance::up(&postgres.url()).await, Instance::up(&postgres.url()).await);
    let mut listener = Instance::up(&postgres.url()).await;
    assert!(listener.bus.follows(&topic()));
    for round in 0..100 {
        let left = Left { topic: topic(), users: vec![format!("u {round}").parse().unwrap()] };
        assert!(one.bus.send_removal(left.clone()).await);
        let (signal, kept) = (value(round), round % 2 == 0);
        assert!(two.bus.signal(signal.clone(), kept).await);
        assert_eq!(listener.next().await, Incoming::Left(left));
        let Incoming::Signal(received) = listener.next().await else { panic!("the signal is next") };
        assert_eq!(received.sent_at == 1, !kept, "Postgres says when it took what it keeps");
        assert_eq!(Signal { sent_at: 1, ..received }, signal);
    }
}

#[tokio::test]
async fn the_value_that_is_received_last_is_the_one_that_is_kept() {
    let postgres = Postgres::start().await;
    let (one, two) = (Instance::up(&postgres.url()).await, Instance::up(&postgres.url()).await);
    let mut listener = Instance::up(&postgres.url()).await;
    for round in 0..50 {
        let send = async |instance: &Instance, number| assert!(instance.bus.signal(value(number), true).await);
        tokio::join!(send(&one, 2 * round), send(&two, 2 * round + 1));
        let (Incoming::Signal(older), Incoming::Signal(newer)) = (listener.next().await, listener.next().await) else {
            panic!("two signals were sent");
        };
        assert!(older.sent_at < newer.sent_at, "{older:?} {newer:?}");
        assert_eq!(one.bus.last(&[topic()]).await, [newer]);
    }
    let client = postgres.connect().await;
    client.execute("update last_values set sent_at = 1::bigint << 52", &[]).await.unwrap();
    assert!(one.bus.signal(value(7), true).await);
    assert_eq!(one.bus.last(&[topic()]).await[0].sent_at, (1 << 52) + 1, "newer though the clock was set back");
}

#[tokio::test]
async fn of_more_subjects_than_are_kept_the_newest_stay() {
    let postgres = Postgres::start().await;
    let one = Instance::up(&postgres.url()).await;
    for number in 0..=u64::try_from(KEPT_SUBJECTS).unwrap() {
        let mut signal = value(number);
        signal.subject.key = number.to_string().into();
        assert!(one.bus.signal(signal, true).await);
    }
    let kept = one.bus.last(&[topic()]).await;
    assert_eq!(kept.len(), KEPT_SUBJECTS);
    assert!(kept.iter().all(|value| &*value.subject.key != "0"), "the oldest went");
}

#[tokio::test]
async fn a_removal_and_a_signal_are_refused_while_postgres_is_away() {
    let mut postgres = Postgres::start().await;
    let mut one = Instance::up(&postgres.url()).await;
    postgres.crash().await;
    one.down().await;
    assert!(!one.bus.follows(&topic()));
    let left = Left { topic: topic(), users: Vec::new() };
    assert!(!timeout(PATIENCE, one.bus.send_removal(left)).await.expect("an answer"));
    assert!(!timeout(PATIENCE, one.bus.signal(value(1), true)).await.expect("an answer"));
    while one.next().await != Incoming::Broken {}
}

#[tokio::test]
async fn an_instance_starts_without_postgres_and_a_bus_that_broke_is_mended() {
    let mut postgres = Postgres::start().await;
    let mut two = Instance::up(&postgres.url()).await;
    postgres.crash().await;
    two.down().await;
    let mut one = Instance::start(&postgres.url()).await;
    assert!(!one.bus.health().up);
    postgres.resume().await;
    one.restored().await;
    two.restored().await;
    passes(&one, &mut two).await;
    passes(&two, &mut one).await;
    one.stop.cancel();
    one.tracker.close();
    one.tracker.wait().await;
}

#[tokio::test]
async fn connections_that_were_ended_are_replaced() {
    let postgres = Postgres::start().await;
    let (mut one, mut two) = (Instance::up(&postgres.url()).await, Instance::up(&postgres.url()).await);
    let client = postgres.connect().await;
    for _ in 0..3 {
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'";
        client.execute(end, &[]).await.unwrap();
        one.restored().await;
        two.restored().await;
        passes(&one, &mut two).await;
        passes(&two, &mut one).await;
    }
}

#[tokio::test]
async fn notices_of_others_on_the_channel_are_ignored() {
    let postgres = Postgres::start().await;
    let (one, mut two) = (Instance::up(&postgres.url()).await, Instance::up(&postgres.url()).await);
    let client = postgres.connect().await;
    for payload in ["", "i 1 2\nhalf", "i 1 1\ntidings:control 9\nT2 future", "i 1 1\nother 1\nx"] {
        client.execute("select pg_notify('tidings', $1)", &[&payload]).await.unwrap();
    }
    let given = announcement("u");
    one.bus.announce(vec![given.clone()]);
    assert_eq!(two.next().await, Incoming::Announced(given));
}
