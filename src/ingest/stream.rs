//! The durable way in: a Redis stream, read by a consumer group, acknowledged after the commit.
//!
//! Acknowledged entries are deleted: the group is the stream's only reader, and a stream that is never trimmed fills
//! Redis. While the store is away nothing is acknowledged and nothing given up.

mod finish;
mod reclaim;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{RedisError, RedisResult, Value};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Ingest,
    attempt::{self, Outcome},
    cure,
    dead_letter::DeadLetter,
    entry::{self, Entry},
};
use crate::{
    bus::{
        backoff::Backoff,
        redis::{connection::Connection, servers::RESPONSE},
    },
    domain::notification::{NewNotification, Source},
    health::{Need, Way},
};

const GROUP: &str = "tidings";
/// Most entries of one read.
const COUNT: usize = 500;
/// Longest time that Redis holds a read back for entries to come; a stop waits for it.
const BLOCK: Duration = Duration::from_millis(500);
/// Reads that are worked on at the same time: the next is parsed while one commits.
const IN_FLIGHT: usize = 2;
/// Failures of a batch after which its entries are tried one by one.
const TOGETHER: u32 = 3;
/// Failures after which entries that fail while others are stored are left to be reclaimed, and so counted.
const SINGLY: u32 = 6;

/// The reader of the stream.
struct Reader {
    ingest: Arc<Ingest>,
    key: String,
    in_flight: Arc<Semaphore>,
    /// Entries stored by this instance: a sign that the store works.
    stored: AtomicU64,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// An entry on its way into the store.
struct Item {
    entry: Entry,
    new: NewNotification,
}

/// Reads until the stop, then finishes the entries that it has read, and leaves the group.
pub(super) async fn run(ingest: Arc<Ingest>, stop: CancellationToken) {
    let reader = Arc::new(Reader {
        key: key(&ingest.prefix),
        ingest,
        in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
        stored: AtomicU64::new(0),
        stop: stop.clone(),
        tasks: TaskTracker::new(),
    });
    let reclaiming = reader.tasks.spawn(reader.clone().reclaim());
    reader.read().await;
    let _ = reclaiming.await; // it ends with the same stop
    reader.tasks.close();
    reader.tasks.wait().await;
    if let Err(error) = reader.leave().await {
        log::info!("the ingest consumer stays registered, others will take over its entries: {error}");
    }
}

impl Reader {
    /// Reads on one connection after the other.
    async fn read(self: &Arc<Self>) {
        let mut backoff = Backoff::default();
        let rights = format!("all commands on the keys {}:*", self.ingest.prefix);
        while !self.stop.is_cancelled() {
            let Err(error) = self.read_on_one_connection(&mut backoff).await else { return };
            self.ingest.health.note_way(Way::RedisStream, Need::Receive, Err(cure::of(&error, &rights)));
            self.pause(backoff.next()).await;
        }
    }

    async fn read_on_one_connection(self: &Arc<Self>, backoff: &mut Backoff) -> RedisResult<()> {
        let mut connection = self.ingest.servers.dedicated(BLOCK + RESPONSE, None).await?;
        self.create_group(&mut connection).await?;
        while !self.stop.is_cancelled() {
            let Some(permit) = self.permit().await else { break };
            let entries = self.next(&mut connection).await?;
            backoff.reset();
            self.ingest.health.note_way(Way::RedisStream, Need::Receive, Ok(()));
            if !entries.is_empty() {
                self.tasks.spawn(self.clone().process(entries, permit));
            }
        }
        Ok(())
    }

    /// Redis has lost the group when it restarted empty: reading fails then, and the next connection comes by here.
    /// Beginning at 0 takes the entries that were added since.
    async fn create_group(&self, connection: &mut Connection) -> RedisResult<()> {
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(&self.key).arg(GROUP).arg("0").arg("MKSTREAM");
        match command.query_async::<()>(connection).await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            result => result,
        }
    }

