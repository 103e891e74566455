use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use redis::{Value, aio::ConnectionLike, aio::MultiplexedConnection};
use uuid::Uuid;

use super::*;
use crate::bus::redis::harness::{RedisCluster, RedisServer, until};

/// A write path that keeps what it is given, knows idempotency keys, and can be made to fail.
#[derive(Default)]
struct Kept {
    items: Mutex<Vec<NewNotification>>,
    keys: Mutex<HashMap<String, [u8; 32]>>,
    away: AtomicBool,
    attempts: AtomicUsize,
}

impl Kept {
    fn publish(self: &Arc<Self>) -> Publish {
        let kept = self.clone();
        Arc::new(move |items| {
            let kept = kept.clone();
            async move {
                kept.attempts.fetch_add(1, Ordering::SeqCst);
                if kept.away.load(Ordering::SeqCst) {
                    return Err(Refused::Unavailable);
                }
                Ok(items.into_iter().map(|item| kept.keep(item)).collect())
            }
            .boxed()
        })
    }

    fn keep(&self, item: NewNotification) -> Result<Accepted, Refused> {
        let accepted = Accepted { id: Uuid::nil(), recipients: item.users.len(), repeated: false };
        if let Some(key) = &item.idempotency_key {
            let known = self.keys.lock().unwrap().insert(key.clone(), item.fingerprint);
            match known {
                Some(print) if print == item.fingerprint => return Ok(Accepted { repeated: true, ..accepted }),
                Some(_) => return Err(Refused::KeyReused),
                None => {}
            }
        }
        self.items.lock().unwrap().push(item);
        Ok(accepted)
    }

    /// Who got what, sorted.
    fn stored(&self) -> Vec<(String, String)> {
        let pair = |item: &NewNotification| (item.users[0].as_str().to_owned(), item.content.title.clone());
        let mut pairs: Vec<_> = self.items.lock().unwrap().iter().map(pair).collect();
        pairs.sort();
        pairs
    }

    async fn has(&self, count: usize) {
        until(async || self.items.lock().unwrap().len() >= count).await;
    }
}

