//! Reading inboxes: lists and single items.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    result::{Error, QueryResult},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::domain::{
    channel::Decision,
    cursor::{Cursor, Seq},
    notification::{InboxItem, Published},
    user::UserKey,
};
use crate::store::inbox::choice::choose;
use crate::store::{
    content::ContentRow,
    database::{
        stored::{self, unreadable},
        unavailable::Unavailable,
    },
    handle::Store,
    inbox::filter_scan::Filter,
    log::streams,
    schema::{folded, inbox, notifications},
};

/// Most items that a list with a filter of content looks through: a rare kind in a large inbox must not cost more.
pub const SCAN_LIMIT: i64 = 1_000;

/// Which items of an inbox to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Most items; the caller bounds it.
    pub limit: i64,
    /// Items skipped from the newest.
    pub offset: i64,
    /// Only items that arrived before this seq: the content of a page token.
    pub before: Option<Seq>,
    /// How they must be.
    pub filter: Filter,
}

/// One page of an inbox, all of it from one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxPage {
    /// Newest first, without archived, deleted and snoozed ones.
    pub items: Vec<InboxItem>,
    /// All items that match the filters, on all pages, as far as `total_is_exact` says.
    pub total: i64,
    /// Whether `total` is of the whole inbox, or of the newest [`SCAN_LIMIT`] items only.
    pub total_is_exact: bool,
    /// The user's authoritative count, without filters.
    pub unread: i64,
    /// The seq that older items come before, when there may be any.
    pub next: Option<Seq>,
    /// The stream's position of this answer.
    pub cursor: Cursor,
    /// The database's time of this answer.
    pub time: DateTime<Utc>,
}

impl Store {
    /// Lists an inbox.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, key: &UserKey, query: &ListQuery) -> Result<InboxPage, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            streams::ensure_one(conn, key).await?;
            conn.build_transaction().repeatable_read().read_only().run(async |conn| list(conn, key, query).await).await
        };
        self.shared.once(run).await
    }

    /// One item; none when the user has none of that id, or has deleted it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn item(&self, key: &UserKey, id: Uuid) -> Result<Option<InboxItem>, Unavailable> {
        self.shared.once(async |conn| item(conn, key, id).await).await
    }

    /// The seq after which the newest `count` items of the inbox arrived.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn before_newest(&self, key: &UserKey, count: i64) -> Result<Option<Seq>, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            let newest = ListQuery { limit: count, ..ListQuery::default() };
            Ok(crate::store::inbox::choice::seqs(conn, key, &newest).await?.last().map(|seq| seq - 1))
        };
        self.shared.once(run).await
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = notifications)]
pub(crate) struct NotificationRow {
    id: Uuid,
    #[diesel(embed)]
    content: ContentRow,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// As the publish named them; none where it named none.
    pub(crate) topics: Option<Vec<String>>,
    pub(crate) due_at: Option<DateTime<Utc>>,
    thread_key: Option<String>,
    due_by: Option<String>,
    burst_most: Option<i16>,
}

impl NotificationRow {
    /// Whether it is an item of its own in each inbox, and no more than that.
    pub(crate) fn is_plain(&self) -> bool {
        self.due_at.is_none() && self.thread_key.is_none() && self.burst_most.is_none()
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = inbox)]
struct InboxRow {
    seq: Seq,
    /// Its name, where it is not that of the notification.
    item_id: Option<Uuid>,
    read_at: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
    seen_at: Option<DateTime<Utc>>,
    snoozed_until: Option<DateTime<Utc>>,
    due_state: Option<i16>,
    /// How many notifications have become this item; none: one.
    folded: Option<i32>,
    /// The decision; a row of version 0.1.0 has it only in the first layout.
    channels: Option<i64>,
    decision: i32,
    reason: i16,
    /// The ordinal of the topic that brought it, from 1.
    topic: Option<i16>,
}

impl TryFrom<NotificationRow> for Published {
    type Error = Error;

    fn try_from(row: NotificationRow) -> QueryResult<Self> {
        let content = row.content.try_into()?;
        Ok(Self { id: row.id, content, created_at: row.created_at, expires_at: row.expires_at })
    }
}

