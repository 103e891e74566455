//! The bus over Redis: a sender, a subscribed connection, and the proof that the two meet.
//!
//! Redis may lose everything at any moment. Then this reports it ([`Health`]) and reconnects, and the head check finds the missed changes.
//! Nothing here stores anything.

mod arrivals;
mod ephemeral;
mod last;
mod names;
mod probe;
mod sender;
mod session;
mod slot;
mod wanted;
mod wire;

#[cfg(test)]
pub(crate) mod harness;
#[cfg(test)]
mod tests;

pub(crate) mod backoff;
pub(crate) mod connection;
pub(crate) mod servers;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub use self::servers::Servers;
use self::{
    names::Names,
    probe::Probe,
    sender::{Outgoing, Sender, Sending},
    session::Subscriber,
    wanted::Wanted,
};
use super::{Announcement, Arrivals, Control, Health, Incoming, Left, Sink};
use crate::{
    config::RedisSettings,
    domain::{
        signal::{Signal, TopicKey},
        user::UserKey,
    },
    metrics::BUS_DROPPED,
};

/// Longest time that a caller waits for the confirmation of a subscription.
const CONFIRMATION: Duration = Duration::from_secs(2);
/// Longest time that a caller waits until Redis has taken a signal or a removal.
const TAKEN: Duration = Duration::from_secs(1);

/// An announcement as it travels over Redis: its channel and its message. `prefix` is the first part of all channels.
pub fn message(prefix: &str, announcement: &Announcement) -> (String, Vec<u8>) {
    (names::of_user(&names::opening(prefix), &announcement.key), wire::announcement(announcement))
}

/// The handle; cheap to clone.
#[derive(Clone)]
pub struct RedisBus(Arc<Shared>);

struct Shared {
    servers: Servers,
    names: Arc<Names>,
    wanted: Arc<Wanted>,
    probe: Arc<Probe>,
    outgoing: mpsc::Sender<Outgoing>,
    signals: mpsc::Sender<Sending>,
    sink: Sink,
}

impl RedisBus {
    /// Starts the bus' tasks. Redis may be away: the bus is down until it is there.
    ///
    /// # Errors
    /// When the settings or the prefix make no sense.
    pub fn start(
        settings: &RedisSettings,
        prefix: &str,
        sink: Sink,
        stop: CancellationToken,
        tracker: &TaskTracker,
    ) -> anyhow::Result<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
        anyhow::ensure!(
            !prefix.is_empty() && prefix.bytes().all(plain),
            "the prefix is of A-Z, a-z, 0-9, _, ., : and -"
        );
        let servers = Servers::new(settings)?;
        let instance: Arc<str> = Uuid::new_v4().simple().to_string().into();
        let names = Arc::new(Names::new(prefix, &instance, servers.is_cluster()));
        let wanted = Arc::new(Wanted::default());
        let probe = Arc::new(Probe::new(names.probes().len()));
        let (outgoing, queue) = mpsc::channel(sender::QUEUE);
        let (signals, signal_queue) = mpsc::channel(sender::SIGNAL_QUEUE);
        let subscriber = Subscriber {
            servers: servers.clone(),
            names: names.clone(),
            instance: instance.clone(),
            wanted: wanted.clone(),
            probe: probe.clone(),
            probe_interval: settings.probe_interval,
            outgoing: outgoing.clone(),
            sink: sink.clone(),
        };
        tracker.spawn(subscriber.run(stop.clone()));
        tracker.spawn(Sender::new(servers.clone(), names.clone(), instance).run(queue, signal_queue, stop));
        Ok(Self(Arc::new(Shared { servers, names, wanted, probe, outgoing, signals, sink })))
    }

    /// The server or cluster that this bus uses, for other users of Redis.
    pub fn servers(&self) -> &Servers {
        &self.0.servers
    }

    pub(super) fn subscribe(&self, key: &UserKey) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.join(self.0.names.user(key))
    }

    pub(super) fn follow(&self, topic: &TopicKey) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.join(self.0.names.topic(topic))
    }

    fn join(&self, channel: String) -> impl Future<Output = ()> + Send + 'static + use<> {
        let confirmation = self.0.wanted.join(channel.into());
        async move {
            if let Some(confirmation) = confirmation {
                let _ = timeout(CONFIRMATION, confirmation).await; // late or never, the head check stands in
            }
        }
    }

    pub(super) fn follows(&self, topic: &TopicKey) -> bool {
        self.0.wanted.is_confirmed(&self.0.names.topic(topic))
    }

    pub(super) fn unfollow(&self, topic: &TopicKey) {
        self.0.wanted.leave(&self.0.names.topic(topic).into());
    }

    pub(super) fn unsubscribe(&self, key: &UserKey) {
        self.0.wanted.leave(&self.0.names.user(key).into());
    }

    pub(super) fn announce(&self, announcements: Vec<Announcement>) {
        for announcement in announcements {
            if self.0.outgoing.try_send(Outgoing::Announcement(announcement)).is_err() {
                metrics::counter!(BUS_DROPPED).increment(1);
            }
        }
    }

    pub(super) fn send_arrivals(&self, arrivals: Arrivals) {
        if self.0.outgoing.try_send(Outgoing::Arrivals(arrivals)).is_err() {
            metrics::counter!(BUS_DROPPED).increment(1);
        }
    }

    pub(super) fn signal(&self, signal: Signal, kept: bool) -> impl Future<Output = bool> + Send + 'static + use<> {
        let (taken, answer) = oneshot::channel();
        let sent = self.0.signals.try_send(Sending { signal, kept, taken: Some(taken) }).is_ok();
        async move { sent && is_taken(answer).await }
    }

    pub(super) fn cast(&self, signal: Signal) -> bool {
        self.0.signals.try_send(Sending { signal, kept: false, taken: None }).is_ok()
    }

    pub(super) async fn send_removal(&self, left: Left) -> bool {
        let (taken, answer) = oneshot::channel();
        let sent = self.0.outgoing.try_send(Outgoing::Left(left, taken)).is_ok();
        sent && is_taken(answer).await
    }

    pub(super) fn control(&self, control: Control) {
        (self.0.sink)(Incoming::Control(control.clone()));
        let _ = self.0.outgoing.try_send(Outgoing::Control(control)); // other instances look by themselves in time
    }

    pub(super) fn health(&self) -> Health {
        Health { up: self.0.wanted.is_up(), probe_age: self.0.probe.age() }
    }
}

async fn is_taken(answer: oneshot::Receiver<()>) -> bool {
    matches!(timeout(TAKEN, answer).await, Ok(Ok(())))
}
