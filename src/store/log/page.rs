//! The snapshot query: the heads of streams and the changes after a position in each, for many streams at once.

use std::{collections::HashMap, sync::LazyLock};

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    data_types::PgTimestamp,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{account_log::AccountChange, streams};
use crate::domain::{
    channel::Decision,
    cursor::{Epoch, Seq},
    notification::{InboxItem, ItemState},
    user::UserKey,
};
use crate::store::{
    content::{self, ContentRow},
    database::stored::{self, unreadable},
};

/// A position in a stream: after a change, or within the rows that share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The change.
    pub seq: Seq,
    /// The last row seen of that change, by arrival.
    pub row: Seq,
}

impl Position {
    /// The position after the whole of a change.
    pub fn after(seq: Seq) -> Self {
        Self { seq, row: Seq::MAX }
    }

    /// Whether the whole of its change was seen.
    pub fn is_whole(self) -> bool {
        self.row == Seq::MAX
    }
}

/// A question to the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The user of the stream.
    pub key: UserKey,
    /// The position of the client.
    pub after: Position,
    /// Most rows wanted; 0 asks only for the head.
    pub max_rows: usize,
}

/// One row of a page, at its position in the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// An item that arrived after the position, in its newest state.
    Arrived {
        /// The item, unless the user has deleted it since.
        item: Option<Box<InboxItem>>,
        /// Its position.
        at: Position,
    },
    /// A change of state of an item that the position covers.
    Changed {
        /// The item and its newest state.
        state: ItemState,
        /// Its position.
        at: Position,
    },
    /// A change of the user's account, in its newest state.
    Account {
        /// The change.
        change: AccountChange,
        /// Its position.
        at: Position,
    },
}

impl Row {
    /// Its position in the log.
    pub fn at(&self) -> Position {
        match self {
            Self::Arrived { at, .. } | Self::Changed { at, .. } | Self::Account { at, .. } => *at,
        }
    }
}

/// The head of a stream and the changes after the position asked for, from one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The stream's incarnation.
    pub epoch: Epoch,
    /// Its newest change.
    pub head: Seq,
    /// Changes up to here cannot be replayed.
    pub pruned: Seq,
    /// The user's unread count.
    pub unread: i64,
    /// The changes, in order. Each row's newest state comes once, if possible.
    pub rows: Vec<Row>,
    /// The position after the rows: after the head, or after the last row when more follow.
    pub end: Position,
    /// The database's time of the snapshot.
    pub time: DateTime<Utc>,
}

impl Page {
    /// Finds the end, and leaves out changes without news. An item that arrives on this page comes in its newest state, so its own
    /// change of state is dropped. A deletion stays: only that change shows it to a client that knows the item from before it
    /// came back to the top.
    pub(crate) fn close(&mut self, ask: &Ask) {
        if let Some(beyond) = self.rows.get(ask.max_rows).map(Row::at) {
            self.rows.truncate(ask.max_rows);
            let last = self.rows.last().map_or(ask.after, Row::at);
            // Only the row beyond the page shows whether the page's last change ends here.
            self.end = if beyond.seq == last.seq { last } else { Position::after(last.seq) };
        }
        self.rows.retain(|row| !matches!(row, Row::Changed { state, at } if at.row > ask.after.seq && !state.deleted));
    }
}

#[derive(QueryableByName)]
struct PageRow {
    #[diesel(sql_type = BigInt)]
    ordinal: i64,
    #[diesel(sql_type = Timestamptz)]
    time: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    epoch: String,
    #[diesel(sql_type = BigInt)]
    head_seq: i64,
    #[diesel(sql_type = BigInt)]
    pruned_seq: i64,
    #[diesel(sql_type = BigInt)]
    unread: i64,
    /// None for a stream of which nothing follows.
    #[diesel(embed)]
    change: Option<ChangeRow>,
}

#[derive(QueryableByName)]
struct ChangeRow {
    #[diesel(sql_type = BigInt)]
    at_seq: i64,
    #[diesel(sql_type = BigInt)]
    row_seq: i64,
    #[diesel(sql_type = Bool)]
    arrival: bool,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<Uuid>,
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
    #[diesel(embed)]
    account: Option<AccountRow>,
    #[diesel(embed)]
    arrived: Option<ArrivedRow>,
}

#[derive(QueryableByName)]
struct AccountRow {
    #[diesel(sql_type = Text)]
    account: String,
    #[diesel(sql_type = Bool)]
    subscribed: bool,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    muted_until: Option<PgTimestamp>,
}

