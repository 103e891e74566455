//! Changes of state: read, unread, seen, archived, snoozed, deleted. Each takes the next seq under the stream's lock and stamps
//! it on the rows that it changed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::list::{item_of, named};
use crate::domain::{
    cursor::{Cursor, Seq},
    notification::{Action, ItemState},
    user::UserKey,
};
use crate::store::{
    database::{clock, shared::repeat, stored, unavailable::Unavailable},
    handle::Store,
    log::streams::{self, Counts},
    schema::{inbox, inbox_unread, notifications},
};

/// Most rows of one change: so many hold a stream's lock for some tens of milliseconds.
pub(crate) const MOST_ROWS: usize = 2_000;
/// Longest snooze: a leap year.
const LONGEST_SNOOZE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The result of a change.
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

/// Why an item was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// The user has no such item, or has deleted it.
    #[error("there is no such item")]
    NoSuchItem,
    /// A snooze ends in the future, and not after a year.
    #[error("must be in the future, at most 366 days ahead, and before the item expires")]
    SnoozeTime,
    /// Nothing about the item is due.
    #[error("nothing about it is due")]
    NotDue,
    /// The user got the item by a topic and has left it.
    #[error("it was for the subscribers of a topic, and you are none any more")]
    NotConcerned,
    /// The database does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Changed {
    /// No change, with the cursor at the head of the stream.
    pub(crate) fn nothing(stream: Counts) -> Self {
        let cursor = Cursor { epoch: stream.epoch.into(), seq: stream.head };
        Self { rows: Vec::new(), unread: stream.unread, cursor }
    }

    /// Whether it took as many rows as one change may, so that more may be left.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= MOST_ROWS
    }

    /// Counts a later change of the same stream in.
    pub fn follow(&mut self, next: Self) {
        self.rows.extend(next.rows);
        (self.unread, self.cursor) = (next.unread, next.cursor);
    }
}

impl Store {
    /// Changes one of a user's items.
    ///
    /// # Errors
    /// When the user has no such item, when it cannot be snoozed until then, and when the database does not answer. A
    /// repeat is safe: it finds nothing left to change.
    pub async fn change(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Changed, NotChanged> {
        let _permit = self.shared.permit_for(key).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| change(conn, key, id, action).await))
            .map_err(|_| Unavailable)?
    }

    /// Marks the oldest unread items as read that arrived up to `until`, as many as one change may.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn read_oldest(&self, key: &UserKey, until: Seq) -> Result<Changed, Unavailable> {
        let _permit = self.shared.permit_for(key).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| read_oldest(conn, key, until).await))
            .map_err(|_| Unavailable)
    }
}

#[derive(QueryableByName)]
struct StateRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = BigInt)]
    seq: Seq,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    read_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    archived_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    deleted_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    seen_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    snoozed_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    due_state: Option<i16>,
    /// By how much the whole change moves the unread count; the same in every row.
    #[diesel(sql_type = BigInt)]
    unread_by: i64,
    /// The same for the number of listed items.
    #[diesel(sql_type = BigInt)]
    listed_by: i64,
}

impl StateRow {
    fn into_state(self) -> QueryResult<ItemState> {
        Ok(ItemState {
            id: self.id,
            seq: self.seq,
            read: self.read_at.is_some(),
            archived: self.archived_at.is_some(),
            deleted: self.deleted_at.is_some(),
            seen: self.seen_at.is_some(),
            snoozed_until: self.snoozed_until,
            due: self.due_state.map(stored::due_state).transpose()?,
        })
    }
}

async fn change(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    id: Uuid,
    action: Action,
) -> QueryResult<Result<Changed, NotChanged>> {
    // The lock comes first, in a statement of its own: the next statement's snapshot then has all earlier changes.
    let stream = streams::lock(conn, key).await?;
    let Some((seq, notification)) = find(conn, key, id).await? else { return Ok(Err(NotChanged::NoSuchItem)) };
    if let Action::Snooze(until) = action
        && !is_snooze_time(conn, notification, until).await?
    {
        return Ok(Err(NotChanged::SnoozeTime));
    }
    stamp(conn, key, stream, &[seq], action).await.map(Ok)
}

/// The seq of a user's item, and its notification.
pub(crate) async fn find(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Option<(Seq, Uuid)>> {
    let found = inbox::table
        .filter(inbox::tenant.eq(key.tenant.as_str()))
        .filter(inbox::user_id.eq(key.user.as_str()))
        .filter(named(id))
        .filter(inbox::deleted_at.is_null())
        .select((inbox::seq, inbox::notification_id))
        .first(conn)
        .await
        .optional()?;
    if found.is_some() {
        return Ok(found);
    }
    match item_of(conn, key, id).await? {
        Some(name) => Box::pin(find(conn, key, name)).await,
        None => Ok(None),
    }
}

/// By the database's time, as for the snooze's end. An item that expires before the end would never return.
async fn is_snooze_time(conn: &mut AsyncPgConnection, notification: Uuid, until: DateTime<Utc>) -> QueryResult<bool> {
    let now = clock::read(conn).await?;
    let end: DateTime<Utc> =
        notifications::table.find(notification).select(notifications::expires_at).first(conn).await?;
    Ok(until > now && until <= now + LONGEST_SNOOZE && until < end)
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

/// Does the action to those of these items of a locked stream that it alters, as its next change.
pub(crate) async fn stamp(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    stream: Counts,
    seqs: &[Seq],
    action: Action,
) -> QueryResult<Changed> {
    let head = stream.head + 1;
    let rows = if seqs.is_empty() { Vec::new() } else { alter(conn, key, seqs, action, head).await? };
    let Some(StateRow { unread_by, listed_by, .. }) = rows.as_slice().first() else {
        return Ok(Changed::nothing(stream));
    };
    let (unread, listed) = (stream.unread + unread_by, stream.listed + listed_by);
    streams::advance(conn, key, head, unread, listed).await?;
    let rows = rows.into_iter().map(StateRow::into_state).collect::<QueryResult<_>>()?;
    Ok(Changed { rows, unread, cursor: Cursor { epoch: stream.epoch.into(), seq: head } })
}

async fn alter(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    seqs: &[Seq],
    action: Action,
    head: Seq,
) -> QueryResult<Vec<StateRow>> {
    let (word, until) = as_stored(action);
    sql_query(include_str!("change.sql"))
        .bind::<Text, _>(key.tenant.as_str())
        .bind::<Text, _>(key.user.as_str())
        .bind::<Array<BigInt>, _>(seqs)
        .bind::<Text, _>(word)
        .bind::<BigInt, _>(head)
        .bind::<Nullable<Timestamptz>, _>(until)
        .load(conn)
        .await
}

/// As `change.sql` calls it, and until when.
fn as_stored(action: Action) -> (&'static str, Option<DateTime<Utc>>) {
    match action {
        Action::Read => ("read", None),
        Action::Unread => ("unread", None),
        Action::Seen => ("seen", None),
        Action::Archive => ("archive", None),
        Action::Snooze(until) => ("snooze", Some(until)),
        Action::Delete => ("delete", None),
        Action::Acknowledge => ("acknowledge", None),
        Action::Finish => ("done", None),
    }
}
