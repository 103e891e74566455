//! Changes of state: read, unread, archived, deleted. Each takes the next seq under the stream's lock and stamps it
//! on the rows that it changed.

use chrono::{DateTime, Utc};
use diesel::{dsl::now, prelude::*, result::QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{
    Store, Unavailable, repeat,
    schema::inbox,
    streams::{self, Locked},
};
use crate::notification::{Action, Cursor, ItemState, Seq, UserKey};

/// What is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// One item.
    One(Uuid, Action),
    /// Everything that is unread.
    ReadAll,
}

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

impl Store {
    /// Changes a user's items; none when the user has no such item.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe: it finds nothing left to change.
    pub async fn change(&self, key: &UserKey, change: Change) -> Result<Option<Changed>, Unavailable> {
        repeat!(self.shared, conn => conn.transaction(async |conn| apply(conn, key, change).await))
            .map_err(|_| Unavailable)
    }
}

#[derive(Queryable)]
pub(super) struct StateRow {
    pub id: Uuid,
    pub seq: Seq,
    pub read_at: Option<DateTime<Utc>>,
    pub archived_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
}

pub(super) const STATE: (inbox::notification_id, inbox::seq, inbox::read_at, inbox::archived_at, inbox::deleted_at) =
    (inbox::notification_id, inbox::seq, inbox::read_at, inbox::archived_at, inbox::deleted_at);

impl From<StateRow> for ItemState {
    fn from(row: StateRow) -> Self {
        Self {
            id: row.id,
            seq: row.seq,
            read: row.read_at.is_some(),
            archived: row.archived_at.is_some(),
            deleted: row.deleted_at.is_some(),
        }
    }
}

async fn apply(conn: &mut AsyncPgConnection, key: &UserKey, change: Change) -> QueryResult<Option<Changed>> {
    // The lock comes first, in a statement of its own: the next statement then sees all that came before.
    let stream = streams::lock(conn, key).await?;
    let seq = stream.head + 1;
    let mut rows: Vec<ItemState> = match change {
        Change::One(id, action) => update_one(conn, key, id, action, seq).await?,
        Change::ReadAll => read_all(conn, key, seq).await?,
    }
    .into_iter()
    .map(ItemState::from)
    .collect();
    rows.sort_unstable_by_key(|row| row.seq);
    if rows.is_empty() {
        return unchanged(conn, key, change, stream).await;
    }
    let unread = stream.unread + rows.iter().map(|row| unread_shift(change, row)).sum::<i64>();
    streams::advance(conn, key, seq, unread).await?;
    Ok(Some(Changed { rows, unread, cursor: Cursor { epoch: stream.epoch.into(), seq } }))
}

/// What a row that has just changed adds to the unread count.
fn unread_shift(change: Change, row: &ItemState) -> i64 {
    match change {
        Change::One(_, Action::Unread) => i64::from(!row.archived),
        Change::One(_, Action::Read) => -i64::from(!row.archived),
        Change::One(_, Action::Archive) => -i64::from(!row.read),
        Change::One(_, Action::Delete) => -i64::from(!row.read && !row.archived),
        Change::ReadAll => -1,
    }
}

async fn unchanged(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    change: Change,
    stream: Locked,
) -> QueryResult<Option<Changed>> {
    if let Change::One(id, _) = change {
        let known = mine(key).filter(inbox::notification_id.eq(id).and(inbox::deleted_at.is_null()));
        if known.count().get_result::<i64>(conn).await? == 0 {
            return Ok(None);
        }
    }
    let cursor = Cursor { epoch: stream.epoch.into(), seq: stream.head };
    Ok(Some(Changed { rows: Vec::new(), unread: stream.unread, cursor }))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn mine<'a>(key: &'a UserKey) -> _ {
    let tenant: &'a str = key.tenant.as_str();
    let user: &'a str = key.user.as_str();
    inbox::table.filter(inbox::tenant.eq(tenant)).filter(inbox::user_id.eq(user))
}

async fn update_one(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    id: Uuid,
    action: Action,
    seq: Seq,
) -> QueryResult<Vec<StateRow>> {
    let item = mine(key).filter(inbox::notification_id.eq(id)).filter(inbox::deleted_at.is_null());
    let stamp = inbox::changed_seq.eq(seq);
    match action {
        Action::Read => {
            let change = diesel::update(item.filter(inbox::read_at.is_null())).set((stamp, inbox::read_at.eq(now)));
            change.returning(STATE).get_results(conn).await
        }
        Action::Unread => {
            let never = None::<DateTime<Utc>>;
            let change =
                diesel::update(item.filter(inbox::read_at.is_not_null())).set((stamp, inbox::read_at.eq(never)));
            change.returning(STATE).get_results(conn).await
        }
        Action::Archive => {
            let change =
                diesel::update(item.filter(inbox::archived_at.is_null())).set((stamp, inbox::archived_at.eq(now)));
            change.returning(STATE).get_results(conn).await
        }
        Action::Delete => {
            diesel::update(item).set((stamp, inbox::deleted_at.eq(now))).returning(STATE).get_results(conn).await
        }
    }
}

async fn read_all(conn: &mut AsyncPgConnection, key: &UserKey, seq: Seq) -> QueryResult<Vec<StateRow>> {
    let unread = mine(key)
        .filter(inbox::read_at.is_null())
        .filter(inbox::archived_at.is_null())
        .filter(inbox::deleted_at.is_null());
    diesel::update(unread)
        .set((inbox::changed_seq.eq(seq), inbox::read_at.eq(now)))
        .returning(STATE)
        .get_results(conn)
        .await
}
