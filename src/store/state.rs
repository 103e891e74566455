//! Changes of state: read, unread, archived, deleted. Each takes the next seq under the stream's lock and stamps it
//! on the rows that it changed.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{
    Store, Unavailable, repeat,
    schema::{inbox, inbox_unread},
    streams::{self, Counts},
};
use crate::notification::{Action, Cursor, ItemState, Seq, UserKey};

/// Most rows of one change: what holds a stream's lock for some tens of milliseconds.
pub(super) const MOST_ROWS: usize = 2_000;

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The rows that really changed, oldest first, in their new state; empty when nothing did, and then no seq was
    /// taken.
    pub rows: Vec<ItemState>,
    /// The user's unread count after it.
    pub unread: i64,
    /// The stream's position after it.
    pub cursor: Cursor,
}

impl Changed {
    /// Whether it took as many rows as one change may, so that more may be left.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= MOST_ROWS
    }
}

impl Store {
    /// Changes one of a user's items; none when the user has no such item.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe: it finds nothing left to change.
    pub async fn change(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Option<Changed>, Unavailable> {
        let _turn = self.shared.turn_of(key).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| change(conn, key, id, action).await))
            .map_err(|_| Unavailable)
    }

    /// Marks the oldest unread items as read that arrived up to `until`, as many as one change may.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn read_oldest(&self, key: &UserKey, until: Seq) -> Result<Changed, Unavailable> {
        let _turn = self.shared.turn_of(key).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| read_oldest(conn, key, until).await))
            .map_err(|_| Unavailable)
    }
}

#[derive(Queryable, QueryableByName)]
struct StateRow {
    #[diesel(sql_type = SqlUuid)]
    notification_id: Uuid,
    #[diesel(sql_type = BigInt)]
    seq: Seq,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    read_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    archived_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    deleted_at: Option<DateTime<Utc>>,
}

impl From<StateRow> for ItemState {
    fn from(row: StateRow) -> Self {
        Self {
            id: row.notification_id,
            seq: row.seq,
            read: row.read_at.is_some(),
            archived: row.archived_at.is_some(),
            deleted: row.deleted_at.is_some(),
            seen: false,
            snoozed_until: None,
            due: None,
        }
    }
}

async fn change(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid, action: Action) -> QueryResult<Option<Changed>> {
    // The lock comes first, in a statement of its own: the next statement then sees all that came before.
    let stream = streams::lock(conn, key).await?;
    let item: Option<StateRow> = inbox::table
        .filter(inbox::tenant.eq(key.tenant.as_str()))
        .filter(inbox::user_id.eq(key.user.as_str()))
        .filter(inbox::notification_id.eq(id))
        .filter(inbox::deleted_at.is_null())
        .select((inbox::notification_id, inbox::seq, inbox::read_at, inbox::archived_at, inbox::deleted_at))
        .first(conn)
        .await
        .optional()?;
    let Some(item) = item.map(ItemState::from) else { return Ok(None) };
    let seqs = if alters(action, &item) { vec![item.seq] } else { Vec::new() };
    stamp(conn, key, stream, &seqs, action).await.map(Some)
}

async fn read_oldest(conn: &mut AsyncPgConnection, key: &UserKey, until: Seq) -> QueryResult<Changed> {
    let stream = streams::lock(conn, key).await?;
    let seqs: Vec<Seq> = inbox_unread::table
        .filter(inbox_unread::tenant.eq(key.tenant.as_str()))
        .filter(inbox_unread::user_id.eq(key.user.as_str()))
        .filter(inbox_unread::seq.le(until))
        .select(inbox_unread::seq)
        .order(inbox_unread::seq)
        .limit(MOST_ROWS as i64)
        .load(conn)
        .await?;
    stamp(conn, key, stream, &seqs, Action::Read).await
}

/// Does the action to these items of a locked stream, as its next change; the items must be there and be altered by it.
pub(super) async fn stamp(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    stream: Counts,
    seqs: &[Seq],
    action: Action,
) -> QueryResult<Changed> {
    if seqs.is_empty() {
        let cursor = Cursor { epoch: stream.epoch.into(), seq: stream.head };
        return Ok(Changed { rows: Vec::new(), unread: stream.unread, cursor });
    }
    let head = stream.head + 1;
    let rows: Vec<StateRow> = sql_query(include_str!("change.sql"))
        .bind::<Text, _>(key.tenant.as_str())
        .bind::<Text, _>(key.user.as_str())
        .bind::<Array<BigInt>, _>(seqs)
        .bind::<Text, _>(word(action))
        .bind::<BigInt, _>(head)
        .load(conn)
        .await?;
    let rows: Vec<ItemState> = rows.into_iter().map(ItemState::from).collect();
    let unread = stream.unread + rows.iter().map(|row| unread_shift(action, row)).sum::<i64>();
    let listed = stream.listed + rows.iter().map(|row| listed_shift(action, row)).sum::<i64>();
    streams::advance(conn, key, head, unread, listed).await?;
    Ok(Changed { rows, unread, cursor: Cursor { epoch: stream.epoch.into(), seq: head } })
}

fn alters(action: Action, item: &ItemState) -> bool {
    match action {
        Action::Read => !item.read,
        Action::Unread => item.read,
        Action::Archive => !item.archived,
        Action::Delete => true,
    }
}

/// As `change.sql` calls it.
fn word(action: Action) -> &'static str {
    match action {
        Action::Read => "read",
        Action::Unread => "unread",
        Action::Archive => "archive",
        Action::Delete => "delete",
    }
}

/// What a row that has just changed adds to the unread count.
fn unread_shift(action: Action, row: &ItemState) -> i64 {
    match action {
        Action::Unread => i64::from(!row.archived),
        Action::Read => -i64::from(!row.archived),
        Action::Archive => -i64::from(!row.read),
        Action::Delete => -i64::from(!row.read && !row.archived),
    }
}

/// What a row that has just changed adds to the number of listed items.
fn listed_shift(action: Action, row: &ItemState) -> i64 {
    match action {
        Action::Unread | Action::Read => 0,
        Action::Archive => -1,
        Action::Delete => -i64::from(!row.archived),
    }
}
