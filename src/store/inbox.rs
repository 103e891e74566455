//! Reading inboxes: lists and single items.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, result::QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Store, Unavailable,
    schema::{inbox, notifications, streams},
    streams as stream_rows,
};
use crate::notification::{Content, Cursor, InboxItem, Priority, Seq, UserKey};

/// Which items of an inbox to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Most items; the caller bounds it.
    pub limit: i64,
    /// Items skipped from the newest.
    pub offset: i64,
    /// Only items that arrived before this seq: what a page token carries.
    pub before: Option<Seq>,
    /// Only unread ones.
    pub unread_only: bool,
    /// Only this category.
    pub category: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this priority.
    pub priority: Option<Priority>,
}

/// One page of an inbox, all of it from one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxPage {
    /// Newest first, without archived and deleted ones.
    pub items: Vec<InboxItem>,
    /// All items that match the filters, whatever the page.
    pub total: i64,
    /// The user's authoritative count, whatever the filters.
    pub unread: i64,
    /// Whether older items follow.
    pub has_more: bool,
    /// The stream's position of this answer.
    pub cursor: Cursor,
}

impl Store {
    /// Lists an inbox.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, key: &UserKey, query: &ListQuery) -> Result<InboxPage, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            stream_rows::ensure_one(conn, key).await?;
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
            let seqs = visible(key).select(inbox::seq).order(inbox::seq.desc()).limit(count);
            let seqs: Vec<Seq> = seqs.load(conn).await?;
            Ok(seqs.last().map(|seq| seq - 1))
        };
        self.shared.once(run).await
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = notifications)]
struct ContentRow {
    id: Uuid,
    kind: String,
    category: Option<String>,
    priority: i16,
    title: String,
    body: Option<String>,
    data: Option<Value>,
    action_url: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = inbox)]
struct InboxRow {
    seq: Seq,
    read_at: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
}

impl From<(InboxRow, ContentRow)> for InboxItem {
    fn from((row, content): (InboxRow, ContentRow)) -> Self {
        Self {
            id: content.id,
            seq: row.seq,
            content: Content {
                kind: content.kind,
                category: content.category,
                priority: Priority::from_rank(content.priority),
                title: content.title,
                message: content.body,
                data: content.data,
                action_url: content.action_url,
            },
            created_at: content.created_at,
            expires_at: content.expires_at,
            read_at: row.read_at,
            archived_at: row.archived_at,
        }
    }
}

type Joined = diesel::dsl::InnerJoinOn<
    inbox::table,
    notifications::table,
    diesel::dsl::Eq<notifications::id, inbox::notification_id>,
>;

/// The user's items that are neither archived nor deleted, with their content.
fn visible(key: &UserKey) -> diesel::helper_types::IntoBoxed<'_, Joined, Pg> {
    mine(key).filter(inbox::archived_at.is_null())
}

fn mine(key: &UserKey) -> diesel::helper_types::IntoBoxed<'_, Joined, Pg> {
    inbox::table
        .inner_join(notifications::table.on(notifications::id.eq(inbox::notification_id)))
        .into_boxed()
        .filter(inbox::tenant.eq(key.tenant.as_str()))
        .filter(inbox::user_id.eq(key.user.as_str()))
        .filter(inbox::deleted_at.is_null())
}

fn matching<'a>(key: &'a UserKey, query: &'a ListQuery) -> diesel::helper_types::IntoBoxed<'a, Joined, Pg> {
    let mut items = visible(key);
    if query.unread_only {
        items = items.filter(inbox::read_at.is_null());
    }
    if let Some(category) = &query.category {
        items = items.filter(notifications::category.eq(category));
    }
    if let Some(kind) = &query.kind {
        items = items.filter(notifications::kind.eq(kind));
    }
    if let Some(priority) = query.priority {
        items = items.filter(notifications::priority.eq(priority.rank()));
    }
    items
}

async fn list(conn: &mut AsyncPgConnection, key: &UserKey, query: &ListQuery) -> QueryResult<InboxPage> {
    let (epoch, head, unread): (String, Seq, i64) = streams::table
        .find((key.tenant.as_str(), key.user.as_str()))
        .select((streams::epoch, streams::head_seq, streams::unread))
        .first(conn)
        .await?;
    let total = matching(key, query).count().get_result(conn).await?;
    let mut page = matching(key, query);
    if let Some(before) = query.before {
        page = page.filter(inbox::seq.lt(before));
    }
    let rows: Vec<(InboxRow, ContentRow)> = page
        .select((InboxRow::as_select(), ContentRow::as_select()))
        .order(inbox::seq.desc())
        .offset(query.offset)
        .limit(query.limit + 1)
        .load(conn)
        .await?;
    let mut items: Vec<InboxItem> = rows.into_iter().map(InboxItem::from).collect();
    let wanted = usize::try_from(query.limit).unwrap_or(0);
    let has_more = items.len() > wanted;
    items.truncate(wanted);
    Ok(InboxPage { items, total, unread, has_more, cursor: Cursor { epoch: epoch.into(), seq: head } })
}

async fn item(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Option<InboxItem>> {
    let row: Option<(InboxRow, ContentRow)> = mine(key)
        .filter(inbox::notification_id.eq(id))
        .select((InboxRow::as_select(), ContentRow::as_select()))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(InboxItem::from))
}
