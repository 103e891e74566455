//! Takes tokens and users out of service: stored first, then in force here, then on all instances.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Identity, Revocations, Target},
    bus::{Bus, Control},
    frame::EndReason,
    hub::Hub,
    notification::Tenant,
    store::{Store, Unavailable},
};

/// How often revocations are read without being told: what an order on the bus that was lost costs at most.
const REFRESH: Duration = Duration::from_secs(10);

/// Revokes, and keeps up with what other instances revoked; cheap to clone.
#[derive(Clone)]
pub struct Revoker {
    store: Store,
    hub: Hub,
    bus: Bus,
    known: Revocations,
    changed: Arc<Notify>,
}

impl Revoker {
    /// Keeps `known` up to date.
    pub fn new(store: Store, hub: Hub, bus: Bus, known: Revocations) -> Self {
        Self { store, hub, bus, known, changed: Arc::default() }
    }

    /// Revokes a user's tokens or one token; when this returns, this instance refuses them and has told the others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revoke(
        &self,
        tenant: &Tenant,
        target: &Target,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), Unavailable> {
        self.store.revoke(tenant, target, expires_at).await?;
        self.bus.control(Control::Revoked);
        self.reload().await
    }

    /// Whether the token behind this identity was revoked, as far as is known here.
    pub fn refuses(&self, identity: &Identity) -> bool {
        self.known.refuses(identity)
    }

    /// Notes that another instance revoked something.
    pub fn note_change(&self) {
        self.changed.notify_one();
    }

    /// Reads what was revoked and ends the streams that it concerns.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reload(&self) -> Result<(), Unavailable> {
        self.known.replace(self.store.revocations().await?);
        self.hub.end(EndReason::Revoked, |identity| self.known.refuses(identity));
        Ok(())
    }

    /// Keeps up until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            // Told while the database is away, it is read again with the next turn.
            if self.reload().await.is_err() {
                sleep(Duration::from_secs(1)).await;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep(REFRESH) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
