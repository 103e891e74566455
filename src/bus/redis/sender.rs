//! Sends this instance's messages over Redis: one round trip for each batch, in order.

use std::sync::Arc;

use redis::{Cmd, RedisResult};
use tokio::time::timeout;

use super::{
    connection::{Connection, publish_command},
    last,
    servers::{RESPONSE, Servers, timed_out},
};
use crate::bus::{
    backoff::Breaker,
    outgoing::{Deliver, Outgoing, Sending},
    wire::{ephemeral, names::Names},
};

/// The commands of one round trip.
#[derive(Default)]
struct Batch {
    /// Signals that are kept and sent by one command each.
    kept: Vec<Cmd>,
    /// Channels and messages.
    messages: Vec<(String, Vec<u8>)>,
}

/// The sending side.
pub(super) struct Sender {
    servers: Servers,
    names: Arc<Names>,
    instance: Arc<str>,
    connection: Option<Connection>,
    breaker: Breaker,
}

impl Sender {
    pub(super) fn new(servers: Servers, names: Arc<Names>, instance: Arc<str>) -> Self {
        Self { servers, names, instance, connection: None, breaker: Breaker::default() }
    }

    /// Whether Redis took the messages.
    async fn send_batch(&mut self, batch: &Batch) -> bool {
        let Some(attempt) = self.breaker.attempt() else { return false };
        let mut result = self.attempt(batch).await;
        if result.is_err() && attempt.failed_quickly() {
            result = self.attempt(batch).await;
        }
        // A refusal of Redis shows in the probe, which is logged; a line per batch would drown it.
        self.breaker.ended(result.is_ok());
        result.is_ok()
    }

    async fn attempt(&mut self, batch: &Batch) -> RedisResult<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.servers.pooled().await?,
        };
        let sending = connection.run_and_publish(batch.kept.clone(), &batch.messages);
        let result = timeout(RESPONSE, sending).await.unwrap_or_else(|_| Err(timed_out()));
        match &result {
            Ok(()) => self.connection = Some(connection),
            Err(_) => connection.discard(),
        }
        result
    }
}

impl Deliver for Sender {
    fn forget(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.discard();
        }
        self.breaker.close();
    }

    async fn send(&mut self, batch: &[Outgoing]) -> bool {
        let messages: Vec<_> = batch.iter().flat_map(|item| item.messages(&self.names, &self.instance)).collect();
        messages.is_empty() || self.send_batch(&Batch { kept: Vec::new(), messages }).await
    }

    async fn send_signals(&mut self, signals: &[Sending]) -> usize {
        let (mut batch, publish) = (Batch::default(), publish_command(self.servers.is_cluster()));
        for Sending { signal, kept, .. } in signals {
            let channel = self.names.address(&signal.subject.to);
            if *kept {
                batch.kept.push(last::keep_and_publish(&channel, publish, signal));
            } else {
                batch.messages.push((channel, ephemeral::signal(signal)));
            }
        }
        if self.send_batch(&batch).await { signals.len() } else { 0 }
    }
}