#[derive(QueryableByName)]
struct ArrivedRow {
    #[diesel(sql_type = Nullable<Integer>)]
    folded: Option<i32>,
    #[diesel(sql_type = SmallInt)]
    reason: i16,
    #[diesel(sql_type = Nullable<Text>)]
    topic: Option<String>,
    #[diesel(sql_type = BigInt)]
    channels: i64,
    #[diesel(embed)]
    content: ContentRow,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    thread_key: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    due_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    due_by: Option<String>,
}

static PAGE: LazyLock<String> = LazyLock::new(|| content::statement(include_str!("page.sql"), 5));

/// Answers all asks from one snapshot, in their order; streams that do not exist yet are made.
pub(crate) async fn pages(conn: &mut AsyncPgConnection, asks: &[Ask]) -> QueryResult<Vec<Page>> {
    let mut found = load(conn, asks).await?;
    if found.len() < asks.len() {
        streams::ensure(conn, asks.iter().map(|ask| &ask.key)).await?;
        found = load(conn, asks).await?;
    }
    // A missing stream can only mean that it was removed in between: the caller asks again.
    (0..asks.len()).map(|index| found.remove(&index).ok_or(diesel::result::Error::NotFound)).collect()
}

/// One row more than asked for, to see whether the page is the last.
fn rows_to_read(ask: &Ask) -> i64 {
    if ask.max_rows == 0 { 0 } else { i64::try_from(ask.max_rows).map_or(i64::MAX, |rows| rows.saturating_add(1)) }
}

async fn load(conn: &mut AsyncPgConnection, asks: &[Ask]) -> QueryResult<HashMap<usize, Page>> {
    let rows: Vec<PageRow> = sql_query(PAGE.as_str())
        .bind::<Array<Text>, _>(asks.iter().map(|ask| ask.key.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(asks.iter().map(|ask| ask.key.user.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(asks.iter().map(|ask| ask.after.seq).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(asks.iter().map(|ask| ask.after.row).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(asks.iter().map(rows_to_read).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let mut pages = HashMap::new();
    for row in rows {
        let page = pages.entry(stored::index(row.ordinal)?).or_insert_with(|| Page {
            epoch: row.epoch.into(),
            head: row.head_seq,
            pruned: row.pruned_seq,
            unread: row.unread,
            rows: Vec::new(),
            end: Position::after(row.head_seq),
            time: row.time,
        });
        if let Some(change) = row.change {
            page.rows.extend(change.into_row()?);
        }
    }
    for (&index, page) in &mut pages {
        if let Some(ask) = asks.get(index) {
            page.close(ask);
        }
    }
    Ok(pages)
}

impl ChangeRow {
    /// None for a change of the account that only a later version knows.
    fn into_row(self) -> QueryResult<Option<Row>> {
        let at = Position { seq: self.at_seq, row: self.row_seq };
        if let Some(AccountRow { account, subscribed, muted_until }) = self.account {
            let change = AccountChange::of(&account, subscribed, muted_until);
            return Ok(change.map(|change| Row::Account { change, at: Position::after(at.seq) }));
        }
        let id = self.id.ok_or_else(|| unreadable("a change of no item"))?;
        if self.arrival {
            let item = if self.deleted_at.is_some() { None } else { self.into_item(id)?.map(Box::new) };
            return Ok(Some(Row::Arrived { item, at: Position::after(at.seq) }));
        }
        let state = ItemState {
            id,
            seq: at.row,
            read: self.read_at.is_some(),
            archived: self.archived_at.is_some(),
            deleted: self.deleted_at.is_some(),
            seen: self.seen_at.is_some(),
            snoozed_until: self.snoozed_until,
            due: self.due_state.map(stored::due_state).transpose()?,
        };
        Ok(Some(Row::Changed { state, at }))
    }

    /// None for an item whose notification retention has removed.
    fn into_item(self, id: Uuid) -> QueryResult<Option<InboxItem>> {
        let Some(arrived) = self.arrived else { return Ok(None) };
        Ok(Some(InboxItem {
            id,
            seq: self.row_seq,
            content: arrived.content.try_into()?,
            reason: stored::reason(arrived.reason, arrived.topic.as_deref())?,
            decision: Decision::from_stored(arrived.channels),
            created_at: arrived.created_at,
            expires_at: arrived.expires_at,
            read_at: self.read_at,
            archived_at: self.archived_at,
            seen_at: self.seen_at,
            snoozed_until: self.snoozed_until,
            due: stored::item_due(arrived.due_at, self.due_state, arrived.due_by)?,
            thread_key: arrived.thread_key,
            count: arrived.folded.unwrap_or(1),
        }))
    }
}
