//! The one statement by which items get a seq at the head of inboxes. Plain publishes have a faster one.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::domain::{channel::Decision, cursor::Seq, user::UserKey};
use crate::store::{
    database::stored::{self, unreadable},
    log::streams::Head,
    publish::append::Placed,
    schema::inbox,
};

/// An item as it is to be on top of an inbox.
#[derive(Debug, Clone, QueryableByName)]
#[diesel(table_name = inbox)]
pub(crate) struct HeadInsert {
    pub tenant: String,
    pub user_id: String,
    /// The older seq that it leaves; none for a new item.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub seq: Option<Seq>,
    pub notification_id: Uuid,
    pub item_id: Option<Uuid>,
    pub thread_key: Option<String>,
    pub folded: Option<i32>,
    pub reason: i16,
    pub topic: Option<i16>,
    #[diesel(sql_type = BigInt)]
    pub channels: i64,
    pub due_at: Option<DateTime<Utc>>,
    pub due_state: Option<i16>,
    pub read_at: Option<DateTime<Utc>>,
}

/// The columns of [`HeadInsert`], of a row called `i`.
pub(crate) const COLUMNS: &str = "i.tenant, i.user_id, i.seq, i.notification_id, i.item_id, i.thread_key, i.folded, i.reason, \
    i.topic, coalesce(i.channels, i.decision) as channels, i.due_at, i.due_state, i.read_at";

#[derive(QueryableByName)]
struct PutRow {
    #[diesel(sql_type = Text)]
    tenant: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    epoch: String,
    #[diesel(sql_type = BigInt)]
    seq: Seq,
    #[diesel(sql_type = BigInt)]
    unread: i64,
}

/// An item that was put on top of an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inserted {
    pub key: UserKey,
    pub placed: Placed,
}

/// Puts items on top of inboxes whose streams the transaction has locked; of one inbox in the order given. Answers in that
/// order; `unread` is exact where an inbox gets one item.
pub(crate) async fn insert_at_head(conn: &mut AsyncPgConnection, items: &[HeadInsert]) -> QueryResult<Vec<Inserted>> {
    fn column<'a, T>(items: &'a [HeadInsert], value: impl Fn(&'a HeadInsert) -> T) -> Vec<T> {
        items.iter().map(value).collect()
    }
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<PutRow> = sql_query(include_str!("insert_at_head.sql"))
        .bind::<Array<Text>, _>(column(items, |item| item.tenant.as_str()))
        .bind::<Array<Text>, _>(column(items, |item| item.user_id.as_str()))
        .bind::<Array<Nullable<BigInt>>, _>(column(items, |item| item.seq))
        .bind::<Array<SqlUuid>, _>(column(items, |item| item.notification_id))
        .bind::<Array<Nullable<SqlUuid>>, _>(column(items, |item| item.item_id))
        .bind::<Array<Nullable<Text>>, _>(column(items, |item| item.thread_key.as_deref()))
        .bind::<Array<Nullable<Integer>>, _>(column(items, |item| item.folded))
        .bind::<Array<SmallInt>, _>(column(items, |item| item.reason))
        .bind::<Array<Nullable<SmallInt>>, _>(column(items, |item| item.topic))
        .bind::<Array<BigInt>, _>(column(items, |item| Decision::from_stored(item.channels).stored()))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(items, |item| item.due_at))
        .bind::<Array<Nullable<SmallInt>>, _>(column(items, |item| item.due_state))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(items, |item| item.read_at))
        .load(conn)
        .await?;
    if rows.len() != items.len() {
        return Err(unreadable("an item that was asked for was not inserted"));
    }
    rows.into_iter().zip(items).map(|(row, item)| row.into_put(item)).collect()
}

impl PutRow {
    fn into_put(self, item: &HeadInsert) -> QueryResult<Inserted> {
        debug_assert_eq!(
            (&self.tenant, &self.user_id),
            (&item.tenant, &item.user_id),
            "rows stand in the order of the items"
        );
        let placed = Placed {
            epoch: self.epoch.into(),
            seq: self.seq,
            unread: self.unread,
            decision: Decision::from_stored(item.channels),
        };
        Ok(Inserted { key: stored::key(&self.tenant, &self.user_id)?, placed })
    }
}

/// The heads of some inboxes when these items are on top of them.
pub(crate) fn heads(put: Vec<Inserted>) -> Vec<Head> {
    let mut heads: Vec<Head> = Vec::with_capacity(put.len());
    for Inserted { key, placed } in put {
        match heads.iter_mut().rev().find(|head| head.key == key) {
            Some(head) => head.seq = head.seq.max(placed.seq),
            None => heads.push(Head { key, epoch: placed.epoch, seq: placed.seq }),
        }
    }
    heads
}
