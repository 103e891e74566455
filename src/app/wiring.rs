//! The parts of an instance, wired to each other. A new part costs one line of [`Instance::build`] if handlers use it, and one
//! line of [`Instance::spawn`] if it runs beside them.

use std::sync::{Arc, OnceLock};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    Tasks,
    inbound::{Inbound, open_bus},
};
use crate::{
    actions::{
        inbox::Inbox, kinds::KindsRegistry, preferences::PreferencesEditor, presence::Presence, publish::Publisher,
        refresh::Refresh, retract::Retractor, revocations::Revocations, signals::Signals, topics::Topics,
    },
    auth::{Authenticator, local_secret},
    bus::{Bus, Incoming},
    config::Settings,
    domain::kinds::Kinds,
    health::{Health, MISFIT, Need, Way},
    http::{Parts, foreign_pages::ForeignPages, metrics_endpoint},
    ingest::{self, Ingest, RECLAIM_IDLE, inlet::Inlet},
    live::{announce::Announcer, hub::Hub, sockets::Sockets},
    store::Store,
    tasks::{
        fanout_worker::FanoutWorker, head_check::HeadCheck, health_monitor::HealthMonitor, presence, retention,
        room_sync::RoomSync, scheduler, zones,
    },
};

/// Every part, once.
pub(super) struct Instance {
    pub(super) parts: Parts,
    announcer: Announcer,
    heads: HeadCheck,
    fanouts: FanoutWorker,
}

impl Instance {
    /// Builds all parts; none of them works before [`Self::spawn`], except the write path and the bus.
    pub(super) async fn build(
        settings: &Arc<Settings>,
        stop: &CancellationToken,
        tracker: &TaskTracker,
    ) -> anyhow::Result<Self> {
        // First of all: parts look their metrics up once, when they are made.
        let metrics = metrics_endpoint::install();
        let local = if settings.auth.has_key() { None } else { Some(local_secret(&settings.data_dir)?) };
        let authenticator = Authenticator::new(&settings.auth, local)?;
        let known = authenticator.revocations().clone();
        let store = Store::open(settings).await?;
        let inbound: Arc<OnceLock<Inbound>> = Arc::default();
        let bus = open_bus(settings, &store, &inbound, stop, tracker)?;
        let hub = Hub::new(bus.clone(), settings.stream.clone());
        let announcer = Announcer::new(hub.clone(), bus.clone());
        let kinds = Kinds::new(settings.kinds.clone());
        let overdue = settings.probe_interval * 2;
        // One for each reader: a change of the data of one is no reason for another to read.
        let refresh = || Refresh::new(bus.clone(), settings.stream.head_check, overdue);
        let signals = Signals::new(store.clone(), bus.clone(), settings.signals.clone());
        let presence = Presence::new(store.clone(), hub.clone(), signals.clone(), settings.presence_grace);
        // A stop waits for the work that is tracked.
        let (most, tasks) = (settings.subscriptions, || tracker.clone());
        let parts = Parts {
            publisher: Publisher::start(store.clone(), announcer.clone(), &settings.publish, tracker),
            inbox: Inbox::new(store.clone(), announcer.clone(), tasks()),
            kinds_registry: KindsRegistry::new(store.clone(), bus.clone(), kinds.clone(), refresh(), tasks()),
            preferences: PreferencesEditor::new(store.clone(), announcer.clone(), kinds.clone(), tasks()),
            topics: Topics::new(store.clone(), announcer.clone(), bus.clone(), presence.clone(), tasks(), most),
            revocations: Revocations::new(store.clone(), hub.clone(), bus.clone(), known, refresh(), tasks()),
            sockets: if settings.stream.takeover { Sockets::open(store.clone())? } else { None },
            health: Arc::new(Health::default()),
            settings: settings.clone(),
            store: store.clone(),
            hub: hub.clone(),
            bus: bus.clone(),
            kinds,
            signals,
            presence,
            authenticator,
            foreign_pages: ForeignPages::default(),
            metrics,
        };
        let heads = HeadCheck::new(hub.clone(), store.clone(), refresh());
        let fanouts = FanoutWorker::new(store, hub, bus, announcer.clone());
        let instance = Self { parts, announcer, heads, fanouts };
        instance.receive(&inbound);
        Ok(instance)
    }

    /// Passes the messages of the bus to their parts.
    fn receive(&self, inbound: &OnceLock<Inbound>) {
        let Self { parts, announcer, heads, fanouts } = self;
        // Not the whole of `parts`: the bus outlives this, and the write path ends when its last handle is gone.
        let receivers = inbound.get_or_init(|| Inbound {
            hub: parts.hub.clone(),
            announcer: announcer.clone(),
            heads: heads.clone(),
            kinds_registry: parts.kinds_registry.clone(),
            revocations: parts.revocations.clone(),
            fanouts: fanouts.clone(),
        });
        // The bus may have come up before anything could receive.
        if parts.bus.health().up {
            receivers.take(Incoming::Restored);
        }
    }

