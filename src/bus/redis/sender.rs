//! Sends this instance's messages to the others: batches of the queued messages, one round trip each, in order.
//!
//! No caller waits for it: while Redis does not take messages they are dropped and counted.

use std::sync::Arc;

use redis::{Cmd, RedisResult};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    arrivals,
    backoff::Backoff,
    connection::{Connection, publish_command},
    ephemeral, last,
    names::Names,
    servers::{RESPONSE, Servers, timed_out},
    wire,
};
use crate::{
    bus::{Announcement, Arrivals, Control, Left},
    domain::signal::Signal,
    metrics::{BUS_DROPPED, SIGNALS_DROPPED},
};

/// Most messages that wait.
pub(super) const QUEUE: usize = 8_192;
/// Most signals that wait.
pub(super) const SIGNAL_QUEUE: usize = 1_024;
/// Most messages of one round trip.
const BATCH: usize = 512;
/// Most signals of one round trip: so long may an announcement wait for them.
const SIGNAL_BATCH: usize = 64;
/// A failure as quick as this is a connection that was lost unnoticed, and worth a second attempt at once.
const QUICK: Duration = Duration::from_millis(500);

/// A message to other instances.
#[derive(Debug)]
pub(super) enum Outgoing {
    Announcement(Announcement),
    Arrivals(Arrivals),
    Control(Control),
    /// Users that lost a topic; the caller is let go when Redis has taken it.
    Left(Left, oneshot::Sender<()>),
    /// A round of probes.
    Probe(u64),
    /// The path was found broken: send the next messages on a fresh connection.
    Reconnect,
}

/// A signal on its way to Redis.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) signal: Signal,
    /// It is the last value of its subject.
    pub(super) kept: bool,
    /// Notified when Redis has taken it, if a caller waits.
    pub(super) taken: Option<oneshot::Sender<()>>,
}

/// The commands of one round trip.
#[derive(Default)]
struct Batch {
    /// Signals that are kept and sent by one command each.
    kept: Vec<Cmd>,
    /// Channels and messages.
    messages: Vec<(String, Vec<u8>)>,
}

/// The sending task.
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

    /// Sends until `stop`, then the messages that still wait.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Outgoing>,
        mut signal_queue: mpsc::Receiver<Sending>,
        stop: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut signals = Vec::with_capacity(SIGNAL_BATCH);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !queue.is_closed() => queue.close(),
                count = queue.recv_many(&mut batch, BATCH) => if count == 0 { return },
                _ = signal_queue.recv_many(&mut signals, SIGNAL_BATCH) => {}
            }
            if !batch.is_empty() {
                self.deliver(&mut batch).await;
            }
            // Signals are sent between announcements, however many announcements there are.
            while signals.len() < SIGNAL_BATCH
                && let Ok(sending) = signal_queue.try_recv()
            {
                signals.push(sending);
            }
            if !signals.is_empty() {
                self.deliver_signals(&mut signals).await;
            }
        }
    }

    async fn deliver_signals(&mut self, signals: &mut Vec<Sending>) {
        let count = signals.len();
        // A caller that got the answer that its signal did not go may have sent a newer one through another instance.
        signals.retain(|sending| sending.taken.as_ref().is_none_or(|taken| !taken.is_closed()));
        let (mut batch, publish) = (Batch::default(), publish_command(self.servers.is_cluster()));
        for Sending { signal, kept, .. } in &*signals {
            let channel = self.names.address(&signal.subject.to);
            if *kept {
                batch.kept.push(last::keep_and_publish(&channel, publish, signal));
            } else {
                batch.messages.push((channel, ephemeral::signal(signal)));
            }
        }
        let taken = if signals.is_empty() || self.send(&batch).await { signals.len() } else { 0 };
        metrics::counter!(SIGNALS_DROPPED, "reason" => "bus").increment((count - taken) as u64);
        for waiter in signals.drain(..).filter(|_| taken > 0).filter_map(|sending| sending.taken) {
            let _ = waiter.send(()); // the caller may have stopped waiting
        }
    }

    async fn deliver(&mut self, batch: &mut Vec<Outgoing>) {
        let announcements =
            batch.iter().filter(|item| matches!(item, Outgoing::Announcement(_) | Outgoing::Arrivals(_))).count();
        if batch.iter().any(|item| matches!(item, Outgoing::Reconnect)) {
            self.forget();
        }
        let messages: Vec<_> = batch.iter().flat_map(|item| self.render(item)).collect();
        let taken = messages.is_empty() || self.send(&Batch { kept: Vec::new(), messages }).await;
        if !taken {
            metrics::counter!(BUS_DROPPED).increment(announcements as u64);
        }
        for item in batch.drain(..) {
            if let Outgoing::Left(_, waiter) = item
                && taken
            {
                let _ = waiter.send(()); // the caller may have stopped waiting
            }
        }
    }

    fn render(&self, item: &Outgoing) -> Vec<(String, Vec<u8>)> {
        match item {
            Outgoing::Announcement(item) => vec![(self.names.user(&item.key), wire::announcement(item))],
            Outgoing::Arrivals(item) => {
                vec![(self.names.arrivals().to_owned(), arrivals::write(&self.instance, item))]
            }
            Outgoing::Control(item) => {
                vec![(self.names.control().to_owned(), wire::control(&self.instance, item))]
            }
            Outgoing::Left(item, _) => vec![(self.names.topic(&item.topic), ephemeral::left(item))],
            Outgoing::Probe(round) => {
                let probe = |(index, name): (usize, &String)| (name.clone(), wire::probe(*round, index));
                self.names.probes().iter().enumerate().map(probe).collect()
            }
            Outgoing::Reconnect => Vec::new(),
        }
    }

    /// Whether Redis took the messages.
    async fn send(&mut self, batch: &Batch) -> bool {
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

    fn forget(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.discard();
        }
        self.closed_until = None;
    }
}
