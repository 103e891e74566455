//! The bus over Postgres, for several instances without Redis: LISTEN and NOTIFY on one channel, which every instance hears whole.
//!
//! Postgres sends the notices of one commit after those of the commit before, to every listener alike. So signals and removals keep
//! one order, as over Redis. Notices are lost when a connection is: then this reports it ([`Health`]) and reconnects, and the head
//! check finds the missed changes.

mod pieces;
mod sender;
mod session;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use uuid::Uuid;

use self::{sender::Sender, session::Subscriber};
use super::{
    Control, Health, Incoming, KEPT_FOR, KEPT_SUBJECTS, Setup, Sink,
    outgoing::{Outlet, queues},
    probe::Probe,
    receiver::Receiver,
    wire::{ephemeral, names::Names},
};
use crate::{
    domain::signal::{Address, Signal, TopicKey},
    store::{LastValue, Relay, Unavailable},
};

/// The handle; cheap to clone.
#[derive(Clone)]
pub struct PostgresBus(Arc<Shared>);

struct Shared {
    relay: Relay,
    up: Arc<AtomicBool>,
    probe: Arc<Probe>,
    outlet: Outlet,
    sink: Sink,
}

impl PostgresBus {
    /// Starts the bus' tasks. Postgres may be away: the bus is down until it is there.
    pub fn start(relay: Relay, setup: Setup<'_>) -> Self {
        let Setup { prefix, probe_interval, sink, stop, tracker } = setup;
        let instance: Arc<str> = Uuid::new_v4().simple().to_string().into();
        let names = Arc::new(Names::new(prefix, &instance, false));
        let (up, probe) = (Arc::<AtomicBool>::default(), Arc::new(Probe::new(names.probes().len())));
        let (outlet, queues) = queues();
        let subscriber = Subscriber {
            relay: relay.clone(),
            up: up.clone(),
            probe: probe.clone(),
            probe_interval,
            outlet: outlet.clone(),
            receiver: Arc::new(Receiver::new(names.clone(), instance.clone(), probe.clone(), sink.clone())),
        };
        tracker.spawn(subscriber.run(stop.clone()));
        tracker.spawn(queues.run(Sender::new(relay.clone(), names, instance), stop));
        Self(Arc::new(Shared { relay, up, probe, outlet, sink }))
    }

    /// Whether this instance receives everything that is sent from now on.
    pub(super) fn is_up(&self) -> bool {
        self.0.up.load(Ordering::Acquire)
    }

    pub(super) fn outlet(&self) -> &Outlet {
        &self.0.outlet
    }

    pub(super) fn control(&self, control: Control) {
        (self.0.sink)(Incoming::Control(control.clone()));
        self.0.outlet.control(control);
    }

    /// The values that are kept of these topics.
    pub(super) async fn last(&self, topics: &[TopicKey]) -> Result<Vec<Signal>, Unavailable> {
        let read = |LastValue { topic, sent_at, value }: LastValue| match ephemeral::read(
            Address::Topic(topic),
            &ephemeral::at_time(sent_at, &value).into(),
        ) {
            Ok(Incoming::Signal(signal)) => Some(signal),
            _ => None,
        };
        Ok(self.0.relay.last_values(topics, KEPT_FOR, KEPT_SUBJECTS).await?.into_iter().filter_map(read).collect())
    }

    pub(super) fn health(&self) -> Health {
        Health { up: self.is_up(), probe_age: self.0.probe.age() }
    }
}
