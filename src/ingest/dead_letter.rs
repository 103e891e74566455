//! Dead letters: refused messages, with the reason, for an operator to read and perhaps to send again.

use redis::{Cmd, RedisResult};

use super::Ingest;
use crate::{domain::notification::Source, metrics::INGEST_DEAD};

/// Dead letters kept, about.
const KEPT: usize = 10_000;
/// Most bytes of any of a letter's fields.
const FIELD_BYTES: usize = 4 * 1024;

/// A refused message.
#[derive(Debug)]
pub(super) struct DeadLetter {
    pub(super) source: Source,
    pub(super) reason: String,
    /// The channel's name, or the entry's id.
    pub(super) origin: Vec<u8>,
    pub(super) tenant: Option<Vec<u8>>,
    pub(super) message: Vec<u8>,
}

impl Ingest {
    /// Writes dead letters, all in one round trip.
    pub(super) async fn write_dead_letters(&self, letters: &[DeadLetter]) -> RedisResult<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let key = format!("{}:ingest:dead", self.prefix);
        let commands = letters.iter().map(|letter| letter.command(&key)).collect();
        self.with_connection(async |connection| connection.run_all::<String>(commands).await).await?;
        for letter in letters {
            metrics::counter!(INGEST_DEAD, "source" => letter.source.as_str()).increment(1);
        }
        Ok(())
    }
}

impl DeadLetter {
    fn command(&self, key: &str) -> Cmd {
        let mut command = redis::cmd("XADD");
        command.arg(key).arg("MAXLEN").arg("~").arg(KEPT).arg("*");
        command.arg("reason").arg(head(self.reason.as_bytes())).arg("source").arg(self.source.as_str());
        if let Some(tenant) = &self.tenant {
            command.arg("tenant").arg(head(tenant));
        }
        let origin = if self.source == Source::Channel { "channel" } else { "entry" };
        command.arg(origin).arg(head(&self.origin)).arg("message").arg(head(&self.message));
        command
    }
}

fn head(field: &[u8]) -> &[u8] {
    &field[..field.len().min(FIELD_BYTES)]
}
