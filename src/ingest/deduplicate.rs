//! One instance stores a channel message that all of them receive: the first to set a key made of the message itself.

use redis::{Cmd, RedisResult};
use sha2::{Digest, Sha256};

use super::Ingest;

/// How long equal messages without an idempotency key count as one, in milliseconds.
const EQUAL_MS: u64 = 2_000;
/// The same for messages with a key; the store remembers them for longer still.
const KEYED_MS: u64 = 10 * 60 * 1_000;

/// A message's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DedupKey {
    hash: String,
    milliseconds: u64,
}

impl DedupKey {
    /// By channel and payload. The channel counts for messages with an idempotency key as well: the same key for another recipient
    /// is a misuse that the write path has to see.
    pub(super) fn new(channel: &[u8], payload: &[u8], keyed: bool) -> Self {
        let hash = Sha256::new().chain_update(channel.len().to_le_bytes()).chain_update(channel).chain_update(payload);
        Self { hash: hex::encode(hash.finalize()), milliseconds: if keyed { KEYED_MS } else { EQUAL_MS } }
    }

    fn name(&self, prefix: &str) -> String {
        format!("{prefix}:claim:{}", self.hash)
    }

    fn command(&self, prefix: &str, instance: &str) -> Cmd {
        let mut command = redis::cmd("SET");
        command.arg(self.name(prefix)).arg(instance).arg("NX");
        command.arg("PX").arg(self.milliseconds);
        command
    }
}

impl Ingest {
    /// Sets the keys that no instance has set; answers which those were.
    pub(super) async fn acquire(&self, keys: &[DedupKey]) -> RedisResult<Vec<bool>> {
        let commands = keys.iter().map(|key| key.command(&self.prefix, &self.instance)).collect();
        self.with_connection(async |connection| connection.run_all(commands).await).await
    }

    /// Deletes keys, so that the publisher may try again with the same idempotency key.
    pub(super) async fn release(&self, keys: &[DedupKey]) -> RedisResult<()> {
        let delete = |key: &DedupKey| {
            let mut command = redis::cmd("DEL");
            command.arg(key.name(&self.prefix));
            command
        };
        // Short-lived keys expire by themselves, and might be another instance's by now.
        let commands: Vec<Cmd> = keys.iter().filter(|key| key.milliseconds == KEYED_MS).map(delete).collect();
        if commands.is_empty() {
            return Ok(());
        }
        self.with_connection(async |connection| connection.run_all::<i64>(commands).await.map(drop)).await
    }
}
