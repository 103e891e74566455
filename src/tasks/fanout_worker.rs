//! Delivers publishes to topics and to everyone, chunk by chunk: those that begin here at once, and those that another instance
//! left behind. It delivers one chunk at a time, so that other work is not held up.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::repeat;
use crate::{
    bus::{Bus, Control},
    domain::{
        lock::lock,
        user::{Tenant, UserId},
    },
    live::{announce::Announcer, hub::Hub},
    metrics,
    store::{CHUNK, Chunk, Store, Unavailable},
};

/// Between looks for fan-outs that no instance works on.
const LOOK: Duration = Duration::from_secs(1);
/// Most fan-outs in the queue of those that reach connected users first; further ones reach them in the order of users.
const WAITING: usize = 256;

/// Delivers fan-outs; cheap to clone.
#[derive(Clone)]
pub(crate) struct FanoutWorker {
    store: Store,
    hub: Hub,
    bus: Bus,
    announcer: Announcer,
    /// Fan-outs that are to reach the users connected here first.
    connected_first: Arc<Mutex<VecDeque<Uuid>>>,
}

impl FanoutWorker {
    /// Over these parts.
    pub(crate) fn new(store: Store, hub: Hub, bus: Bus, announcer: Announcer) -> Self {
        Self { store, hub, bus, announcer, connected_first: Arc::default() }
    }

    /// Asks for a fan-out to reach the users connected here first.
    pub(crate) fn serve_connected(&self, id: Uuid) {
        let mut waiting = lock(&self.connected_first);
        if waiting.len() < WAITING {
            waiting.push_back(id);
        }
        self.announcer.note_begun();
    }

    /// Delivers until the stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        // It ends early when a fan-out begins here, and late when nothing does.
        let wake = || async { drop(timeout(LOOK, self.announcer.begun()).await) };
        repeat(stop, wake, || self.deliver_all()).await;
    }

    async fn deliver_all(&self) -> Result<(), Unavailable> {
        let mut last: Option<Tenant> = None;
        loop {
            while let Some(id) = self.pop_connected_first() {
                self.deliver_to_connected(id).await?;
            }
            let started = Instant::now();
            let Ok(written) = self.store.write_next(last.as_ref()).await else {
                // A chunk that fails, for example because of a lock that is held too long, must not hold up other tenants.
                last = Some(self.store.fanout_tenant_after(last.as_ref()).await?.ok_or(Unavailable)?);
                continue;
            };
            let Some(chunk) = written else { return Ok(()) };
            last = Some(chunk.tenant.clone());
            if chunk.is_first && !chunk.is_last {
                self.bus.control(Control::ConnectedFirst(chunk.notification.id));
            }
            self.announce(chunk, started);
        }
    }

    /// A large fan-out takes seconds: users with an open page must not wait for the many without one.
    async fn deliver_to_connected(&self, id: Uuid) -> Result<(), Unavailable> {
        let Some(tenant) = self.store.open_fanout(id).await? else { return Ok(()) };
        let keys = self.hub.users().into_iter().filter(|key| key.tenant == tenant);
        let users: Vec<UserId> = keys.map(|key| key.user).collect();
        for some in users.chunks(CHUNK) {
            let started = Instant::now();
            let Some(chunk) = self.store.write_for(id, some).await? else { return Ok(()) };
            self.announce(chunk, started);
        }
        Ok(())
    }

    fn announce(&self, chunk: Chunk, started: Instant) {
        ::metrics::histogram!(metrics::FANOUT_CHUNK_SECONDS).record(started.elapsed());
        ::metrics::counter!(metrics::FANOUT_ROWS).increment(chunk.reached.len() as u64);
        if chunk.is_last {
            ::metrics::counter!(metrics::FANOUTS).increment(1);
        }
        self.announcer.announce_chunk(chunk);
    }

    fn pop_connected_first(&self) -> Option<Uuid> {
        lock(&self.connected_first).pop_front()
    }
}
