//! Who of the instances that hear a channel message is to store it: the first to set a key of the message's own.

use redis::{Cmd, RedisResult};
use sha2::{Digest, Sha256};

use super::Ingest;

/// How long equal messages without an idempotency key count as one, in milliseconds.
const EQUAL_MS: u64 = 2_000;
/// The same for messages with a key; the store remembers them for longer still.
const KEYED_MS: u64 = 10 * 60 * 1_000;

/// A message's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    hash: String,
    milliseconds: u64,
}

impl Claim {
    /// By channel and payload. The channel is part of the claim of keyed messages as well: the same key for another
    /// recipient is a misuse that the write path has to see.
    pub(super) fn new(channel: &[u8], payload: &[u8], keyed: bool) -> Self {
        let hash = Sha256::new().chain_update(channel.len().to_le_bytes()).chain_update(channel).chain_update(payload);
        Self { hash: hex::encode(hash.finalize()), milliseconds: if keyed { KEYED_MS } else { EQUAL_MS } }
    }

    fn key(&self, prefix: &str) -> String {
        format!("{prefix}:claim:{}", self.hash)
    }

    fn command(&self, prefix: &str, instance: &str) -> Cmd {
        let mut command = redis::cmd("SET");
        command.arg(self.key(prefix)).arg(instance).arg("NX");
        command.arg("PX").arg(self.milliseconds);
        command
    }
}

impl Ingest {
    /// Which of the claims are this instance's.
    pub(super) async fn claim(&self, claims: &[Claim]) -> RedisResult<Vec<bool>> {
        let commands = claims.iter().map(|claim| claim.command(&self.prefix, &self.instance)).collect();
        self.with_connection(async |connection| connection.run_all(commands).await).await
    }

    /// Gives claims back, so that the publisher may try again with the same idempotency key.
    pub(super) async fn release(&self, claims: &[Claim]) -> RedisResult<()> {
        let delete = |claim: &Claim| {
            let mut command = redis::cmd("DEL");
            command.arg(claim.key(&self.prefix));
            command
        };
        // Short claims are over by themselves, and might be another's by now.
        let commands: Vec<Cmd> = claims.iter().filter(|claim| claim.milliseconds == KEYED_MS).map(delete).collect();
        if commands.is_empty() {
            return Ok(());
        }
        self.with_connection(async |connection| connection.run_all::<i64>(commands).await.map(drop)).await
    }
}