/// Running instances over one write path.
struct Instances {
    kept: Arc<Kept>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Instances {
    fn start(servers: &Servers, names: &[&str], reclaim_idle: Duration) -> Self {
        let kept = Arc::new(Kept::default());
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        for name in names {
            let limits = PublishSettings {
                body_bytes: 65_536,
                recipients: 100,
                batch_items: 100,
                commit_rows: 10,
                writers: 1,
                queue: 100,
            };
            let ingest = Ingest {
                servers: servers.clone(),
                prefix: "tidings".to_owned(),
                instance: (*name).to_owned(),
                limits,
                publish: kept.publish(),
                reclaim_idle,
            };
            ingest.start(&stop, &tracker);
        }
        Self { kept, stop, tracker }
    }

    async fn end(&self) {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(Duration::from_secs(30), self.tracker.wait()).await.unwrap();
    }
}

const CALM: Duration = Duration::from_secs(30);
const HASTY: Duration = Duration::from_millis(300);

fn servers(server: &RedisServer) -> Servers {
    Servers::new(&server.settings()).unwrap()
}

async fn call<T: redis::FromRedisValue>(connection: &mut impl ConnectionLike, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(connection).await.unwrap()
}

async fn add(connection: &mut impl ConnectionLike, fields: &[&str]) -> String {
    call(connection, &[&["XADD", "tidings:ingest", "*"], fields].concat()).await
}

/// Waits until so many instances hear the channels.
async fn heard_by(connection: &mut MultiplexedConnection, count: i64) {
    until(async || {
        // NUMPAT counts patterns, not clients.
        let clients: String = call(connection, &["CLIENT", "LIST"]).await;
        clients.lines().filter(|line| line.contains(" psub=1 ")).count() as i64 == count
    })
    .await;
}

/// Reason and message of all dead letters.
async fn letters(connection: &mut impl ConnectionLike) -> Vec<(String, String)> {
    let answer: Value = call(connection, &["XRANGE", "tidings:ingest:dead", "-", "+"]).await;
    let entries: Vec<(String, HashMap<String, String>)> = redis::from_redis_value(answer).unwrap();
    entries.into_iter().map(|(_, fields)| (fields["reason"].clone(), fields["message"].clone())).collect()
}

#[tokio::test]
async fn a_channel_message_is_stored_once_however_many_hear_it() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a", "b", "c"], CALM);
    heard_by(&mut redis, 3).await;
    let users = ["u1", "a:b:c", "user:x", "{*?}[x]", "\u{e4} \u{1f600}"];
    for user in users {
        let channel = format!("tidings:publish:acme:user:{user}");
        let heard: i64 = call(&mut redis, &["PUBLISH", &channel, r#"{"title":"t"}"#]).await;
        assert_eq!(heard, 3);
        let keyed = r#"{"title":"keyed","idempotencyKey":"k-"}"#.replace("k-", &format!("k-{}", hex::encode(user)));
        for _ in 0..3 {
            call::<i64>(&mut redis, &["PUBLISH", &channel, &keyed]).await;
        }
    }
    instances.kept.has(10).await;
    instances.end().await;
    let mut expected: Vec<_> =
        users.iter().flat_map(|user| ["t", "keyed"].map(|title| ((*user).to_owned(), title.to_owned()))).collect();
    expected.sort();
    assert_eq!(instances.kept.stored(), expected);
    assert_eq!(letters(&mut redis).await, []);
}

#[tokio::test]
async fn a_refused_channel_message_leaves_one_dead_letter() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a", "b"], CALM);
    heard_by(&mut redis, 2).await;
    let long = format!(r#"{{"title":"t","message":"{}"}}"#, "x".repeat(70_000));
    let refused = [
        ("tidings:publish:acme:user:u", r#"{"title":""}"#, "/title"),
        ("tidings:publish:acme:user:u", r#"{"title":"t","users":["v"]}"#, "/users"),
        ("tidings:publish:acme:user:u", "not json", "expected"),
        ("tidings:publish:acme:user:u", &long, "65536 bytes"),
        ("tidings:publish:acme:user:", r#"{"title":"t"}"#, "user's id"),
        ("tidings:publish:a b:user:u", r#"{"title":"t"}"#, "channel"),
        ("tidings:publish:acme:topic:x", r#"{"title":"t"}"#, "topics"),
        ("tidings:publish:x", r#"{"title":"t"}"#, "channel"),
    ];
    for (channel, message, _) in refused {
        call::<i64>(&mut redis, &["PUBLISH", channel, message]).await;
    }
    until(async || letters(&mut redis).await.len() >= refused.len()).await;
    instances.end().await;
    let letters = letters(&mut redis).await;
    assert_eq!(letters.len(), refused.len());
    for (_, message, reason) in refused {
        let found = letters.iter().any(|letter| {
            letter.0.contains(reason) && letter.1.len() <= 4_096 && message.starts_with(letter.1.as_str())
        });
        assert!(found, "{reason}: {letters:?}");
    }
    assert_eq!(instances.kept.stored(), []);
}

#[tokio::test]
async fn a_channel_message_outlasts_a_short_absence_of_the_store() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a"], CALM);
    heard_by(&mut redis, 1).await;
    instances.kept.away.store(true, Ordering::SeqCst);
    call::<i64>(&mut redis, &["PUBLISH", "tidings:publish:acme:user:u", r#"{"title":"t"}"#]).await;
    until(async || instances.kept.attempts.load(Ordering::SeqCst) >= 2).await;
    instances.kept.away.store(false, Ordering::SeqCst);
    instances.kept.has(1).await;
    instances.end().await;
}

#[tokio::test]
async fn a_channel_message_that_could_not_be_stored_may_be_sent_again() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a"], CALM);
    heard_by(&mut redis, 1).await;
    instances.kept.away.store(true, Ordering::SeqCst);
    let publish = ["PUBLISH", "tidings:publish:acme:user:u", r#"{"title":"t","idempotencyKey":"k"}"#];
    call::<i64>(&mut redis, &publish).await;
    until(async || letters(&mut redis).await.len() == 1).await;
    instances.kept.away.store(false, Ordering::SeqCst);
    call::<i64>(&mut redis, &publish).await;
    instances.kept.has(1).await;
    instances.end().await;
}

#[tokio::test]
async fn entries_are_stored_and_then_removed_and_poison_is_buried() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let id = add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u1"],"title":"own key none"}"#]).await;
    let instances = Instances::start(&servers(&server), &["a", "b"], CALM);
    let keyed = r#"{"users":["u2"],"title":"keyed","idempotencyKey":"k"}"#;
    for message in [keyed, keyed, r#"{"users":["u3"],"title":"other","idempotencyKey":"k"}"#, "{}", "x"] {
        add(&mut redis, &["tenant", "acme", "message", message]).await;
    }
    add(&mut redis, &["message", keyed]).await;
    add(&mut redis, &["tenant", "a b", "message", keyed]).await;
    add(&mut redis, &["foo", "bar"]).await;
    let many: Vec<String> = (0..1_500).map(|n| format!(r#"{{"users":["m{n}"],"title":"t"}}"#)).collect();
    for message in &many {
        add(&mut redis, &["tenant", "acme", "message", message]).await;
    }
    instances.kept.has(1_502).await;
    until(async || call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await == 0).await;
    instances.end().await;
    assert_eq!(letters(&mut redis).await.len(), 6);
    let keys = instances.kept.keys.lock().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(keys.contains(&format!("ingest:{id}")) && keys.contains(&"k".to_owned()));
    let groups: Vec<HashMap<String, Value>> = call(&mut redis, &["XINFO", "GROUPS", "tidings:ingest"]).await;
    assert_eq!(groups[0]["pending"], Value::Int(0));
    assert_eq!(groups[0]["consumers"], Value::Int(0), "both have left");
}

#[tokio::test]
async fn entries_wait_for_a_store_that_is_away_and_stay_with_who_read_them() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a", "b"], Duration::from_secs(2));
    instances.kept.away.store(true, Ordering::SeqCst);
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"t"}"#]).await;
    until(async || instances.kept.attempts.load(Ordering::SeqCst) >= 1).await;
    // The time without a sign of life falls each time the reader holds its entries anew.
    let (mut last, mut falls) = (0, 0);
    until(async || {
        let rows: Vec<(String, String, i64, i64)> =
            call(&mut redis, &["XPENDING", "tidings:ingest", "tidings", "-", "+", "10"]).await;
        if let [(_, _, idle, deliveries)] = rows[..] {
            assert_eq!(deliveries, 1, "nobody took it over");
            falls += i32::from(idle < last);
            last = idle;
        }
        falls >= 3
    })
    .await;
    assert_eq!(instances.kept.stored(), []);
    instances.kept.away.store(false, Ordering::SeqCst);
    instances.kept.has(1).await;
    until(async || call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await == 0).await;
    instances.end().await;
}

#[tokio::test]
async fn entries_of_a_dead_consumer_are_taken_over_and_worn_ones_buried() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    call::<()>(&mut redis, &["XGROUP", "CREATE", "tidings:ingest", "tidings", "0", "MKSTREAM"]).await;
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"left"}"#]).await;
    let worn = add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"worn"}"#]).await;
    let read = ["XREADGROUP", "GROUP", "tidings", "ghost", "STREAMS", "tidings:ingest", ">"];
    call::<Value>(&mut redis, &read).await;
    let claim = ["XCLAIM", "tidings:ingest", "tidings", "ghost", "0", &worn, "RETRYCOUNT", "10", "JUSTID"];
    call::<Value>(&mut redis, &claim).await;
    let instances = Instances::start(&servers(&server), &["a", "b"], HASTY);
    instances.kept.has(1).await;
    until(async || call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await == 0).await;
    instances.end().await;
    assert_eq!(instances.kept.stored(), [("u".to_owned(), "left".to_owned())]);
    let letters = letters(&mut redis).await;
    assert!(letters.len() == 1 && letters[0].1.contains("worn"), "{letters:?}");
}

#[tokio::test]
async fn a_redis_that_restarted_empty_gets_its_group_again() {
    let mut server = RedisServer::start().await;
    let instances = Instances::start(&servers(&server), &["a"], CALM);
    heard_by(&mut server.connect().await, 1).await;
    server.kill();
    server.restart().await;
    let mut redis = server.connect().await;
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"t"}"#]).await;
    instances.kept.has(1).await;
    call::<()>(&mut redis, &["FLUSHALL"]).await;
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["v"],"title":"t"}"#]).await;
    instances.kept.has(2).await;
    heard_by(&mut redis, 1).await;
    call::<i64>(&mut redis, &["PUBLISH", "tidings:publish:acme:user:w", r#"{"title":"t"}"#]).await;
    instances.kept.has(3).await;
    instances.end().await;
}

#[tokio::test]
async fn who_stops_while_the_store_is_away_leaves_its_entries_to_others() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let one = Instances::start(&servers(&server), &["a"], CALM);
    one.kept.away.store(true, Ordering::SeqCst);
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"t"}"#]).await;
    until(async || one.kept.attempts.load(Ordering::SeqCst) >= 1).await;
    one.end().await;
    let two = Instances::start(&servers(&server), &["b"], HASTY);
    two.kept.has(1).await;
    two.end().await;
    assert_eq!(call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await, 0);
}

#[tokio::test]
async fn both_ways_in_work_on_a_cluster() {
    let cluster = RedisCluster::start().await;
    let servers = Servers::new(&cluster.settings()).unwrap();
    let instances = Instances::start(&servers, &["a", "b"], HASTY);
    let mut redis = servers.pooled().await.unwrap();
    for n in 0..20 {
        let message = format!(r#"{{"users":["s{n:02}"],"title":"t"}}"#);
        add(&mut redis, &["tenant", "acme", "message", &message]).await;
    }
    add(&mut redis, &["tenant", "acme", "message", "x"]).await;
    instances.kept.has(20).await;
    until(async || {
        let mut hearing = 0;
        for node in &cluster.nodes {
            let clients: String = call(&mut node.connect().await, &["CLIENT", "LIST"]).await;
            hearing += clients.lines().filter(|line| line.contains(" psub=1 ")).count();
        }
        hearing == 2
    })
    .await;
    for n in 0..20 {
        let channel = format!("tidings:publish:acme:user:c{n:02}");
        call::<i64>(&mut redis, &["PUBLISH", &channel, r#"{"title":"t"}"#]).await;
    }
    instances.kept.has(40).await;
    until(async || letters(&mut redis).await.len() == 1).await;
    until(async || call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await == 0).await;
    instances.end().await;
    assert_eq!(instances.kept.stored().len(), 40);
}
