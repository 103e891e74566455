//! A publish is taken back: what waits is called off, and what has arrived leaves the inboxes with the next sweep.

use diesel::{prelude::*, result::QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{reminders, scheduled::manage};
use crate::{
    domain::user::Tenant,
    store::{
        database::{clock::clock_time, shared::repeat, unavailable::Unavailable},
        handle::Store,
        schema::{notifications, scheduled},
    },
};

impl Store {
    /// Lets the publish of this id or idempotency key expire now; answers its id, none when the tenant has none. [`Store::sweep_one`]
    /// takes it out of inboxes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn retract(&self, tenant: &Tenant, name: &str) -> Result<Option<Uuid>, Unavailable> {
        repeat!(self.shared, conn => conn.transaction(async |conn| retract(conn, tenant, name).await))
            .map_err(|_| Unavailable)
    }
}

async fn retract(conn: &mut AsyncPgConnection, tenant: &Tenant, name: &str) -> QueryResult<Option<Uuid>> {
    let Some(id) = manage::id_of(conn, tenant, name).await? else { return Ok(None) };
    let waiting = scheduled::table.find(id).filter(scheduled::tenant.eq(tenant.as_str()));
    diesel::delete(waiting).execute(conn).await?;
    reminders::cancel(conn, tenant, id).await?;
    let alive = notifications::table.find(id).filter(notifications::expires_at.gt(clock_time()));
    let now = (notifications::expires_at.eq(clock_time()), notifications::retracted_at.eq(clock_time().nullable()));
    diesel::update(alive).set(now).execute(conn).await?;
    Ok(Some(id))
}
