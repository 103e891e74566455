//! Clients come back at the very moment of a publish, thousands of times, and two instances publish to one user at once.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;

use crate::{
    checker::{Run, Shape},
    harness::*,
};

/// Reconnects of all clients of the race together.
const RECONNECTS: usize = 3_000;
const CLIENTS: usize = 12;
/// Reconnects of each client that race with a single publish.
const DUELS: usize = 80;
/// Set so high that it cannot find changes that a race has lost.
const HEAD_CHECK: &str = "TIDINGS_HEAD_CHECK_SECONDS";

/// Each client hangs up as soon as it was greeted or got anything, and comes back at once, while publishes never stop.
#[tokio::test]
async fn thousands_of_reconnects_at_the_moment_of_a_publish_lose_and_repeat_nothing() {
    let cluster = cluster().instances(2).set(HEAD_CHECK, "3600").start().await;
    let edges = cluster.edges();
    let (reconnects, published, racing) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(CLIENTS));
    let users: Vec<_> = (0..3).map(|index| format!("racer{index}")).collect();
    let mut clients = Vec::new();
    for index in 0..CLIENTS {
        let user = edges[0].user(&users[index % users.len()]);
        clients.push((user.list("").await["cursor"].as_str().unwrap().to_owned(), user));
    }

    let publish = async {
        while racing.load(Ordering::Relaxed) > 0 {
            let number = published.fetch_add(1, Ordering::Relaxed);
            let edge = &edges[number % edges.len()];
            edge.publisher().notify(&users[number % users.len()], &number.to_string()).await;
        }
    };
    let race = clients.iter().enumerate().map(|(index, (cursor, user))| {
        let edge = edges[index % edges.len()].clone();
        let (reconnects, racing) = (&reconnects, &racing);
        async move {
            let hopper = hop(&edge, user, cursor.clone(), reconnects).await;
            racing.fetch_sub(1, Ordering::Relaxed);
            hopper
        }
    });
    let (logs, ()) = tokio::join!(join_all(race), publish);

    for ((_, user), log) in clients.iter().zip(logs) {
        let mut log = log;
        let head = user.list("?limit=1").await["notifications"][0]["seq"].as_i64().expect("a publish to each user");
        let last = log.heard.last().copied().unwrap_or(0);
        if last < head {
            let mut stream = user.resume(&log.cursor).await;
            assert_eq!(stream.hello().await["verdict"], "resumed");
            for _ in last..head {
                log.heard.push(stream.next().await.json()["seq"].as_i64().unwrap());
            }
        }
        assert_eq!(log.heard, (1..=head).collect::<Vec<_>>());
    }
    println!("{} publishes raced with {} reconnects", published.into_inner(), reconnects.into_inner());
}

struct Hopper {
    cursor: String,
    heard: Vec<i64>,
}

async fn hop(edge: &Edge, user: &Caller, cursor: String, reconnects: &AtomicUsize) -> Hopper {
    let mut hopper = Hopper { cursor, heard: Vec::new() };
    let user = edge.bearer(user.token());
    while reconnects.load(Ordering::Relaxed) < RECONNECTS {
        let round = reconnects.fetch_add(1, Ordering::Relaxed);
        let mut stream = user.resume(&hopper.cursor).await;
        let hello = stream.hello().await;
        assert_eq!(hello["verdict"], "resumed", "{hello}");
        // Some hang up after the verdict, some stay for one or two notifications.
        for _ in 0..round % 3 {
            hopper.take(&stream.next().await);
        }
    }
    hopper
}

impl Hopper {
    fn take(&mut self, frame: &Frame) {
        assert!(frame.is("notification"), "{frame:?}");
        self.heard.push(frame.json()["seq"].as_i64().unwrap());
        self.cursor = frame.id.clone().unwrap();
    }
}

/// One publish for each reconnect and nothing after it that would show the hole: a change that falls between is missed for good.
#[tokio::test]
async fn a_single_publish_at_the_moment_of_a_reconnect_is_never_missed() {
    let cluster = cluster().instances(2).set(HEAD_CHECK, "3600").start().await;
    let edges = cluster.edges();
    let duels = (0..CLIENTS).map(|index| {
        let (user, publisher) = (edges[0].user(&format!("duelist{index}")), edges[index % 2].publisher());
        async move { duel(&user, &publisher, &format!("duelist{index}")).await }
    });
    join_all(duels).await;
}

async fn duel(user: &Caller, publisher: &Caller, name: &str) {
    let mut cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    for round in 0..DUELS {
        let title = round.to_string();
        let publish = async {
            // Anywhere within the time that opening a stream takes.
            tokio::time::sleep(Duration::from_micros(rand::random_range(0..20_000))).await;
            publisher.notify(name, &title).await
        };
        let listen = async {
            let mut stream = user.resume(&cursor).await;
            assert_eq!(stream.hello().await["verdict"], "resumed");
            assert_eq!(stream.titles(1).await, [title.as_str()]);
            stream.cursor.unwrap()
        };
        (cursor, _) = tokio::join!(listen, publish);
    }
}

#[tokio::test]
async fn publishes_of_two_instances_to_one_user_come_in_one_order_everywhere() {
    let cluster = cluster().instances(2).set(HEAD_CHECK, "3600").start().await;
    let edges = cluster.edges();
    let mut streams = Vec::new();
    for edge in edges.iter().chain(&edges) {
        let mut stream = edge.user("u1").stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    let publish = |edge: Edge, name: &'static str| async move {
        join_all((0..150).map(|number| {
            let publisher = edge.publisher();
            async move { publisher.notify("u1", &format!("{name}{number}")).await }
        }))
        .await
    };
    let (left, right) = tokio::join!(publish(edges[0].clone(), "left"), publish(edges[1].clone(), "right"));
    let ids: HashSet<_> = left.into_iter().chain(right).collect();

    let mut orders = Vec::new();
    for stream in &mut streams {
        let mut order = Vec::new();
        for seq in 1..=300 {
            let data: Value = stream.next().await.json();
            assert_eq!(data["seq"], seq);
            order.push(data["id"].as_str().unwrap().to_owned());
        }
        orders.push(order);
    }
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(orders[0].iter().cloned().collect::<HashSet<_>>(), ids);
}

#[tokio::test]
async fn many_users_and_connections_get_their_own_changes() {
    let cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let shape = Shape { users: 16, connections: 4, publishers: 4, ..Shape::default() };
    let run = Run::start(vec![nginx.edge()], shape).await;
    for _ in 0..4 {
        run.flow().await;
    }
    run.judge().await;
}
