//! The summary of an inbox, and the items that are due soon.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Jsonb, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::list;
use crate::domain::{
    cursor::{Cursor, Seq},
    notification::InboxItem,
    priority::Priority,
    user::UserKey,
};
use crate::store::{
    database::{stored, unavailable::Unavailable},
    handle::Store,
    log::streams,
};

/// Most due items, and most unread items, that are scanned.
const SCAN_LIMIT: i64 = 500;

/// The summary of an inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The first of the relevant items.
    pub items: Vec<InboxItem>,
    /// The user's unread count.
    pub unread: i64,
    /// How many are relevant, by category; overdue ones as `overdue` with the category's name.
    pub breakdown: BTreeMap<String, i64>,
    /// Whether all items that may be relevant were scanned.
    pub is_exact: bool,
    /// The stream's position of this answer.
    pub cursor: Cursor,
}

/// An item that is due within a day, or overdue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Callback {
    /// The item.
    pub id: Uuid,
    /// One line.
    pub title: String,
    /// The text below it.
    pub body: Option<String>,
    /// How much it matters.
    #[serde(deserialize_with = "rank")]
    pub priority: Priority,
    /// When it is due.
    pub due_at: DateTime<Utc>,
    /// Seconds from now until then; not above 0 when it is overdue.
    pub seconds_left: f64,
    /// Data of the publisher for its clients.
    pub data: Option<Value>,
    /// The address that a click opens.
    pub action_url: Option<String>,
}

/// Items that are due soon.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Callbacks {
    /// The soonest first.
    pub callbacks: Vec<Callback>,
    /// Whether more follow, or may.
    pub has_more: bool,
}

impl Store {
    /// The summary of an inbox: `limit` items of it, most urgent first. Of a category in `relevance` only items that are not older
    /// than so many seconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn summary(
        &self,
        key: &UserKey,
        limit: i64,
        relevance: &BTreeMap<String, i64>,
    ) -> Result<Summary, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            streams::ensure_one(conn, key).await?;
            let look = async |conn: &mut AsyncPgConnection| summary(conn, key, limit, relevance).await;
            conn.build_transaction().repeatable_read().read_only().run(look).await
        };
        self.shared.once(run).await
    }

    /// The items of a category that are due to a user within a day or overdue: the first `limit` of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due(&self, key: &UserKey, category: &str, limit: usize) -> Result<Callbacks, Unavailable> {
        self.shared.once(async |conn| due(conn, key, category, limit).await).await
    }
}

#[derive(QueryableByName)]
struct SummaryRow {
    #[diesel(sql_type = Text)]
    epoch: String,
    #[diesel(sql_type = BigInt)]
    head_seq: Seq,
    #[diesel(sql_type = BigInt)]
    unread: i64,
    #[diesel(sql_type = Array<BigInt>)]
    seqs: Vec<Seq>,
    #[diesel(sql_type = Jsonb)]
    breakdown: Value,
    #[diesel(sql_type = Bool)]
    is_exact: bool,
}

async fn summary(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    limit: i64,
    relevance: &BTreeMap<String, i64>,
) -> QueryResult<Summary> {
    let row: SummaryRow = sql_query(include_str!("summary.sql"))
        .bind::<Text, _>(key.tenant.as_str())
        .bind::<Text, _>(key.user.as_str())
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(SCAN_LIMIT)
        .bind::<Jsonb, _>(json!(relevance))
        .get_result(conn)
        .await?;
    let items = list::items(conn, key, &row.seqs).await?;
    debug_assert_eq!(items.len(), row.seqs.len(), "one snapshot has the items of its own seqs");
    let mut items: HashMap<Seq, InboxItem> = items.into_iter().map(|item| (item.seq, item)).collect();
    Ok(Summary {
        items: row.seqs.iter().filter_map(|seq| items.remove(seq)).collect(),
        unread: row.unread,
        breakdown: read(row.breakdown)?,
        is_exact: row.is_exact,
        cursor: Cursor { epoch: row.epoch.into(), seq: row.head_seq },
    })
}

#[derive(QueryableByName)]
struct DueRow {
    #[diesel(sql_type = Jsonb)]
    callbacks: Value,
    #[diesel(sql_type = BigInt)]
    looked_through: i64,
}

async fn due(conn: &mut AsyncPgConnection, key: &UserKey, category: &str, limit: usize) -> QueryResult<Callbacks> {
    // One more than asked for shows whether any follow.
    let row: DueRow = sql_query(include_str!("due.sql"))
        .bind::<Text, _>(key.tenant.as_str())
        .bind::<Text, _>(key.user.as_str())
        .bind::<Text, _>(category)
        .bind::<BigInt, _>(limit as i64 + 1)
        .bind::<BigInt, _>(SCAN_LIMIT)
        .get_result(conn)
        .await?;
    let mut callbacks: Vec<Callback> = read(row.callbacks)?;
    let has_more = callbacks.len() > limit || row.looked_through >= SCAN_LIMIT;
    callbacks.truncate(limit);
    Ok(Callbacks { callbacks, has_more })
}

/// A priority of a document that the statement itself built.
fn rank<'de, D: Deserializer<'de>>(rank: D) -> Result<Priority, D::Error> {
    stored::priority(i16::deserialize(rank)?).map_err(D::Error::custom)
}

/// A document that the statement itself built.
fn read<T: DeserializeOwned>(document: Value) -> QueryResult<T> {
    serde_json::from_value(document).map_err(stored::unreadable)
}
