//! Sends this instance's messages over Redis: one round trip for each batch, in order.

use std::sync::Arc;

use redis::{Cmd, RedisResult};
use tokio::time::{Duration, Instant, timeout};

use super::{
    connection::{Connection, publish_command},
    last,
    servers::{RESPONSE, Servers, timed_out},
};
use crate::bus::{
    backoff::Backoff,
    outgoing::{Deliver, Outgoing, Sending},
    wire::{ephemeral, names::Names},
};

/// A failure as quick as this is a connection that was lost unnoticed, and worth a second attempt at once.
const QUICK: Duration = Duration::from_millis(500);

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
    backoff: Backoff,
    closed_until: Option<Instant>,
}

impl Sender {
    pub(super) fn new(servers: Servers, names: Arc<Names>, instance: Arc<str>) -> Self {
        Self { servers, names, instance, connection: None, backoff: Backoff::default(), closed_until: None }
    }

    /// Whether Redis took the messages.
    async fn send_batch(&mut self, batch: &Batch) -> bool {
        if self.closed_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let started = Instant::now();
        let mut result = self.attempt(batch).await;
        if result.is_err() && started.elapsed() < QUICK {
            result = self.attempt(batch).await;
        }
        // A refusal of Redis shows in the probe, which is logged; a line per batch would drown it.
        match &result {
            Ok(()) => {
                self.backoff.reset();
                self.closed_until = None;
            }
            Err(_) => self.closed_until = Some(Instant::now() + self.backoff.next()),
        }
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
        self.closed_until = None;
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
