//! The table `stream_tickets`: what a one-time ticket stands for, until it is redeemed or too old.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Binary, Double, Jsonb, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::stream_tickets;
use crate::{auth::Identity, notification::UserKey};

const ISSUE: &str = "INSERT INTO stream_tickets (hash, tenant, user_id, identity, expires_at)
    VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))";

/// An identity without its tenant and user, which have columns.
#[derive(Serialize, Deserialize)]
struct Rest {
    publish: bool,
    admin: bool,
    expires_at: DateTime<Utc>,
    issued_at: Option<DateTime<Utc>>,
    token_id: Option<String>,
}

/// Keeps what a ticket stands for, by the ticket's hash, for `ttl` of the database's clock.
///
/// # Errors
/// When the database does not take it.
pub async fn issue(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    identity: &Identity,
    ttl: Duration,
) -> QueryResult<()> {
    let Identity { key, publish, admin, expires_at, issued_at, token_id } = identity.clone();
    let rest = serde_json::to_value(Rest { publish, admin, expires_at, issued_at, token_id });
    diesel::sql_query(ISSUE)
        .bind::<Binary, _>(&hash[..])
        .bind::<Text, _>(key.tenant.as_str())
        .bind::<Text, _>(key.user.as_str())
        .bind::<Jsonb, _>(rest.map_err(|error| diesel::result::Error::SerializationError(error.into()))?)
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
    let columns = (stream_tickets::tenant, stream_tickets::user_id, stream_tickets::identity);
    let row: Option<(String, String, Value)> =
        diesel::delete(stream_tickets::table.filter(stream_tickets::hash.eq(&hash[..])).filter(fresh))
            .returning(columns)
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.and_then(|(tenant, user, rest)| {
        let key = UserKey { tenant: tenant.parse().ok()?, user: user.parse().ok()? };
        let Rest { publish, admin, expires_at, issued_at, token_id } = serde_json::from_value(rest).ok()?;
        Some(Identity { key, publish, admin, expires_at, issued_at, token_id })
    }))
}

/// Forgets tickets that are too old; returns how many.
///
/// # Errors
/// When the database does not answer.
pub async fn purge(conn: &mut AsyncPgConnection) -> QueryResult<usize> {
    diesel::delete(stream_tickets::table.filter(stream_tickets::expires_at.le(diesel::dsl::now))).execute(conn).await
}