    /// Reads the data that requests depend on before the first is served: a revoked token must not be accepted even once. While the
    /// database is away the instance serves all the same, and the tasks go on trying.
    pub(super) async fn load(&self) {
        if self.parts.revocations.refresh().await.is_err() {
            log::warn!("revocations are not known yet: the database does not answer");
        }
        if self.parts.kinds_registry.refresh().await.is_err() {
            log::warn!("the kinds that tenants define are not known yet: the database does not answer");
        }
    }

    /// Starts the tasks beside the requests.
    pub(super) fn spawn(&self, tasks: &Tasks) {
        let Self { parts: Parts { settings, store, hub, bus, health, metrics, .. }, announcer, .. } = self;
        let (store, hub, bus, announcer) = (|| store.clone(), || hub.clone(), || bus.clone(), || announcer.clone());
        let sweep = settings.retention.sweep;
        tasks.spawn("wheel", |stop| hub().run_wheel(stop));
        tasks.spawn("fanouts", |stop| self.fanouts.clone().run(stop));
        tasks.spawn("throttle", |stop| hub().run_throttle(stop));
        tasks.spawn("rooms", |stop| RoomSync::new(hub(), store(), bus(), settings.stream.head_check).run(stop));
        tasks.spawn("presence", |stop| presence::run(self.parts.presence.clone(), health.clone(), stop));
        tasks.spawn("heads", |stop| self.heads.clone().run(stop));
        if let Some(sockets) = self.parts.sockets.clone() {
            tasks.spawn("sockets", |stop| sockets.run(stop));
        }
        tasks.spawn("kinds", |stop| self.parts.kinds_registry.clone().run(stop));
        tasks.spawn("revocations", |stop| self.parts.revocations.clone().run(stop));
        if self.parts.settings.database.is_some() {
            // At the start the server may have been away.
            let store = store();
            tasks.spawn("sessions of its own", |stop| async move {
                let _ = stop.run_until_cancelled(store.pooler()).await;
            });
        }
        tasks.spawn("zones", |stop| zones::run(store(), stop));
        tasks.spawn("scheduler", |stop| scheduler::run(store(), announcer(), stop));
        tasks.spawn("retention", |stop| retention::run(store(), Retractor::new(store(), announcer()), sweep, stop));
        let (health, metrics) = (health.clone(), metrics.clone());
        tasks.spawn("health monitor", |stop| {
            HealthMonitor { hub: hub(), store: store(), bus: bus(), health, metrics }.run(stop)
        });
    }

    /// Starts to take publishes from the SQL functions. The embedded database takes no connections of applications.
    pub(super) fn take_rows(&self, intake: &Tasks) {
        let Parts { settings, store, kinds, publisher, health, .. } = &self.parts;
        let Some(database) = &settings.database else { return };
        let inlet = Inlet {
            store: store.clone(),
            publish: ingest::through(publisher.clone()),
            retractor: Retractor::new(store.clone(), self.announcer.clone()),
            health: health.clone(),
            limits: settings.publish.clone(),
            kinds: kinds.clone(),
            look: settings.publish.inlet_look,
            relay: settings.publish.inlet_listen.then(|| store.relay(database)),
        };
        intake.spawn("inlet", |stop| inlet.run(stop));
    }

    /// Takes publishes and signals from Redis, if there is one.
    pub(super) fn take_in(&self, intake: &Tasks) {
        let Parts { settings, store, bus: Bus::Redis(redis), kinds, publisher, signals, health, .. } = &self.parts
        else {
            return;
        };
        let ingest = Ingest {
            servers: redis.servers().clone(),
            prefix: settings.prefix.clone(),
            instance: Uuid::new_v4().simple().to_string(),
            limits: settings.publish.clone(),
            kinds: kinds.clone(),
            publish: ingest::through(publisher.clone()),
            health: health.clone(),
            reclaim_idle: RECLAIM_IDLE,
        };
        intake.spawn("ingest", |stop| take_in_while_fit(ingest, signals.clone(), store.clone(), stop));
    }
}

/// Takes in until the stop, but not while the schema of the database does not fit: other instances may be able to store what this
/// one could only hold.
async fn take_in_while_fit(ingest: Ingest, signals: Signals, store: Store, stop: CancellationToken) {
    loop {
        let fits = if store.misfit().is_none() { Ok(()) } else { Err(MISFIT.to_owned()) };
        for way in [Way::RedisChannels, Way::RedisStream, Way::RedisSignals] {
            ingest.health.note_way(way, Need::Schema, fits.clone());
        }
        if stop.run_until_cancelled(store.fit()).await.is_none() {
            return;
        }
        if fits.is_err() {
            continue;
        }
        let intake = stop.child_token();
        let running = ingest.clone().run(Some(signals.clone()), intake.clone());
        let unfit = async {
            let _ = stop.run_until_cancelled(store.unfit()).await;
            intake.cancel();
        };
        tokio::join!(running, unfit);
    }
}
