//! Passes the messages of the bus to their parts.

use std::sync::{Arc, OnceLock};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actions::{kinds::KindsRegistry, revocations::Revocations},
    bus::{Bus, Control, Incoming, Setup, Sink, postgres::PostgresBus, redis::RedisBus},
    config::Settings,
    live::{
        announce::Announcer,
        hub::{Hub, Origin},
    },
    store::Store,
    tasks::{fanout_worker::FanoutWorker, head_check::HeadCheck},
};

/// The parts that take it.
pub(super) struct Inbound {
    pub(super) hub: Hub,
    pub(super) announcer: Announcer,
    pub(super) heads: HeadCheck,
    pub(super) kinds_registry: KindsRegistry,
    pub(super) revocations: Revocations,
    pub(super) fanouts: FanoutWorker,
}

impl Inbound {
    pub(super) fn take(&self, incoming: Incoming) {
        match incoming {
            Incoming::Announced(announcement) => self.hub.deliver(announcement, Origin::Remote),
            Incoming::Arrived(arrivals) => self.announcer.deliver_arrivals(&arrivals, Origin::Remote),
            Incoming::Control(Control::ConnectedFirst(id)) => self.fanouts.serve_connected(id),
            Incoming::Control(Control::Revoked) => self.revocations.note_change(),
            Incoming::Control(Control::KindsChanged) => self.kinds_registry.note_change(),
            Incoming::Control(Control::Extend { connection, identity }) => {
                if !self.revocations.refuses(&identity) {
                    self.hub.extend(connection, &identity);
                }
            }
            Incoming::Signal(signal) => self.hub.signal(signal),
            Incoming::Left(left) => self.hub.leave_room(&left),
            Incoming::Broken => self.hub.rooms().close(),
            Incoming::Restored => {
                self.hub.reopen_rooms();
                self.heads.hurry();
                self.kinds_registry.note_change();
                self.revocations.note_change();
            }
        }
    }
}

/// Opens the bus. Messages that the bus brings before `inbound` is set are dropped.
pub(super) fn open_bus(
    settings: &Settings,
    store: &Store,
    inbound: &Arc<OnceLock<Inbound>>,
    stop: &CancellationToken,
    tracker: &TaskTracker,
) -> anyhow::Result<Bus> {
    let inbound = inbound.clone();
    let sink: Sink = Arc::new(move |incoming| {
        if let Some(inbound) = inbound.get() {
            inbound.take(incoming);
        }
    });
    let setup = Setup {
        prefix: &settings.prefix,
        probe_interval: settings.probe_interval,
        sink: sink.clone(),
        stop: stop.clone(),
        tracker,
    };
    match (&settings.redis, &settings.database) {
        (Some(redis), _) => RedisBus::start(redis, setup).map(Bus::Redis),
        (None, Some(database)) => Ok(Bus::Postgres(PostgresBus::start(store.relay(database), setup))),
        // The embedded database has one instance.
        (None, None) => Ok(Bus::local(sink)),
    }
}
