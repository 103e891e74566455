//! Takes tokens and users out of service: stored first, then in force here, then on all instances.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    actions::refresh::Refresh,
    auth::{Identity, RevocationList, Target},
    bus::{Bus, Control},
    domain::user::Tenant,
    frame::EndReason,
    live::hub::Hub,
    store::{Store, Unavailable},
};

/// Revokes, and keeps up with what other instances revoked; cheap to clone.
#[derive(Clone)]
pub struct Revocations {
    store: Store,
    hub: Hub,
    bus: Bus,
    known: RevocationList,
    refresh: Refresh,
}

impl Revocations {
    /// Keeps `known` up to date, looking every `refresh` even if nobody told of a change.
    pub fn new(store: Store, hub: Hub, bus: Bus, known: RevocationList, refresh: Duration) -> Self {
        Self { store, hub, refresh: Refresh::new(bus.clone(), refresh), bus, known }
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
        self.refresh().await
    }

    /// Whether the token behind this identity was revoked, as far as is known here.
    pub fn refuses(&self, identity: &Identity) -> bool {
        self.known.refuses(identity)
    }

    /// Notes that another instance revoked something.
    pub fn note_change(&self) {
        self.refresh.note_change();
    }

    /// Reads what was revoked and ends the streams that it concerns.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refresh(&self) -> Result<(), Unavailable> {
        self.known.replace(self.store.revocations().await?);
        self.hub.end(EndReason::Revoked, |identity| self.known.refuses(identity));
        Ok(())
    }

    /// Keeps up until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        self.refresh.run(stop, || self.refresh()).await;
    }
}
