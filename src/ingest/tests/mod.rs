//! Ingest against real Redis servers, into a write path that keeps everything in memory.

mod channels;
mod cluster;
mod stream;

use std::{
    collections::HashMap,
    future::ready,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use redis::{Value, aio::ConnectionLike, aio::MultiplexedConnection};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::*;
use crate::{
    bus::redis::harness::{RedisCluster, RedisServer, until},
    domain::kinds::Seed,
};

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
        let (id, deliver_at) = (Uuid::nil(), item.timing.deliver_at);
        let accepted =
            Accepted { id, recipients: item.users.len(), fanout: false, deliver_at, repeated: false, cancelled: false };
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

    /// The stored notifications by user, sorted.
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

/// An instance whose write path refuses everything.
pub(super) fn ingest(servers: &Servers, name: &str) -> Ingest {
    let limits = PublishSettings {
        body_bytes: 65_536,
        recipients: 100,
        open_fanouts: 1,
        batch_items: 100,
        commit_rows: 10,
        writers: 1,
        queue: 100,
        inlet_look: Duration::from_millis(100),
        inlet_listen: false,
    };
    Ingest {
        servers: servers.clone(),
        prefix: "tidings".to_owned(),
        instance: name.to_owned(),
        limits,
        kinds: Kinds::new(Seed::default()),
        health: Arc::default(),
        publish: Arc::new(|_| ready(Err(Refused::Unavailable)).boxed()),
        reclaim_idle: CALM,
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
            let publish = kept.publish();
            let ingest = Ingest { publish, reclaim_idle, ..ingest(servers, name) };
            tracker.spawn(ingest.run(None, stop.clone()));
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

/// Waits until so many instances are subscribed to the channels.
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