    async fn next(&self, connection: &mut Connection) -> RedisResult<Vec<Entry>> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.ingest.instance).arg("COUNT").arg(COUNT);
        command.arg("BLOCK").arg(milliseconds(BLOCK)).arg("STREAMS").arg(&self.key).arg(">");
        command.query_async::<Value>(connection).await.map(entry::of_read)
    }

    /// A permit for one more read; none after the stop.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            permit = self.in_flight.clone().acquire_owned() => permit.ok(),
            () = self.stop.cancelled() => None,
        }
    }

    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Stores entries or writes them to the dead letters, then acknowledges them.
    async fn process(self: Arc<Self>, entries: Vec<Entry>, _permit: OwnedSemaphorePermit) {
        let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        tokio::select! {
            () = self.settle(entries) => {}
            never = self.hold(&ids) => match never {},
        }
    }

    async fn settle(&self, entries: Vec<Entry>) {
        let mut items = Vec::with_capacity(entries.len());
        let mut refused = Vec::new();
        for entry in entries {
            match entry.parse(&self.ingest.limits, &self.ingest.kinds) {
                Ok(new) => items.push(Item { entry, new }),
                Err(reason) => refused.push((entry, reason)),
            }
        }
        self.write_dead_letters(refused).await;
        self.store(items).await;
    }

    /// Retries until all are stored, or until the stop: other instances reclaim the pending ones then.
    async fn store(&self, mut items: Vec<Item>) {
        let mut backoff = Backoff::default();
        let stored_before = self.stored.load(Ordering::Relaxed);
        for failures in 0.. {
            if items.is_empty() {
                return;
            }
            let new: Vec<_> = items.iter().map(|item| item.new.clone()).collect();
            let outcomes = match failures {
                0..TOGETHER => attempt::together(&self.ingest.publish, &new, self.ingest.limits.commit_rows).await,
                _ => attempt::singly(&self.ingest.publish, &new, || !self.stop.is_cancelled()).await,
            };
            items = self.sort(items, outcomes).await;
            let store_works = self.stored.load(Ordering::Relaxed) > stored_before;
            if self.stop.is_cancelled() || (failures >= SINGLY && store_works) {
                return;
            }
            if !items.is_empty() {
                self.pause(backoff.next()).await;
            }
        }
    }

    /// Ends the entries that have an outcome and gives back the rest.
    async fn sort(&self, items: Vec<Item>, outcomes: Vec<Outcome>) -> Vec<Item> {
        debug_assert_eq!(outcomes.len(), items.len(), "one outcome for each entry");
        let (mut stored, mut refused, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (item, outcome) in items.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Stored => stored.push(item.entry.id),
                Outcome::Refused(reason) => refused.push((item.entry, reason)),
                Outcome::Overloaded | Outcome::Unavailable => rest.push(item),
            }
        }
        self.stored.fetch_add(stored.len() as u64, Ordering::Relaxed);
        self.acknowledge(&stored).await;
        self.write_dead_letters(refused).await;
        rest
    }

    /// Shows others that these entries are worked on, however long the store is away.
    async fn hold(&self, ids: &[String]) -> Infallible {
        let mut ticks = interval(self.ingest.reclaim_idle / 3);
        ticks.tick().await; // the first is at once, and the entries are fresh
        loop {
            ticks.tick().await;
            let mut command = redis::cmd("XCLAIM");
            command.arg(&self.key).arg(GROUP).arg(&self.ingest.instance).arg(0).arg(ids).arg("JUSTID");
            let claim = async |connection: &mut Connection| command.query_async::<Value>(connection).await;
            if let Err(error) = self.ingest.with_connection(claim).await {
                log::debug!("entries of the ingest stream could not be held: {error}");
            }
        }
    }
}

/// The stream's key.
pub(super) fn key(prefix: &str) -> String {
    format!("{prefix}:ingest")
}

/// A duration as Redis takes it.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_missing_group(error: &RedisError) -> bool {
    error.code() == Some("NOGROUP")
}

fn letter(entry: Entry, reason: String) -> DeadLetter {
    DeadLetter {
        source: Source::Stream,
        reason,
        origin: entry.id.into_bytes(),
        tenant: entry.tenant,
        message: entry.message.unwrap_or_default(),
    }
}
