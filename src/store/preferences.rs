//! The table `preferences`, what was decided by it, and the time zones that it may name.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    dsl::now,
    prelude::*,
    result::{Error, QueryResult},
    sql_query,
    sql_types::{Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Store, Unavailable,
    account::{self, SETTINGS, Stamped},
    schema::preferences,
};
use crate::{
    channel::Decision,
    notification::{Priority, UserKey},
    preferences::Settings,
};

/// Settings as they are stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Saved {
    /// What the user wants.
    pub settings: Settings,
    /// Counts the changes; 0 for settings that were never changed.
    pub version: i64,
}

/// What was decided about a notification for one user.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The notification's kind.
    pub kind: String,
    /// Its category.
    pub category: Option<String>,
    /// Its priority.
    pub priority: Priority,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// The decision.
    pub decision: Decision,
}

impl Store {
    /// A user's settings.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn preferences(&self, key: &UserKey) -> Result<Saved, Unavailable> {
        self.shared.once(async |conn| read(conn, key).await).await
    }

    /// Writes a user's settings, unless their version is another than `before`, as a change of the user's log.
    ///
    /// # Errors
    /// When the database does not answer; they may have been written all the same.
    pub async fn save_preferences(
        &self,
        key: &UserKey,
        settings: Settings,
        before: i64,
    ) -> Result<Option<(Saved, Stamped)>, Unavailable> {
        // Plain data always serialises.
        let document = serde_json::to_value(&settings).unwrap_or_default();
        let saved = self.shared.once(async |conn| save(conn, key, &document, before).await).await?;
        Ok(saved.map(|(version, stamped)| (Saved { settings, version }, stamped)))
    }

    /// What was decided about a notification for a user; none when it was not for that user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn decided(&self, key: &UserKey, id: Uuid) -> Result<Option<Decided>, Unavailable> {
        self.shared.once(async |conn| decided(conn, key, id).await).await
    }

    /// The names of all time zones that the database knows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn time_zones(&self) -> Result<HashSet<String>, Unavailable> {
        self.shared.once(async |conn| time_zones(conn).await).await
    }
}

async fn read(conn: &mut AsyncPgConnection, key: &UserKey) -> QueryResult<Saved> {
    let row: Option<(Value, i64)> = preferences::table
        .find((key.tenant.as_str(), key.user.as_str()))
        .select((preferences::settings, preferences::version))
        .first(conn)
        .await
        .optional()?;
    let Some((document, version)) = row else { return Ok(Saved::default()) };
    let settings = serde_json::from_value(document).map_err(|error| Error::DeserializationError(Box::new(error)))?;
    Ok(Saved { settings, version })
}

/// The new version; none when the version was not `before`.
async fn save(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    document: &Value,
    before: i64,
) -> QueryResult<Option<(i64, Stamped)>> {
    conn.transaction(async |conn| {
        let (tenant, user) = (key.tenant.as_str(), key.user.as_str());
        let written: Option<i64> = if before == 0 {
            diesel::insert_into(preferences::table)
                .values((
                    preferences::tenant.eq(tenant),
                    preferences::user_id.eq(user),
                    preferences::settings.eq(document),
                ))
                .on_conflict_do_nothing()
                .returning(preferences::version)
                .get_result(conn)
                .await
                .optional()?
        } else {
            diesel::update(preferences::table.find((tenant, user)).filter(preferences::version.eq(before)))
                .set((
                    preferences::settings.eq(document),
                    preferences::version.eq(before + 1),
                    preferences::updated_at.eq(now),
                ))
                .returning(preferences::version)
                .get_result(conn)
                .await
                .optional()?
        };
        let Some(version) = written else { return Ok(None) };
        Ok(Some((version, account::stamp(conn, key, SETTINGS).await?)))
    })
    .await
}

#[derive(QueryableByName)]
struct DecidedRow {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    category: Option<String>,
    #[diesel(sql_type = SmallInt)]
    priority: i16,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    decision: i32,
}

async fn decided(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Option<Decided>> {
    let row: Option<DecidedRow> = sql_query(
        "select n.kind, n.category, n.priority, n.created_at, found.decision from notifications as n \
         cross join lateral ( \
             (select decision from inbox where notification_id = n.id and tenant = $2 and user_id = $3 limit 1) \
             union all \
             (select decision from withheld where notification_id = n.id and tenant = $2 and user_id = $3 limit 1) \
         ) as found where n.id = $1 limit 1",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(key.tenant.as_str())
    .bind::<Text, _>(key.user.as_str())
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| Decided {
        kind: row.kind,
        category: row.category,
        priority: Priority::from_rank(row.priority),
        created_at: row.created_at,
        decision: Decision::from_stored(row.decision),
    }))
}

/// Reads files of the server's, so it is asked once.
async fn time_zones(conn: &mut AsyncPgConnection) -> QueryResult<HashSet<String>> {
    #[derive(QueryableByName)]
    struct Zone {
        #[diesel(sql_type = Text)]
        name: String,
    }
    // The others are no names of IANA but files that lie beside.
    let zones: Vec<Zone> = sql_query(
        "select name from pg_timezone_names where not starts_with(name, 'posix') and name not in ('Factory', 'localtime')",
    )
    .load(conn)
    .await?;
    Ok(zones.into_iter().map(|zone| zone.name).collect())
}