impl TryFrom<(InboxRow, NotificationRow)> for InboxItem {
    type Error = Error;

    fn try_from((row, mut notification): (InboxRow, NotificationRow)) -> QueryResult<Self> {
        let topics = notification.topics.take().unwrap_or_default();
        let named = |ordinal: i16| topics.get(usize::try_from(ordinal - 1).ok()?).map(String::as_str);
        let named =
            |ordinal| named(ordinal).ok_or_else(|| unreadable("an item of a topic that the publish does not name"));
        let topic = row.topic.map(named).transpose()?;
        let thread_key = notification.thread_key.take();
        let due = stored::item_due(notification.due_at, row.due_state, notification.due_by.take())?;
        let published = Published::try_from(notification)?;
        Ok(Self {
            id: row.item_id.unwrap_or(published.id),
            seq: row.seq,
            content: published.content,
            reason: stored::reason(row.reason, topic)?,
            decision: Decision::from_stored(row.channels.unwrap_or_else(|| row.decision.into())),
            created_at: published.created_at,
            expires_at: published.expires_at,
            read_at: row.read_at,
            archived_at: row.archived_at,
            seen_at: row.seen_at,
            snoozed_until: row.snoozed_until,
            due,
            thread_key,
            count: row.folded.unwrap_or(1),
        })
    }
}

async fn list(conn: &mut AsyncPgConnection, key: &UserKey, query: &ListQuery) -> QueryResult<InboxPage> {
    let (stream, time) = streams::look(conn, key).await?;
    let choice = choose(conn, key, query, &stream).await?;
    Ok(InboxPage {
        items: items(conn, key, &choice.seqs).await?,
        total: choice.total,
        total_is_exact: choice.total_is_exact,
        unread: stream.unread,
        next: choice.next,
        cursor: Cursor { epoch: stream.epoch.into(), seq: stream.head },
        time,
    })
}

#[diesel::dsl::auto_type(no_type_alias)]
fn mine<'a>(key: &'a UserKey) -> _ {
    let tenant: &'a str = key.tenant.as_str();
    let user: &'a str = key.user.as_str();
    inbox::table
        .inner_join(notifications::table.on(notifications::id.eq(inbox::notification_id)))
        .filter(inbox::tenant.eq(tenant))
        .filter(inbox::user_id.eq(user))
        .filter(inbox::deleted_at.is_null())
}

/// An item goes by the id of its notification. If a later one replaced the first, it goes by the id of the first.
#[diesel::dsl::auto_type(no_type_alias)]
pub(crate) fn named(id: Uuid) -> _ {
    inbox::notification_id.eq(id).or(inbox::item_id.eq(id))
}

/// The items that arrived at these seqs, newest first.
pub(crate) async fn items(conn: &mut AsyncPgConnection, key: &UserKey, seqs: &[Seq]) -> QueryResult<Vec<InboxItem>> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(InboxRow, NotificationRow)> = mine(key)
        .filter(inbox::seq.eq_any(seqs))
        .select((InboxRow::as_select(), NotificationRow::as_select()))
        .order(inbox::seq.desc())
        .load(conn)
        .await?;
    rows.into_iter().map(InboxItem::try_from).collect()
}

async fn item(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Option<InboxItem>> {
    let row: Option<(InboxRow, NotificationRow)> = mine(key)
        .filter(named(id))
        .select((InboxRow::as_select(), NotificationRow::as_select()))
        .first(conn)
        .await
        .optional()?;
    match row {
        Some(row) => Ok(Some(row.try_into()?)),
        None => match item_of(conn, key, id).await? {
            Some(name) => Box::pin(item(conn, key, name)).await,
            None => Ok(None),
        },
    }
}

/// The name of the item of which a notification is a part that is neither its first nor its newest.
pub(crate) async fn item_of(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Option<Uuid>> {
    let part = folded::table.find((id, key.tenant.as_str(), key.user.as_str())).select(folded::item_id);
    // The first one has the item's name itself, and so leads no further.
    Ok(part.first(conn).await.optional()?.filter(|name| *name != id))
}
