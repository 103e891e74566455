//! Tickets and revocations: credentials that open one stream, and tokens that are refused.

pub(crate) mod revocations;
pub(crate) mod tickets;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::{
    database::{shared::repeat, unavailable::Unavailable},
    handle::Store,
};
use crate::{
    auth::{Identity, Revocation, Target, Ticket},
    domain::user::Tenant,
};

/// How long a ticket may wait for its stream.
pub const TICKET_TTL: Duration = Duration::from_secs(30);

impl Store {
    /// A one-time ticket for the identity, valid for [`TICKET_TTL`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn issue_ticket(&self, identity: &Identity) -> Result<String, Unavailable> {
        let ticket = Ticket::random();
        self.shared.once(async |conn| tickets::issue(conn, &ticket.hash, identity, TICKET_TTL).await).await?;
        Ok(ticket.text)
    }

    /// The identity of a ticket; none when it is unknown, used or too old.
    ///
    /// # Errors
    /// When the database does not answer; the ticket may have been used up all the same.
    pub async fn redeem_ticket(&self, text: &str) -> Result<Option<Identity>, Unavailable> {
        let Some(hash) = Ticket::hash_of(text) else { return Ok(None) };
        self.shared.once(async |conn| tickets::redeem(conn, &hash).await).await
    }

    /// Revokes a user's tokens or one token, until `expires_at` or for good.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revoke(
        &self,
        tenant: &Tenant,
        target: &Target,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), Unavailable> {
        repeat!(self.shared, conn => revocations::insert(conn, tenant, target, expires_at)).map_err(|_| Unavailable)
    }

    /// All revocations in force.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revocations(&self) -> Result<Vec<Revocation>, Unavailable> {
        self.shared.once(async |conn| revocations::in_force(conn).await).await
    }

    /// Forgets tickets and revocations that have ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge_access(&self) -> Result<(), Unavailable> {
        self.shared
            .once(async |conn| {
                tickets::purge(conn).await?;
                revocations::purge(conn).await
            })
            .await
            .map(drop)
    }
}
