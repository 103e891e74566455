//! The decision about a notification for one user, in the transaction of its publish or of its chunk.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::domain::{channel::Decision, priority::Priority, user::UserKey};
use crate::store::{
    database::{stored, unavailable::Unavailable},
    handle::Store,
    inbox::list::item_of,
};

/// The subject of a notification, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its kind.
    pub kind: String,
    /// Its category.
    pub category: Option<String>,
    /// Its priority.
    pub priority: Priority,
    /// When it was published.
    pub created_at: DateTime<Utc>,
}

/// The decision about a notification for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The notification.
    pub about: About,
    /// The decision.
    pub decision: Decision,
}

impl Store {
    /// The decision about a notification for a user; of an item that several have become, the one about the newest. None when it
    /// was not for that user, or has not come there yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn decided(&self, key: &UserKey, id: Uuid) -> Result<Option<Decided>, Unavailable> {
        self.shared.once(async |conn| decided(conn, key, id).await).await
    }
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
    #[diesel(sql_type = BigInt)]
    channels: i64,
}

impl TryFrom<DecidedRow> for Decided {
    type Error = diesel::result::Error;

    fn try_from(row: DecidedRow) -> QueryResult<Self> {
        let DecidedRow { kind, category, priority, created_at, channels } = row;
        let about = About { kind, category, priority: stored::priority(priority)?, created_at };
        Ok(Self { about, decision: Decision::from_stored(channels) })
    }
}

async fn decided(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Option<Decided>> {
    let row: Option<DecidedRow> = sql_query(
        "select n.kind, n.category, n.priority, n.created_at, found.channels from ( \
             (select notification_id, coalesce(channels, decision) as channels from inbox \
                 where notification_id = $1 and tenant = $2 and user_id = $3 limit 1) \
             union all \
             (select notification_id, coalesce(channels, decision) as channels from inbox \
                 where item_id = $1 and tenant = $2 and user_id = $3 limit 1) \
             union all \
             (select notification_id, coalesce(channels, decision) as channels from withheld \
                 where notification_id = $1 and tenant = $2 and user_id = $3 limit 1) \
         ) as found cross join lateral ( \
             select kind, category, priority, created_at from notifications where id = found.notification_id limit 1 \
         ) as n limit 1",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(key.tenant.as_str())
    .bind::<Text, _>(key.user.as_str())
    .get_result(conn)
    .await
    .optional()?;
    match row {
        Some(row) => row.try_into().map(Some),
        None => match item_of(conn, key, id).await? {
            Some(name) => Box::pin(decided(conn, key, name)).await,
            None => Ok(None),
        },
    }
}
