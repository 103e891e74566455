//! Reclaims entries that other consumers left unacknowledged. An entry that was delivered too often becomes a dead letter: it may be
//! the reason why its consumers die.

use std::{collections::HashMap, sync::Arc, time::Duration};

use redis::{FromRedisValue as _, RedisResult, Value};
use tokio::time::{MissedTickBehavior, interval};

use super::{COUNT, Entry, GROUP, Reader, entry, is_missing_group, milliseconds};
use crate::metrics::{INGEST_PENDING, INGEST_RECLAIMED};

/// An entry delivered more often than this is not tried again.
const DELIVERIES: u64 = 10;

impl Reader {
    /// Looks for abandoned entries several times within the time that makes them so.
    pub(super) async fn reclaim(self: Arc<Self>) {
        let mut ticks = interval((self.ingest.reclaim_idle / 6).max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.stop.cancelled() => return,
            }
            let result = match self.reclaim_once().await {
                Ok(()) => self.forget_gone().await,
                failed => failed,
            };
            match result {
                // The reader creates the group again.
                Err(error) if !is_missing_group(&error) => log::debug!("nothing can be reclaimed: {error}"),
                _ => {}
            }
        }
    }

    async fn reclaim_once(self: &Arc<Self>) -> RedisResult<()> {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(INGEST_PENDING).set(self.pending().await? as f64);
        // Before the claim: a claimed entry counts as delivered, and must not wait for room until others reclaim it.
        let Some(permit) = self.permit().await else { return Ok(()) };
        let deliveries = self.abandoned().await?;
        if deliveries.is_empty() {
            return Ok(());
        }
        let entries = self.take_over(deliveries.keys()).await?;
        metrics::counter!(INGEST_RECLAIMED).increment(entries.len() as u64);
        // These counts are from before the claim, which adds one.
        let worn = |entry: &Entry| deliveries.get(&entry.id).is_some_and(|count| *count >= DELIVERIES);
        let (worn, entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(worn);
        let reason = || format!("delivered {DELIVERIES} times and never acknowledged");
        self.write_dead_letters(worn.into_iter().map(|entry| (entry, reason())).collect()).await;
        if !entries.is_empty() {
            self.tasks.spawn(self.clone().process(entries, permit));
        }
        Ok(())
    }

    /// Entries of the whole group that are delivered and not acknowledged.
    async fn pending(&self) -> RedisResult<u64> {
        let mut command = redis::cmd("XPENDING");
        command.arg(&self.key).arg(GROUP);
        let summary = self.ingest.with_connection(async |connection| command.query_async(connection).await).await?;
        match summary {
            Value::Array(parts) => parts.into_iter().next().map_or(Ok(0), |count| Ok(u64::from_redis_value(count)?)),
            _ => Ok(0),
        }
    }

    /// Ids that lay idle for too long, and how often they were delivered.
    async fn abandoned(&self) -> RedisResult<HashMap<String, u64>> {
        let idle = milliseconds(self.ingest.reclaim_idle);
        let mut command = redis::cmd("XPENDING");
        command.arg(&self.key).arg(GROUP).arg("IDLE").arg(idle).arg("-").arg("+").arg(COUNT);
        let rows: Vec<(String, String, u64, u64)> =
            self.ingest.with_connection(async |connection| command.query_async(connection).await).await?;
        Ok(rows.into_iter().map(|(id, _, _, count)| (id, count)).collect())
    }

    /// Makes them this consumer's, but for those that another was quicker to take.
    async fn take_over(&self, ids: impl Iterator<Item = &String>) -> RedisResult<Vec<Entry>> {
        let idle = milliseconds(self.ingest.reclaim_idle);
        let mut command = redis::cmd("XCLAIM");
        command.arg(&self.key).arg(GROUP).arg(&self.ingest.instance).arg(idle).arg(ids.collect::<Vec<_>>());
        let answer: Value =
            self.ingest.with_connection(async |connection| command.query_async(connection).await).await?;
        Ok(entry::of_claim(answer))
    }
}
