//! The whole program: builds every part, starts every task, serves, and stops in order. The binary and the tests use
//! the same.

mod listener;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::{dev::ServerHandle, web::Data};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    auth::{Authenticator, local_secret},
    bus::{Bus, Control, Incoming, Sink, redis::RedisBus},
    config::Settings,
    fanout::Fanout,
    health::{Health, Phase},
    http::{Parts, metrics_endpoint},
    hub::{Hub, Origin},
    inbox::Inbox,
    ingest::{self, Ingest, RECLAIM_IDLE},
    kinds::Kinds,
    preferences::Preferences,
    presence::Presence,
    publish::Publisher,
    registrar::Registrar,
    revoker::Revoker,
    signals::Signals,
    sockets::Sockets,
    store::Store,
    tasks::{fanouts::Carrier, heads::HeadCheck, presence, retention, rooms::RoomKeeper, vitals::Vitals},
    topics::Topics,
};

/// A running instance.
pub struct Running {
    address: SocketAddr,
    settings: Arc<Settings>,
    hub: Hub,
    health: Arc<Health>,
    server: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    /// Ends what brings work in.
    intake: CancellationToken,
    /// Ends the rest.
    stop: CancellationToken,
    tracker: TaskTracker,
    failed: Arc<Notify>,
}

/// What the bus hands over, once there is somebody to take it.
struct Inbound {
    hub: Hub,
    fanout: Fanout,
    heads: HeadCheck,
    registrar: Registrar,
    revoker: Revoker,
    carrier: Carrier,
}

impl Inbound {
    fn take(&self, incoming: Incoming) {
        match incoming {
            Incoming::Announced(announcement) => self.hub.deliver(announcement, Origin::Remote),
            Incoming::Arrived(arrivals) => self.fanout.hear_arrivals(&arrivals, Origin::Remote),
            Incoming::Control(Control::ConnectedFirst(id)) => self.carrier.serve_connected(id),
            Incoming::Control(Control::Revoked) => self.revoker.note_change(),
            Incoming::Control(Control::KindsChanged) => self.registrar.note_change(),
            Incoming::Control(Control::Extend { connection, identity }) => {
                if !self.revoker.refuses(&identity) {
                    self.hub.extend(connection, &identity);
                }
            }
            Incoming::Signal(signal) => self.hub.signal(signal),
            Incoming::Left(left) => self.hub.leave_room(&left),
            Incoming::Broken => self.hub.rooms().close(),
            Incoming::Restored => {
                self.hub.reopen_rooms();
                self.heads.hurry();
                self.registrar.note_change();
                self.revoker.note_change();
            }
        }
    }
}

/// Spawns tasks that are to run until the stop; one that ends early is a defect and ends the instance.
struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: Arc<Notify>,
}

impl Tasks {
    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (stop, failed) = (self.stop.clone(), self.failed.clone());
        let task = self.tracker.spawn(task);
        self.tracker.spawn(async move {
            let ended = task.await;
            if !stop.is_cancelled() {
                log::error!("the task {name} ended: {ended:?}");
                failed.notify_one();
            }
        });
    }
}

impl Running {
    /// Starts an instance with these settings; it serves when this returns.
    ///
    /// # Errors
    /// When a part cannot be started: the address is taken, the database does not open, a key is unusable.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        let listener = listener::listen(settings.listen, settings.stream.write_stall)?;
        let address = listener.local_addr()?;
        let (intake, stop, tracker) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let core = Core::build(&settings, &stop, &tracker).await?;
        // A revoked token must not slip in before the first turn of the task that keeps up with revocations.
        if core.revoker.reload().await.is_err() {
            log::warn!("revocations are not known yet: the database does not answer");
            core.revoker.note_change();
        }
        if core.registrar.reload().await.is_err() {
            log::warn!("what tenants say of kinds is not known yet: the database does not answer");
            core.registrar.note_change();
        }
        let failed = Arc::new(Notify::new());
        core.spawn(&Tasks { tracker: tracker.clone(), stop: stop.clone(), failed: failed.clone() });
        core.take_in(&intake, &tracker);
        let (hub, health) = (core.hub.clone(), core.health.clone());
        let server = listener::serve(listener, Data::new(core.into_parts()), &settings)?;
        health.enter(Phase::Serving);
        let (handle, serving) = (server.handle(), tokio::spawn(server));
        Ok(Self { address, settings, hub, health, server: handle, serving, intake, stop, tracker, failed })
    }

    /// Where it listens: the port is real even if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a part that must run for ever has ended: the instance is to be stopped then.
    pub async fn failed(&self) {
        self.failed.notified().await;
    }

    /// Stops in order: readiness goes red, streams are told and ended with a spread, then accepting ends and open
    /// requests finish, then intake, then the rest. Takes the drain time of the settings at most.
    pub async fn stop(self) {
        let drain = self.settings.drain;
        let deadline = tokio::time::Instant::now() + drain;
        self.health.enter(Phase::Draining);
        log::info!("draining {} streams", self.hub.connections());
        // Streams that open while others are being ended are told to come back, so the number only falls.
        self.hub.drain(drain / 2).await;
        self.intake.cancel();
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        // Clients that were far behind get what their connection was about to send, and the farewell.
        let _ = timeout(left / 2, self.hub.empty()).await;
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        self.server.pause().await;
        let _ = timeout(left, self.server.stop(true)).await;
        self.stop.cancel();
        self.tracker.close();
        let left = deadline.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_secs(1));
        if timeout(left, self.tracker.wait()).await.is_err() {
            log::warn!("stopped with work still under way");
        }
        self.serving.abort();
    }
}

