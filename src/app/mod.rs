//! The whole program: builds every part, starts every task, serves, and stops in order. The binary and the tests use the same.

mod inbound;
mod listener;
mod reload;
mod wiring;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{dev::ServerHandle, web::Data};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::wiring::Instance;
use crate::{
    auth::Authenticator,
    config::Settings,
    domain::kinds::Kinds,
    health::{Health, Phase},
    live::hub::Hub,
    store::{Misfit, Store},
};

/// A running instance.
pub(crate) struct Running {
    address: SocketAddr,
    settings: Arc<Settings>,
    hub: Hub,
    health: Arc<Health>,
    store: Store,
    authenticator: Authenticator,
    kinds: Kinds,
    server: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    /// Ends the sources of work.
    intake: CancellationToken,
    /// Ends the rest.
    stop: CancellationToken,
    tracker: TaskTracker,
    failed: Arc<Notify>,
}

/// Spawns tasks that run until the stop; a task that ends early is a defect and ends the instance.
struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: Arc<Notify>,
}

impl Tasks {
    fn spawn<F>(&self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, failed) = (self.stop.clone(), self.failed.clone());
        let task = self.tracker.spawn(task(stop.clone()));
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
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        let listener = listener::listen(settings.listen, settings.stream.write_stall)?;
        let address = listener.local_addr()?;
        let (intake, stop, tracker) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let instance = Instance::build(&settings, &stop, &tracker).await?;
        instance.load().await;
        if let Some(misfit) = instance.parts.store.misfit().filter(Misfit::is_final) {
            anyhow::bail!("DATABASE_URL: {misfit}");
        }
        let failed = Arc::new(Notify::new());
        let tasks =
            |stop: &CancellationToken| Tasks { tracker: tracker.clone(), stop: stop.clone(), failed: failed.clone() };
        instance.spawn(&tasks(&stop));
        instance.take_in(&tasks(&intake));
        instance.take_rows(&tasks(&intake));
        let (hub, health) = (instance.parts.hub.clone(), instance.parts.health.clone());
        let (store, kinds) = (instance.parts.store.clone(), instance.parts.kinds.clone());
        let authenticator = instance.parts.authenticator.clone();
        let server = listener::serve(listener, Data::new(instance.parts), &settings)?;
        health.enter(Phase::Serving);
        let (handle, serving) = (server.handle(), tokio::spawn(server));
        Ok(Self {
            address,
            settings,
            hub,
            health,
            store,
            authenticator,
            kinds,
            server: handle,
            serving,
            intake,
            stop,
            tracker,
            failed,
        })
    }

    /// The address that it listens on: the port is real even if 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a part that must run for ever has ended: the instance is to be stopped then.
    pub(crate) async fn failed(&self) {
        self.failed.notified().await;
    }

    /// Is not ready for the time of the settings, and accepts all the same: load balancers send nothing new when the stop begins. False
    /// when a part that must run for ever has ended meanwhile.
    pub(crate) async fn leave(&self) -> bool {
        let delay = self.settings.drain_delay;
        if delay.is_zero() {
            return true;
        }
        self.health.enter(Phase::Leaving);
        log::info!("not ready any more, the drain begins in {delay:?}");
        timeout(delay, self.failed()).await.is_err()
    }

    /// Stops in order: readiness ends, streams end with a spread, intake ends, accepting ends and open requests finish, then
    /// the other tasks end. Takes the drain time of the settings at most.
    pub(crate) async fn stop(self) {
        let drain = self.settings.drain;
        let deadline = tokio::time::Instant::now() + drain;
        self.health.enter(Phase::Draining);
        log::info!("draining {} streams", self.hub.connections());
        // Streams end before accepting does. A client that reconnects here meanwhile gets a delay for its next attempt, so the
        // number of streams only falls.
        self.hub.drain(drain / 2).await;
        // From here on other instances read the ingest stream; entries that were read here are finished below.
        self.intake.cancel();
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        // A slow client gets the bytes that its connection was about to send, and the last event.
        let _ = timeout(left / 2, self.hub.empty()).await;
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        // Requests finish before tasks stop: a publish that was accepted needs the write path and the bus.
        self.server.pause().await;
        let _ = timeout(left, self.server.stop(true)).await;
        self.stop.cancel();
        // Waits for changes under way, whose callers may be gone: each commit gets its announcement.
        self.tracker.close();
        let left = deadline.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_secs(1));
        if timeout(left, self.tracker.wait()).await.is_err() {
            log::warn!("stopped with work still under way");
        }
        self.serving.abort();
    }
}

#[cfg(test)]
mod tests;
