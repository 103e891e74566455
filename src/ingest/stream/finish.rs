//! Ends entries by acknowledging them or by dead letters, and removes consumers.

use redis::{RedisResult, Script};

use super::{Entry, GROUP, Reader, letter};
use crate::bus::backoff::Backoff;

/// Attempts to acknowledge. An unacknowledged entry is read again, and its idempotency key shows that it is stored.
const ATTEMPTS: u32 = 5;
/// Consumers that were silent for so long are gone for good.
const GONE_MS: u64 = 60 * 60 * 1_000;

/// Deletes consumers that have nothing pending, in one step: entries of a deleted consumer would never be read again.
const FORGET: &str = r"
local forgotten = 0
for _, raw in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local consumer = {}
    for i = 1, #raw, 2 do consumer[raw[i]] = raw[i + 1] end
    local meant = consumer.name == ARGV[2] or (ARGV[2] == '' and consumer.idle >= tonumber(ARGV[3]))
    if meant and consumer.pending == 0 then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
        forgotten = forgotten + 1
    end
end
return forgotten";

impl Reader {
    /// Ends entries that are stored.
    pub(super) async fn acknowledge(&self, ids: &[String]) {
        if ids.is_empty() {
            return;
        }
        let mut backoff = Backoff::default();
        for _ in 0..ATTEMPTS {
            match self.remove(ids).await {
                Ok(()) => return,
                Err(error) => log::debug!("entries of the ingest stream could not be acknowledged: {error}"),
            }
            self.pause(backoff.next()).await;
        }
    }

    async fn remove(&self, ids: &[String]) -> RedisResult<()> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("XACK").arg(&self.key).arg(GROUP).arg(ids).ignore();
        pipeline.cmd("XDEL").arg(&self.key).arg(ids).ignore();
        self.ingest.with_connection(async |connection| pipeline.query_async::<()>(connection).await).await
    }

    /// Ends entries that never can be stored. They are acknowledged only when their letters are written.
    pub(super) async fn write_dead_letters(&self, refused: Vec<(Entry, String)>) {
        if refused.is_empty() {
            return;
        }
        let ids: Vec<String> = refused.iter().map(|(entry, _)| entry.id.clone()).collect();
        let letters: Vec<_> = refused.into_iter().map(|(entry, reason)| letter(entry, reason)).collect();
        match self.ingest.write_dead_letters(&letters).await {
            Ok(()) => {
                log::warn!("{} entries of the ingest stream became dead letters, which have the reasons", ids.len());
                self.acknowledge(&ids).await;
            }
            Err(error) => log::warn!("dead letters could not be written, their entries stay pending: {error}"),
        }
    }

    /// Deletes this consumer, unless it leaves entries behind.
    pub(super) async fn leave(&self) -> RedisResult<()> {
        self.forget(&self.ingest.instance).await
    }

    /// Deletes consumers of all names that are long gone.
    pub(super) async fn forget_gone(&self) -> RedisResult<()> {
        self.forget("").await
    }

    async fn forget(&self, name: &str) -> RedisResult<()> {
        let script = Script::new(FORGET);
        let mut call = script.key(&self.key);
        call.arg(GROUP).arg(name).arg(GONE_MS);
        self.ingest.with_connection(async |connection| call.invoke_async::<i64>(connection).await.map(drop)).await
    }
}
