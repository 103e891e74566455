//! Takes tokens and users out of service: stored first, then in force here, then on all instances.

use chrono::{DateTime, Utc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    actions::{refresh::Refresh, to_completion},
    auth::{Identity, RevocationList, Target},
    bus::{Bus, Control},
    domain::user::Tenant,
    frame::EndReason,
    live::hub::Hub,
    store::{Store, Unavailable},
};

/// Revokes, and follows the revocations of other instances; cheap to clone.
#[derive(Clone)]
pub struct Revocations {
    store: Store,
    hub: Hub,
    bus: Bus,
    known: RevocationList,
    refresh: Refresh,
    tracker: TaskTracker,
}

impl Revocations {
    /// Keeps `known` up to date; a stop waits for changes that are tracked.
    pub fn new(
        store: Store,
        hub: Hub,
        bus: Bus,
        known: RevocationList,
        refresh: Refresh,
        tracker: TaskTracker,
    ) -> Self {
        Self { store, hub, bus, known, refresh, tracker }
    }

    /// Revokes a user's tokens or one token; when this returns, this instance refuses them and has announced it to the others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revoke(
        &self,
        tenant: &Tenant,
        target: &Target,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), Unavailable> {
        let (revocations, tenant, target) = (self.clone(), tenant.clone(), target.clone());
        to_completion::run(&self.tracker, async move {
            revocations.store.revoke(&tenant, &target, expires_at).await?;
            revocations.bus.control(Control::Revoked);
            revocations.refresh().await
        })
        .await
    }

    /// Whether the token behind this identity was revoked, as far as is known here.
    pub fn refuses(&self, identity: &Identity) -> bool {
        self.known.refuses(identity)
    }

    /// Notes that another instance revoked something.
    pub fn note_change(&self) {
        self.refresh.note_change();
    }

    /// Reads the revocations and ends the streams that they concern.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refresh(&self) -> Result<(), Unavailable> {
        self.refresh.read(self.read()).await
    }

    async fn read(&self) -> Result<(), Unavailable> {
        self.known.replace(self.store.revocations().await?);
        self.hub.end(EndReason::Revoked, |identity| self.known.refuses(identity));
        Ok(())
    }

    /// Keeps up until the stop.
    pub async fn run(self, stop: CancellationToken) {
        self.refresh.run(stop, || self.read()).await;
    }
}
