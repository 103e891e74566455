//! The listening connection: made, proven, and made anew whenever it fails.
//!
//! It counts as up once a probe has come back: from then on this instance hears what any instance sends. Then it reports `Restored`,
//! and the head check that follows covers everything that was sent before.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::pieces::Gathering;
use crate::{
    bus::{Incoming, backoff::Backoff, outgoing::Outlet, probe::Probe, receiver::Receiver},
    domain::lock::lock,
    metrics::{BUS_PROBE_AGE_SECONDS, BUS_RECONNECTS, BUS_UP},
    store::{NotRelayed, Relay},
};

/// Longest time until a connection is made and listens.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time to the first echo on a fresh connection.
const FIRST_ECHO: Duration = Duration::from_secs(3);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Postgres(#[from] NotRelayed),
    #[error("no connection within {CONNECT:?}")]
    Late,
    #[error("the connection was lost")]
    Lost,
    #[error("probe messages do not come back (a pooler in transaction mode carries none)")]
    Silent,
}

/// Everything that sessions share; one task runs them, one after the other.
pub(super) struct Subscriber {
    pub(super) relay: Relay,
    pub(super) up: Arc<AtomicBool>,
    pub(super) probe: Arc<Probe>,
    pub(super) probe_interval: Duration,
    pub(super) outlet: Outlet,
    pub(super) receiver: Arc<Receiver>,
}

impl Subscriber {
    /// Keeps a session until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            never = self.sessions() => match never {},
            () = stop.cancelled() => self.up.store(false, Ordering::Release),
        }
    }

    async fn sessions(&self) -> Infallible {
        let mut backoff = Backoff::default();
        let mut has_warned = false;
        metrics::gauge!(BUS_UP).set(0.0);
        loop {
            let Err(broken) = self.session().await;
            let was_up = self.up.swap(false, Ordering::AcqRel);
            metrics::gauge!(BUS_UP).set(0.0);
            if was_up || !has_warned {
                log::warn!("the bus is down, streams follow the database until it is back: {broken}");
                has_warned = true;
            }
            if was_up {
                backoff.reset();
                // Before the next session begins: rooms close before a removal can be missed.
                self.receiver.hand(Incoming::Broken);
            }
            self.measure();
            self.outlet.reconnect();
            sleep(backoff.next()).await;
        }
    }

    /// One connection from its making to its end.
    async fn session(&self) -> Result<Infallible, Broken> {
        self.probe.restart();
        let listening = self.relay.listen(self.taker());
        let listener = timeout(CONNECT, listening).await.map_err(|_| Broken::Late)??;
        metrics::counter!(BUS_RECONNECTS).increment(1);
        tokio::select! {
            ended = self.serve() => ended,
            () = listener.lost() => Err(Broken::Lost),
        }
    }

    async fn serve(&self) -> Result<Infallible, Broken> {
        self.send_probe();
        timeout(FIRST_ECHO, self.probe.whole()).await.map_err(|_| Broken::Silent)?;
        self.up.store(true, Ordering::Release);
        metrics::gauge!(BUS_UP).set(1.0);
        log::info!("the bus is up");
        self.receiver.hand(Incoming::Restored);
        self.watch().await
    }

    /// Sends a probe with every tick and gives up when too many are missing.
    async fn watch(&self) -> Result<Infallible, Broken> {
        let mut ticks = interval(self.probe_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.measure();
            if self.probe.is_lost() {
                return Err(Broken::Silent);
            }
            self.send_probe();
        }
    }

    fn measure(&self) {
        if let Some(age) = self.probe.age() {
            metrics::gauge!(BUS_PROBE_AGE_SECONDS).set(age.as_secs_f64());
        }
    }

    fn send_probe(&self) {
        self.outlet.probe(self.probe.next_round());
    }

    /// Messages go to the sink from the connection's own task: no queue lies between, so a slow instance slows its own connection
    /// and no memory grows.
    fn taker(&self) -> impl Fn(&str) + Send + 'static + use<> {
        let (receiver, gathering) = (self.receiver.clone(), Mutex::new(Gathering::default()));
        move |payload| match lock(&gathering).take(payload) {
            Ok(messages) => {
                for (channel, message) in messages {
                    receiver.take(channel.as_bytes(), message);
                }
            }
            Err(reason) => receiver.note_foreign(reason),
        }
    }
}
