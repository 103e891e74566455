//! The subscribed connection: it is opened, proven, kept equal to the wanted channels, and opened again when it fails.
//!
//! A caller waits only for a subscription that will count. The order of a session's steps keeps this promise:
//!
//! 1. It subscribes to the probes, then to every wanted channel. Callers that join meanwhile do not wait: for them the session is down.
//! 2. It waits for the echo of a probe, which proves the whole path: a connection may answer and still receive nothing.
//! 3. It subscribes to the channels that were joined meanwhile, until there are none, and counts as up from then on.
//! 4. It reports `Restored`. The head check that follows covers everything that was announced before step 3.

use std::{convert::Infallible, sync::Arc, time::Duration};

use redis::{PushInfo, PushKind, RedisError, Value};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{Connection, Listener},
    servers::{RESPONSE, Servers, is_replica, probe_write},
    wanted::{Wanted, Work},
};
use crate::{
    bus::{
        Incoming,
        backoff::Backoff,
        outgoing::Outlet,
        probe::Probe,
        receiver::Receiver,
        wire::{Foreign, names::Names},
    },
    metrics::{BUS_PROBE_AGE_SECONDS, BUS_RECONNECTS, BUS_UP},
};

/// Most channels of one command.
const CHUNK: usize = 500;
/// Longest time to the first echo on a fresh connection.
const FIRST_ECHO: Duration = Duration::from_secs(3);
/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("the connection was lost")]
    Lost,
    #[error("probe messages do not come back")]
    Silent,
}

/// Everything that sessions share; one task runs them, one after the other.
pub(super) struct Subscriber {
    pub(super) servers: Servers,
    /// First part of every key.
    pub(super) prefix: String,
    pub(super) names: Arc<Names>,
    pub(super) wanted: Arc<Wanted>,
    pub(super) probe: Arc<Probe>,
    pub(super) probe_interval: Duration,
    pub(super) outlet: Outlet,
    pub(super) receiver: Receiver,
}

impl Subscriber {
    /// Keeps a session until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let subscriber = Arc::new(self);
        tokio::select! {
            never = subscriber.sessions() => match never {},
            () = stop.cancelled() => { subscriber.wanted.broke(); }
        }
    }

    async fn sessions(self: &Arc<Self>) -> Infallible {
        let mut backoff = Backoff::default();
        let mut has_warned = false;
        metrics::gauge!(BUS_UP).set(0.0);
        loop {
            let Err(broken) = self.session().await;
            let was_up = self.wanted.broke();
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
            self.servers.drop_idle();
            self.outlet.reconnect();
            sleep(backoff.next()).await;
        }
    }

    /// One connection from its making to its end.
    async fn session(self: &Arc<Self>) -> Result<Infallible, Broken> {
        let lost = CancellationToken::new();
        let mut connection = self.servers.dedicated(RESPONSE, Some(self.listener(lost.clone()))).await?;
        metrics::counter!(BUS_RECONNECTS).increment(1);
        tokio::select! {
            ended = self.serve(&mut connection) => ended,
            () = lost.cancelled() => Err(Broken::Lost),
        }
    }

    async fn serve(&self, connection: &mut Connection) -> Result<Infallible, Broken> {
        self.wanted.restart();
        self.probe.restart();
        connection.subscribe(self.names.probes()).await?;
        connection.subscribe(&[self.names.control(), self.names.arrivals()]).await?;
        self.catch_up(connection).await?;
        self.send_probe();
        timeout(FIRST_ECHO, self.probe.whole()).await.map_err(|_| Broken::Silent)?;
        // A channel that is joined between the two calls makes `mend` answer false; its caller did not wait.
        while !self.wanted.mend() {
            self.catch_up(connection).await?;
        }
        metrics::gauge!(BUS_UP).set(1.0);
        log::info!("the bus is up");
        self.receiver.hand(Incoming::Restored);
        tokio::select! {
            ended = self.follow(connection) => ended,
            ended = self.watch() => ended,
        }
    }

    /// Brings Redis in line with the wanted channels, again and again, and sees whether the server still takes writes.
    async fn follow(&self, connection: &mut Connection) -> Result<Infallible, Broken> {
        let mut ticks = interval(self.probe_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.wanted.changed() => self.catch_up(connection).await?,
                _ = ticks.tick() => self.check_role(connection).await?,
            }
        }
    }

    /// Fails on a server that has become a replica: the path there may be whole, but other instances follow the primary. In a cluster
    /// the client finds the primaries itself. Other refusals are not the bus's: it writes nothing to pass messages on.
    async fn check_role(&self, connection: &mut Connection) -> Result<(), RedisError> {
        if self.servers.is_cluster() {
            return Ok(());
        }
        let command = probe_write(&self.prefix, &self.prefix, "the bus");
        // An answer that is late waits behind messages; whether those come at all is shown by the probes.
        match timeout(RESPONSE, command.query_async::<Value>(connection)).await {
            Ok(Err(error)) if is_replica(&error) => Err(error),
            _ => Ok(()),
        }
    }

    async fn catch_up(&self, connection: &mut Connection) -> Result<(), RedisError> {
        while let Some(work) = self.wanted.work() {
            self.perform(connection, work).await?;
        }
        Ok(())
    }

    async fn perform(&self, connection: &mut Connection, Work { leave, join }: Work) -> Result<(), RedisError> {
        for chunk in leave.chunks(CHUNK) {
            connection.unsubscribe(chunk).await?;
        }
        for chunk in join.chunks(CHUNK) {
            connection.subscribe(chunk).await?;
            self.wanted.confirmed(chunk);
        }
        Ok(())
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

    /// Messages go to the sink from the connection's own task: no queue lies between, so a slow instance slows its
    /// own connection and no memory grows.
    fn listener(self: &Arc<Self>, lost: CancellationToken) -> Listener {
        let subscriber = Arc::downgrade(self);
        Arc::new(move |push: PushInfo| {
            let Some(subscriber) = subscriber.upgrade() else { return };
            match push.kind {
                PushKind::Disconnection => lost.cancel(),
                // The server took a channel away that is still wanted: its slot has moved to another shard. The
                // client took the message for the answer to some command, so nothing can be built on it any more.
                PushKind::SUnsubscribe if subscriber.is_taken(&push.data) => lost.cancel(),
                PushKind::Message | PushKind::SMessage => subscriber.receive(push.data),
                _ => {}
            }
        })
    }

    fn is_taken(&self, data: &[Value]) -> bool {
        match data.first() {
            Some(Value::BulkString(channel)) => {
                str::from_utf8(channel).is_ok_and(|name| self.wanted.is_confirmed(name))
            }
            _ => false,
        }
    }

    /// Takes the channel and the message out of a push of the server.
    fn receive(&self, data: Vec<Value>) {
        let mut data = data.into_iter();
        match (data.next(), data.next()) {
            (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) => {
                self.receiver.take(&channel, message.into());
            }
            _ => self.receiver.note_foreign(Foreign::Malformed),
        }
    }
}