/// The parts, wired to each other.
struct Core {
    settings: Arc<Settings>,
    store: Store,
    bus: Bus,
    hub: Hub,
    fanout: Fanout,
    publisher: Publisher,
    inbox: Inbox,
    topics: Topics,
    signals: Signals,
    presence: Presence,
    authenticator: Authenticator,
    heads: HeadCheck,
    kinds: Kinds,
    registrar: Registrar,
    preferences: Preferences,
    revoker: Revoker,
    carrier: Carrier,
    sockets: Option<Sockets>,
    health: Arc<Health>,
    metrics: PrometheusHandle,
}

impl Core {
    async fn build(settings: &Arc<Settings>, stop: &CancellationToken, tracker: &TaskTracker) -> anyhow::Result<Self> {
        // First of all: parts look their metrics up once, when they are made.
        let metrics = metrics_endpoint::install();
        let local = if settings.auth.has_key() { None } else { Some(local_secret(&settings.data_dir)?) };
        let authenticator = Authenticator::new(&settings.auth, local)?;
        let store = Store::open(settings).await?;
        let inbound: Arc<OnceLock<Inbound>> = Arc::default();
        let bus = open_bus(settings, &inbound, stop, tracker)?;
        let hub = Hub::new(bus.clone(), settings.stream.clone());
        let fanout = Fanout::new(hub.clone(), bus.clone());
        let publisher = Publisher::start(store.clone(), fanout.clone(), &settings.publish, tracker);
        let inbox = Inbox::new(store.clone(), fanout.clone(), tracker.clone());
        let signals = Signals::new(store.clone(), bus.clone(), settings.signals.clone());
        let presence = Presence::new(store.clone(), hub.clone(), signals.clone(), settings.presence_grace);
        let (tracker_of_topics, most) = (tracker.clone(), settings.subscriptions);
        let topics = Topics::new(store.clone(), fanout.clone(), bus.clone(), presence.clone(), tracker_of_topics, most);
        let overdue = settings.redis.as_ref().map_or(Duration::MAX, |redis| redis.probe_interval * 2);
        let heads = HeadCheck::new(hub.clone(), store.clone(), bus.clone(), settings.stream.head_check, overdue);
        let known = authenticator.revocations().clone();
        let revoker = Revoker::new(store.clone(), hub.clone(), bus.clone(), known, settings.stream.head_check);
        let kinds = Kinds::new(settings.kinds.clone());
        let registrar = Registrar::new(store.clone(), bus.clone(), kinds.clone(), settings.stream.head_check);
        let preferences = Preferences::new(store.clone(), fanout.clone(), kinds.clone(), tracker.clone());
        let carrier = Carrier::new(store.clone(), hub.clone(), bus.clone(), fanout.clone());
        let _ = inbound.set(Inbound {
            hub: hub.clone(),
            fanout: fanout.clone(),
            heads: heads.clone(),
            registrar: registrar.clone(),
            revoker: revoker.clone(),
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
            fanout,
            publisher,
            inbox,
            topics,
            signals,
            presence,
            authenticator,
            heads,
            kinds,
            registrar,
            preferences,
            revoker,
            carrier,
            sockets,
            health,
            metrics,
        })
    }

    /// Starts what runs beside the requests.
    fn spawn(&self, tasks: &Tasks) {
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
        tasks.spawn("kinds", self.registrar.clone().run(tasks.stop.clone()));
        tasks.spawn("revocations", self.revoker.clone().run(tasks.stop.clone()));
        tasks.spawn("retention", retention::run(store.clone(), self.fanout.clone(), sweep, tasks.stop.clone()));
        let vitals = Vitals { hub, store, bus, health: self.health.clone(), metrics: self.metrics.clone() };
        tasks.spawn("vitals", vitals.run(tasks.stop.clone()));
    }

    /// Opens the ways in through Redis, where there is one.
    fn take_in(&self, intake: &CancellationToken, tracker: &TaskTracker) {
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

    fn into_parts(self) -> Parts {
        Parts {
            settings: self.settings,
            store: self.store,
            publisher: self.publisher,
            inbox: self.inbox,
            topics: self.topics,
            signals: self.signals,
            presence: self.presence,
            kinds: self.kinds,
            registrar: self.registrar,
            preferences: self.preferences,
            authenticator: self.authenticator,
            hub: self.hub,
            sockets: self.sockets,
            revoker: self.revoker,
            bus: self.bus,
            health: self.health,
            metrics: self.metrics,
        }
    }
}

fn open_bus(
    settings: &Settings,
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
    match &settings.redis {
        None => Ok(Bus::local(sink)),
        Some(redis) => RedisBus::start(redis, &settings.prefix, sink, stop.clone(), tracker).map(Bus::Redis),
    }
}
