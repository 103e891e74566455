//! The table `stream_tickets`: the identity behind a one-time ticket, until it is redeemed or expires.

use std::time::Duration;

use diesel::{
    prelude::*,
    sql_types::{Binary, Double, Jsonb},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::auth::Identity;
use crate::store::{database::stored, schema::stream_tickets};

const ISSUE: &str = "INSERT INTO stream_tickets (hash, identity, expires_at)
    VALUES ($1, $2, now() + make_interval(secs => $3))";

/// Keeps the identity of a ticket, by the ticket's hash, for `ttl` of the database's clock.
///
/// # Errors
/// When the database does not take it.
pub async fn issue(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    identity: &Identity,
    ttl: Duration,
) -> QueryResult<()> {
    let text =
        serde_json::to_value(identity).map_err(|error| diesel::result::Error::SerializationError(error.into()))?;
    diesel::sql_query(ISSUE)
        .bind::<Binary, _>(&hash[..])
        .bind::<Jsonb, _>(text)
        .bind::<Double, _>(ttl.as_secs_f64())
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes a ticket: of several that try at once, one gets the identity. None when it is unknown, used or too old.
///
/// # Errors
/// When the database does not answer.
pub async fn redeem(conn: &mut AsyncPgConnection, hash: &[u8; 32]) -> QueryResult<Option<Identity>> {
    let fresh = stream_tickets::expires_at.gt(diesel::dsl::now);
    let identity: Option<Value> =
        diesel::delete(stream_tickets::table.filter(stream_tickets::hash.eq(&hash[..])).filter(fresh))
            .returning(stream_tickets::identity)
            .get_result(conn)
            .await
            .optional()?;
    identity.map(|identity| serde_json::from_value(identity).map_err(stored::unreadable)).transpose()
}

/// Forgets tickets that are too old; returns how many.
///
/// # Errors
/// When the database does not answer.
pub async fn purge(conn: &mut AsyncPgConnection) -> QueryResult<usize> {
    diesel::delete(stream_tickets::table.filter(stream_tickets::expires_at.le(diesel::dsl::now))).execute(conn).await
}
