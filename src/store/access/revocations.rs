//! The table `revocations`: one row for each revoked user or token.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Nullable, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::{database::stored, schema::revocations};
use crate::{
    auth::{Revocation, Target},
    domain::user::Tenant,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = revocations, check_for_backend(diesel::pg::Pg))]
struct Row {
    tenant: String,
    kind: String,
    subject: String,
    revoked_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

impl Row {
    fn parse(self) -> QueryResult<Revocation> {
        let target = match self.kind.as_str() {
            "user" => Target::User(stored::parse(&self.subject)?),
            "token" => Target::Token(self.subject),
            kind => return Err(stored::unreadable(format!("{kind:?} cannot be revoked"))),
        };
        let (revoked_at, expires_at) = (self.revoked_at, self.expires_at);
        Ok(Revocation { tenant: stored::parse(&self.tenant)?, target, revoked_at, expires_at })
    }
}

/// Revokes from now on, by the database's clock; a revocation that was there is moved to now and keeps the later end.
///
/// # Errors
/// When the database does not take it.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    target: &Target,
    expires_at: Option<DateTime<Utc>>,
) -> QueryResult<()> {
    let (kind, subject) = match target {
        Target::User(user) => ("user", user.as_str()),
        Target::Token(id) => ("token", id.as_str()),
    };
    diesel::sql_query(include_str!("revoke.sql"))
        .bind::<Text, _>(tenant.as_str())
        .bind::<Text, _>(kind)
        .bind::<Text, _>(subject)
        .bind::<Nullable<Timestamptz>, _>(expires_at)
        .execute(conn)
        .await?;
    Ok(())
}

/// All revocations that have not ended.
///
/// # Errors
/// When the database does not answer.
pub async fn in_force(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Revocation>> {
    let lasting = revocations::expires_at.is_null().or(revocations::expires_at.assume_not_null().gt(diesel::dsl::now));
    let rows: Vec<Row> = revocations::table.filter(lasting).select(Row::as_select()).load(conn).await?;
    rows.into_iter().map(Row::parse).collect()
}

/// Forgets those that have ended; returns how many.
///
/// # Errors
/// When the database does not answer.
pub async fn purge(conn: &mut AsyncPgConnection) -> QueryResult<usize> {
    diesel::delete(revocations::table.filter(revocations::expires_at.assume_not_null().le(diesel::dsl::now)))
        .execute(conn)
        .await
}
