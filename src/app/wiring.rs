//! The parts of an instance, wired to each other.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    Tasks,
    inbound::{Inbound, open_bus},
};
use crate::{
    actions::{
        inbox::Inbox, kinds::KindsRegistry, preferences::Preferences, presence::Presence, publish::Publisher,
        revocations::Revocations, signals::Signals, topics::Topics,
    },
    auth::{Authenticator, local_secret},
    bus::{Bus, Incoming},
    config::Settings,
    domain::kinds::Kinds,
    health::Health,
    http::{Parts, metrics_endpoint},
    ingest::{self, Ingest, RECLAIM_IDLE},
    live::{announce::Announcer, hub::Hub, sockets::Sockets},
    store::Store,
    tasks::{clock, fanouts::Carrier, heads::HeadCheck, presence, retention, rooms::RoomKeeper, vitals::Vitals},
};

/// Every part, once.
pub(super) struct Core {
    settings: Arc<Settings>,
    store: Store,
    bus: Bus,
    pub(super) hub: Hub,
    announcer: Announcer,
    publisher: Publisher,
    inbox: Inbox,
    topics: Topics,
    signals: Signals,
    presence: Presence,
    authenticator: Authenticator,
    heads: HeadCheck,
    kinds: Kinds,
    pub(super) kinds_registry: KindsRegistry,
    preferences: Preferences,
    pub(super) revocations: Revocations,
    carrier: Carrier,
    sockets: Option<Sockets>,
    pub(super) health: Arc<Health>,
    metrics: PrometheusHandle,
}

impl Core {
    pub(super) async fn build(
        settings: &Arc<Settings>,
        stop: &CancellationToken,
        tracker: &TaskTracker,
    ) -> anyhow::Result<Self> {
        // First of all: parts look their metrics up once, when they are made.
        let metrics = metrics_endpoint::install();
        let local = if settings.auth.has_key() { None } else { Some(local_secret(&settings.data_dir)?) };
        let authenticator = Authenticator::new(&settings.auth, local)?;
        let store = Store::open(settings).await?;
        let inbound: Arc<OnceLock<Inbound>> = Arc::default();
        let bus = open_bus(settings, &inbound, stop, tracker)?;
        let hub = Hub::new(bus.clone(), settings.stream.clone());
        let announcer = Announcer::new(hub.clone(), bus.clone());
        let publisher = Publisher::start(store.clone(), announcer.clone(), &settings.publish, tracker);
        let inbox = Inbox::new(store.clone(), announcer.clone(), tracker.clone());
        let signals = Signals::new(store.clone(), bus.clone(), settings.signals.clone());
        let presence = Presence::new(store.clone(), hub.clone(), signals.clone(), settings.presence_grace);
        let (tracker_of_topics, most) = (tracker.clone(), settings.subscriptions);
        let topics =
            Topics::new(store.clone(), announcer.clone(), bus.clone(), presence.clone(), tracker_of_topics, most);
        let overdue = settings.redis.as_ref().map_or(Duration::MAX, |redis| redis.probe_interval * 2);
        let heads = HeadCheck::new(hub.clone(), store.clone(), bus.clone(), settings.stream.head_check, overdue);
        let known = authenticator.revocations().clone();
        let revocations = Revocations::new(store.clone(), hub.clone(), bus.clone(), known, settings.stream.head_check);
        let kinds = Kinds::new(settings.kinds.clone());
        let kinds_registry = KindsRegistry::new(store.clone(), bus.clone(), kinds.clone(), settings.stream.head_check);
        let preferences = Preferences::new(store.clone(), announcer.clone(), kinds.clone(), tracker.clone());
        let carrier = Carrier::new(store.clone(), hub.clone(), bus.clone(), announcer.clone());
        let _ = inbound.set(Inbound {
            hub: hub.clone(),
            announcer: announcer.clone(),
            heads: heads.clone(),
            kinds_registry: kinds_registry.clone(),
            revocations: revocations.clone(),
            carrier: carrier.clone(),
        });
        // The bus may have come up before there was anybody to hear of it.
        if let Some(inbound) = inbound.get().filter(|_| bus.health().up) {
            inbound.take(Incoming::Restored);
        }
        let sockets = if settings.stream.takeover { Sockets::open(store.clone())? } else { None };
        let (settings, health) = (settings.clone(), Arc::default());
        Ok(Self {
            settings,
            store,
            bus,
            hub,
            announcer,
            publisher,
            inbox,
            topics,
            signals,
            presence,
            authenticator,
            heads,
            kinds,
            kinds_registry,
            preferences,
            revocations,
            carrier,
            sockets,
            health,
            metrics,
        })
    }

    /// Starts what runs beside the requests.
    pub(super) fn spawn(&self, tasks: &Tasks) {
        let (hub, store, bus) = (self.hub.clone(), self.store.clone(), self.bus.clone());
        let sweep = self.settings.retention.sweep;
        tasks.spawn("wheel", hub.clone().run_wheel(tasks.stop.clone()));
        tasks.spawn("fanouts", self.carrier.clone().run(tasks.stop.clone()));
        tasks.spawn("throttle", hub.clone().run_throttle(tasks.stop.clone()));
        let refresh = self.settings.stream.head_check;
        let rooms = RoomKeeper::new(hub.clone(), store.clone(), bus.clone(), refresh);
        tasks.spawn("rooms", rooms.run(tasks.stop.clone()));
        tasks.spawn("presence", presence::run(self.presence.clone(), tasks.stop.clone()));
        tasks.spawn("heads", self.heads.clone().run(tasks.stop.clone()));
        if let Some(sockets) = self.sockets.clone() {
            tasks.spawn("sockets", sockets.run(tasks.stop.clone()));
        }
        tasks.spawn("kinds", self.kinds_registry.clone().run(tasks.stop.clone()));
        tasks.spawn("revocations", self.revocations.clone().run(tasks.stop.clone()));
        tasks.spawn("clock", clock::run(store.clone(), self.announcer.clone(), tasks.stop.clone()));
        tasks.spawn("retention", retention::run(store.clone(), self.announcer.clone(), sweep, tasks.stop.clone()));
        let vitals = Vitals { hub, store, bus, health: self.health.clone(), metrics: self.metrics.clone() };
        tasks.spawn("vitals", vitals.run(tasks.stop.clone()));
    }

    /// Opens the ways in through Redis, where there is one.
    pub(super) fn take_in(&self, intake: &CancellationToken, tracker: &TaskTracker) {
        let Bus::Redis(redis) = &self.bus else { return };
        let ingest = Ingest {
            servers: redis.servers().clone(),
            prefix: self.settings.prefix.clone(),
            instance: Uuid::new_v4().simple().to_string(),
            limits: self.settings.publish.clone(),
            kinds: self.kinds.clone(),
            publish: ingest::through(self.publisher.clone()),
            reclaim_idle: RECLAIM_IDLE,
        };
        ingest.start_signals(self.signals.clone(), intake, tracker);
        ingest.start(intake, tracker);
    }

    pub(super) fn into_parts(self) -> Parts {
        Parts {
            settings: self.settings,
            store: self.store,
            publisher: self.publisher,
            inbox: self.inbox,
            topics: self.topics,
            signals: self.signals,
            presence: self.presence,
            kinds: self.kinds,
            kinds_registry: self.kinds_registry,
            preferences: self.preferences,
            authenticator: self.authenticator,
            hub: self.hub,
            sockets: self.sockets,
            revocations: self.revocations,
            bus: self.bus,
            health: self.health,
            metrics: self.metrics,
        }
    }
}
