//! The whole program: builds every part, starts every task, serves, and stops in order. The binary and the tests use
//! the same.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::{
    HttpServer,
    dev::{Server, ServerHandle},
    rt::net::TcpStream,
    web::Data,
};
use anyhow::Context as _;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    auth::{Authenticator, local_secret},
    bus::{Bus, Control, Incoming, Sink, redis::RedisBus},
    config::Settings,
    fanout::Fanout,
    health::{Health, Phase},
    http::{self, Parts, metrics_endpoint},
    hub::{Hub, Origin},
    inbox::Inbox,
    ingest::{self, Ingest, RECLAIM_IDLE},
    publish::Publisher,
    revoker::Revoker,
    store::Store,
    tasks::{heads::HeadCheck, retention, vitals::Vitals},
};

/// Waiting connections of the listening socket: a storm of reconnects must not be refused by the kernel.
const BACKLOG: i32 = 4096;
/// Kept-alive connections outlive the usual proxies' own limits, so that it is the proxy that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Longest time for a request's head to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

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
    heads: HeadCheck,
    revoker: Revoker,
}

impl Inbound {
    fn take(&self, incoming: Incoming) {
        match incoming {
            Incoming::Announced(announcement) => self.hub.deliver(announcement, Origin::Remote),
            Incoming::Control(Control::Revoked) => self.revoker.note_change(),
            Incoming::Control(Control::Extend { connection, identity }) => {
                if !self.revoker.refuses(&identity) {
                    self.hub.extend(connection, &identity);
                }
            }
            Incoming::Restored => {
                self.heads.hurry();
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
        let listener = listen(settings.listen)?;
        let address = listener.local_addr()?;
        let local = if settings.auth.has_key() { None } else { Some(local_secret(&settings.data_dir)?) };
        let authenticator = Authenticator::new(&settings.auth, local)?;
        let store = Store::open(&settings).await?;

        let (intake, stop, tracker) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let inbound: Arc<OnceLock<Inbound>> = Arc::default();
        let bus = open_bus(&settings, &inbound, &stop, &tracker)?;
        let hub = Hub::new(bus.clone(), settings.stream.clone());
        let fanout = Fanout::new(hub.clone(), bus.clone());
        let publisher = Publisher::start(store.clone(), fanout.clone(), &settings.publish, &tracker);
        let inbox = Inbox::new(store.clone(), fanout.clone(), tracker.clone());
        let heads = HeadCheck::new(hub.clone(), store.clone(), bus.clone(), settings.stream.head_check);
        let revoker = Revoker::new(store.clone(), hub.clone(), bus.clone(), authenticator.revocations().clone());
        let _ = inbound.set(Inbound { hub: hub.clone(), heads: heads.clone(), revoker: revoker.clone() });
        let health = Arc::new(Health::default());
        let metrics = metrics_endpoint::install();

        // A revoked token must not slip in before the first turn of the task that keeps up with revocations.
        if revoker.reload().await.is_err() {
            log::warn!("revocations are not known yet: the database does not answer");
        }
        let failed = Arc::new(Notify::new());
        let tasks = Tasks { tracker: tracker.clone(), stop: stop.clone(), failed: failed.clone() };
        tasks.spawn("wheel", hub.clone().run_wheel(stop.clone()));
        tasks.spawn("heads", heads.run(stop.clone()));
        tasks.spawn("revocations", revoker.clone().run(stop.clone()));
        tasks.spawn("retention", retention::run(store.clone(), fanout, settings.retention.sweep, stop.clone()));
        let vitals = Vitals {
            hub: hub.clone(),
            store: store.clone(),
            bus: bus.clone(),
            health: health.clone(),
            metrics: metrics.clone(),
        };
        tasks.spawn("vitals", vitals.run(stop.clone()));
        if let Bus::Redis(redis) = &bus {
            let ingest = Ingest {
                servers: redis.servers().clone(),
                prefix: settings.prefix.clone(),
                instance: Uuid::new_v4().simple().to_string(),
                limits: settings.publish.clone(),
                publish: ingest::through(publisher.clone()),
                reclaim_idle: RECLAIM_IDLE,
            };
            ingest.start(&intake, &tracker);
        }

        let parts = Parts {
            settings: settings.clone(),
            store,
            publisher,
            inbox,
            authenticator,
            hub: hub.clone(),
            revoker,
            bus,
            health: health.clone(),
            metrics,
        };
        let server = serve(listener, Data::new(parts), &settings)?;
        health.enter(Phase::Serving);
        let running = Self {
            address,
            hub,
            health,
            server: server.handle(),
            serving: tokio::spawn(server),
            intake,
            stop,
            tracker,
            failed,
            settings,
        };
        Ok(running)
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
        None => Ok(Bus::Local(sink)),
        Some(redis) => RedisBus::start(redis, &settings.prefix, sink, stop.clone(), tracker).map(Bus::Redis),
    }
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        std::io::Result::Ok(socket.into())
    };
    open().with_context(|| format!("cannot listen on {address}"))
}

fn serve(listener: TcpListener, parts: Data<Parts>, settings: &Settings) -> anyhow::Result<Server> {
    let write_stall = settings.stream.write_stall;
    let server = HttpServer::new(move || http::app(parts.clone()))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(Duration::from_secs(1))
        .shutdown_timeout(settings.drain.as_secs().max(1))
        // A client that closes its side has left: the stream ends at once rather than with the next failed write.
        .h1_allow_half_closed(false)
        .max_connections(usize::MAX)
        .disable_signals()
        .on_connect(move |io, _| {
            if let Some(socket) = io.downcast_ref::<TcpStream>() {
                tune(socket, write_stall);
            }
        })
        .listen_auto_h2c(listener)?
        .run();
    Ok(server)
}

/// Frames go out at once; a peer that accepts nothing for so long is dropped by the kernel, even while it answers
/// window probes (`TCP_USER_TIMEOUT`, RFC 5482).
fn tune(socket: &TcpStream, write_stall: Duration) {
    let tune = || {
        socket.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        SockRef::from(socket).set_tcp_user_timeout(Some(write_stall))?;
        std::io::Result::Ok(())
    };
    // A socket that refuses options is one that has just closed.
    let _ = tune();
}
