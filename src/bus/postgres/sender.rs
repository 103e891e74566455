//! Sends this instance's messages by NOTIFY: one statement for each batch, in order.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::pieces::{self, PIECE_BYTES};
use crate::{
    bus::{
        KEPT_FOR, KEPT_SUBJECTS,
        backoff::Breaker,
        outgoing::{Deliver, Outgoing, Sending},
        wire::{ephemeral, names::Names},
    },
    domain::signal::{Address, Signal},
    store::{Keeping, NotRelayed, Relay, RelaySender},
};

/// Longest time that Postgres may take for a batch: what waits behind it is late as long.
const ANSWER: Duration = Duration::from_secs(2);
/// Between two removals of values that are kept no longer.
const SWEEP: Duration = Duration::from_mins(1);

/// An operation on the connection.
#[derive(Clone, Copy)]
enum Operation<'a> {
    Notify(&'a [String]),
    Keep(&'a Keeping),
    ForgetValues,
}

/// The sending side.
pub(super) struct Sender {
    relay: Relay,
    names: Arc<Names>,
    instance: Arc<str>,
    connection: Option<RelaySender>,
    breaker: Breaker,
    swept_at: Option<Instant>,
}

impl Sender {
    pub(super) fn new(relay: Relay, names: Arc<Names>, instance: Arc<str>) -> Self {
        Self { relay, names, instance, connection: None, breaker: Breaker::default(), swept_at: None }
    }

    /// Whether Postgres did it. A refusal shows in the probe, which is logged; a line per batch would drown it.
    async fn run(&mut self, operation: Operation<'_>) -> bool {
        let Some(attempt) = self.breaker.attempt() else { return false };
        let mut succeeded = self.attempt(operation).await;
        if !succeeded && attempt.failed_quickly() {
            succeeded = self.attempt(operation).await;
        }
        self.breaker.ended(succeeded);
        succeeded
    }

    /// Runs an operation on the connection, or on a fresh one if that has failed.
    async fn attempt(&mut self, operation: Operation<'_>) -> bool {
        let attempt = async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.relay.sender().await?,
            };
            match operation {
                Operation::Notify(payloads) => connection.notify(payloads).await?,
                Operation::Keep(keeping) => connection.keep_and_notify(keeping).await?,
                Operation::ForgetValues => connection.forget_values(KEPT_FOR, KEPT_SUBJECTS).await?,
            }
            Ok::<_, NotRelayed>(connection)
        };
        // A connection whose answer is late or an error is dropped: its next answer could be the one of this operation.
        self.connection = timeout(ANSWER, attempt).await.ok().and_then(Result::ok);
        self.connection.is_some()
    }

    async fn send_one(&mut self, signal: &Signal, kept: bool) -> bool {
        let channel = self.names.address(&signal.subject.to);
        let Address::Topic(topic) = signal.subject.to.clone() else {
            return self.send_all(&[(channel, ephemeral::signal(signal))]).await;
        };
        if !kept {
            return self.send_all(&[(channel, ephemeral::signal(signal))]).await;
        }
        let (before, value) = ephemeral::around_time(signal);
        let Ok(value) = String::from_utf8(value) else { return false };
        let keeping = Keeping {
            topic,
            subject: ephemeral::field(&signal.subject),
            before: pieces::opening(&channel) + &before,
            value,
            origin: self.instance.clone(),
            piece: PIECE_BYTES,
        };
        self.run(Operation::Keep(&keeping)).await
    }

    async fn send_all(&mut self, messages: &[(String, Vec<u8>)]) -> bool {
        let payloads = pieces::cut(&self.instance, messages);
        payloads.is_empty() || self.run(Operation::Notify(&payloads)).await
    }

    async fn sweep(&mut self) {
        if self.swept_at.is_some_and(|at| at.elapsed() < SWEEP) {
            return;
        }
        self.swept_at = Some(Instant::now());
        self.run(Operation::ForgetValues).await;
    }
}

impl Deliver for Sender {
    fn forget(&mut self) {
        self.connection = None;
        self.breaker.close();
    }

    async fn send(&mut self, batch: &[Outgoing]) -> bool {
        let messages: Vec<_> = batch.iter().flat_map(|item| item.messages(&self.names, &self.instance)).collect();
        self.send_all(&messages).await
    }

    async fn send_signals(&mut self, signals: &[Sending]) -> usize {
        for (sent, Sending { signal, kept, .. }) in signals.iter().enumerate() {
            if !self.send_one(signal, *kept).await {
                return sent;
            }
        }
        self.sweep().await;
        signals.len()
    }
}
