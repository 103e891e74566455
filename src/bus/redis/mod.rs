//! The bus over Redis: a sender, a subscribed connection, and the proof that the two meet.
//!
//! Redis may lose everything at any moment. Then this reports it ([`Health`]) and reconnects, and the head check finds the missed changes.
//! Nothing here stores anything.

mod last;
mod sender;
mod session;
mod wanted;

#[cfg(test)]
pub(crate) mod harness;
#[cfg(test)]
mod tests;

pub(crate) mod connection;
pub(crate) mod servers;

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use uuid::Uuid;

pub use self::servers::Servers;
use self::{sender::Sender, session::Subscriber, wanted::Wanted};
use super::{
    Announcement, Control, Health, Incoming, Setup, Sink,
    outgoing::{Outlet, queues},
    probe::Probe,
    receiver::Receiver,
    wire::{
        self,
        names::{self, Names},
    },
};
use crate::{
    config::RedisSettings,
    domain::{signal::TopicKey, user::UserKey},
};

/// Longest time that a caller waits for the confirmation of a subscription.
const CONFIRMATION: Duration = Duration::from_secs(2);
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
    outlet: Outlet,
    sink: Sink,
}

impl RedisBus {
    /// Starts the bus' tasks. Redis may be away: the bus is down until it is there.
    ///
    /// # Errors
    /// When the settings or the prefix make no sense.
    pub fn start(settings: &RedisSettings, setup: Setup<'_>) -> anyhow::Result<Self> {
        let Setup { prefix, probe_interval, sink, stop, tracker } = setup;
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
        let (outlet, queues) = queues();
        let receiver = Receiver::new(names.clone(), instance.clone(), probe.clone(), sink.clone());
        let subscriber = Subscriber {
            prefix: prefix.to_owned(),
            servers: servers.clone(),
            names: names.clone(),
            wanted: wanted.clone(),
            probe: probe.clone(),
            probe_interval,
            outlet: outlet.clone(),
            receiver,
        };
        tracker.spawn(subscriber.run(stop.clone()));
        tracker.spawn(queues.run(Sender::new(servers.clone(), names.clone(), instance), stop));
        Ok(Self(Arc::new(Shared { servers, names, wanted, probe, outlet, sink })))
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

    pub(super) fn outlet(&self) -> &Outlet {
        &self.0.outlet
    }

    pub(super) fn control(&self, control: Control) {
        (self.0.sink)(Incoming::Control(control.clone()));
        self.0.outlet.control(control);
    }

    pub(super) fn health(&self) -> Health {
        Health { up: self.0.wanted.is_up(), probe_age: self.0.probe.age() }
    }
}
