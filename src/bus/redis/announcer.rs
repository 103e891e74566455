//! Sends what this instance tells the others: batches of whatever waits, one round trip each, in order.
//!
//! It never holds anybody up: while Redis does not take messages they are dropped and counted.

use std::sync::Arc;

use redis::RedisResult;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    arrivals,
    backoff::Backoff,
    connection::Connection,
    names::Names,
    servers::{RESPONSE, Servers, timed_out},
    wire,
};
use crate::{
    bus::{Announcement, Arrivals, Control},
    metrics::BUS_DROPPED,
};

/// Most messages that wait.
pub(super) const QUEUE: usize = 8_192;
/// Most messages of one round trip.
const BATCH: usize = 512;
/// A failure as quick as this is a connection that was lost unnoticed, and worth a second attempt at once.
const QUICK: Duration = Duration::from_millis(500);

/// A message to other instances.
#[derive(Debug)]
pub(super) enum Outgoing {
    Announcement(Announcement),
    Arrivals(Arrivals),
    Control(Control),
    /// An order whose giver is told when Redis has taken it, or will not.
    Order(Control, oneshot::Sender<()>),
    /// A round of probes.
    Probe(u64),
    /// The path was found broken: send what follows on a fresh connection.
    Reconnect,
}

/// The sending task.
pub(super) struct Announcer {
    servers: Servers,
    names: Arc<Names>,
    instance: Arc<str>,
    connection: Option<Connection>,
    backoff: Backoff,
    closed_until: Option<Instant>,
}

impl Announcer {
    pub(super) fn new(servers: Servers, names: Arc<Names>, instance: Arc<str>) -> Self {
        Self { servers, names, instance, connection: None, backoff: Backoff::default(), closed_until: None }
    }

    /// Sends until told to stop, then what still waits.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Outgoing>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                count = queue.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = stop.cancelled(), if !queue.is_closed() => queue.close(),
            }
            self.deliver(&mut batch).await;
        }
    }

    async fn deliver(&mut self, batch: &mut Vec<Outgoing>) {
        let announcements =
            batch.iter().filter(|item| matches!(item, Outgoing::Announcement(_) | Outgoing::Arrivals(_))).count();
        if batch.iter().any(|item| matches!(item, Outgoing::Reconnect)) {
            self.forget();
        }
        let messages: Vec<_> = batch.iter().flat_map(|item| self.render(item)).collect();
        if !messages.is_empty() && !self.send(&messages).await {
            metrics::counter!(BUS_DROPPED).increment(announcements as u64);
        }
        for item in batch.drain(..) {
            if let Outgoing::Order(_, done) = item {
                let _ = done.send(()); // who gave it may not wait any more
            }
        }
    }

    fn render(&self, item: &Outgoing) -> Vec<(String, Vec<u8>)> {
        match item {
            Outgoing::Announcement(item) => vec![(self.names.user(&item.key), wire::announcement(item))],
            Outgoing::Arrivals(item) => {
                vec![(self.names.arrivals().to_owned(), arrivals::write(&self.instance, item))]
            }
            Outgoing::Control(item) | Outgoing::Order(item, _) => {
                vec![(self.names.control().to_owned(), wire::control(&self.instance, item))]
            }
            Outgoing::Probe(round) => {
                let probe = |(index, name): (usize, &String)| (name.clone(), wire::probe(*round, index));
                self.names.probes().iter().enumerate().map(probe).collect()
            }
            Outgoing::Reconnect => Vec::new(),
        }
    }

    /// Whether Redis took the messages.
    async fn send(&mut self, messages: &[(String, Vec<u8>)]) -> bool {
        if self.closed_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let started = Instant::now();
        let mut result = self.attempt(messages).await;
        if result.is_err() && started.elapsed() < QUICK {
            result = self.attempt(messages).await;
        }
        // What Redis refuses shows in the probe, which is logged; a line per batch would drown it.
        match &result {
            Ok(()) => {
                self.backoff.reset();
                self.closed_until = None;
            }
            Err(_) => self.closed_until = Some(Instant::now() + self.backoff.next()),
        }
        result.is_ok()
    }

    async fn attempt(&mut self, messages: &[(String, Vec<u8>)]) -> RedisResult<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.servers.pooled().await?,
        };
        let result = timeout(RESPONSE, connection.publish(messages)).await.unwrap_or_else(|_| Err(timed_out()));
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
