//! The write of publishes of which some wait, are due, or become one item with others: step by step, in one transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Double, Jsonb, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{append::presentation, grouping, insert_at_head};
use crate::domain::{notification::NewNotification, timing::Due, user::Tenant};
use crate::store::{
    log::streams::{self, Head},
    timed::{reminders, scheduled},
};

/// A publish that is now stored.
pub(crate) struct GenerallyAppended {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// Where the inboxes stand that have it at once.
    pub heads: Vec<Head>,
}

/// Writes publishes; those whose keys are known from before are left out. Those that wait go nowhere yet.
pub(crate) async fn append(
    conn: &mut AsyncPgConnection,
    items: &[NewNotification],
    keep: f64,
) -> QueryResult<Vec<GenerallyAppended>> {
    let mut recorded = insert(conn, items, keep).await?;
    let times: HashMap<Uuid, DateTime<Utc>> = recorded.iter().map(|one| (one.id, one.created_at)).collect();
    let written: Vec<&NewNotification> = items.iter().filter(|item| times.contains_key(&item.id)).collect();
    scheduled::wait(conn, &written).await?;
    reminders::begin(conn, &written, &times).await?;
    let heads = deliver(conn, &written).await?;
    // Announced as one: nobody asks which publish of a transaction brought an inbox where it stands.
    if let Some(first) = recorded.first_mut() {
        first.heads = heads;
    }
    Ok(recorded)
}

/// A publish as `general_append.sql` reads it.
#[derive(Serialize)]
struct Row<'a> {
    id: Uuid,
    tenant: &'a str,
    kind: &'a str,
    category: Option<&'a str>,
    priority: i16,
    title: &'a str,
    body: Option<&'a str>,
    data: Option<&'a Value>,
    action_url: Option<&'a str>,
    source: &'static str,
    idempotency_key: Option<&'a str>,
    fingerprint: String,
    recipients: i32,
    presentation: Option<Value>,
    decision: i32,
    deliver_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    thread_key: Option<&'a str>,
    burst_most: Option<i16>,
    burst_seconds: Option<i32>,
    expires_at: Option<DateTime<Utc>>,
    /// When the last step of what is due is.
    ends_at: Option<DateTime<Utc>>,
}

impl<'a> From<&'a NewNotification> for Row<'a> {
    fn from(item: &'a NewNotification) -> Self {
        let content = &item.content;
        Self {
            id: item.id,
            tenant: item.tenant.as_str(),
            kind: &content.kind,
            category: content.category.as_deref(),
            priority: content.priority.rank(),
            title: &content.title,
            body: content.message.as_deref(),
            data: content.data.as_ref(),
            action_url: content.action_url.as_deref(),
            source: item.source.as_str(),
            idempotency_key: item.idempotency_key.as_deref(),
            fingerprint: hex::encode(item.fingerprint),
            recipients: i32::try_from(item.users.len()).unwrap_or(i32::MAX),
            presentation: presentation(&content.presentation),
            decision: item.decision.stored(),
            deliver_at: item.timing.deliver_at,
            due_at: item.timing.due.as_ref().map(|due| due.at),
            thread_key: item.thread_key.as_deref(),
            burst_most: item.burst.map(|burst| burst.most),
            burst_seconds: item.burst.map(|burst| burst.window_seconds),
            expires_at: item.expires_at,
            ends_at: item.timing.due.as_ref().map(Due::end),
        }
    }
}

#[derive(QueryableByName)]
struct RecordedRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
}

async fn insert(
    conn: &mut AsyncPgConnection,
    items: &[NewNotification],
    keep: f64,
) -> QueryResult<Vec<GenerallyAppended>> {
    let rows: Vec<_> = items.iter().map(Row::from).collect();
    // Plain data always serialises.
    let rows = serde_json::to_value(rows).unwrap_or_default();
    let written: Vec<RecordedRow> =
        sql_query(include_str!("general_append.sql")).bind::<Jsonb, _>(rows).bind::<Double, _>(keep).load(conn).await?;
    let recorded = |RecordedRow { id, created_at, expires_at }| GenerallyAppended {
        id,
        created_at,
        expires_at,
        heads: Vec::new(),
    };
    Ok(written.into_iter().map(recorded).collect())
}

/// Puts those that do not wait into the inboxes of the users whom they name.
async fn deliver(conn: &mut AsyncPgConnection, written: &[&NewNotification]) -> QueryResult<Vec<Head>> {
    let now = || written.iter().filter(|item| item.timing.deliver_at.is_none());
    let pairs: Vec<(Uuid, &Tenant, &str)> =
        now().flat_map(|item| item.users.iter().map(|user| (item.id, &item.tenant, user.as_str()))).collect();
    deliver_to(conn, pairs.iter().map(|(id, tenant, user)| (*id, tenant.as_str(), *user)).collect()).await
}

/// Puts notifications into the inboxes of users, named by id, tenant and user.
pub(crate) async fn deliver_to(conn: &mut AsyncPgConnection, pairs: Vec<(Uuid, &str, &str)>) -> QueryResult<Vec<Head>> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let owners: HashSet<(&str, &str)> = pairs.iter().map(|(_, tenant, user)| (*tenant, *user)).collect();
    streams::lock_many(conn, &owners.into_iter().collect::<Vec<_>>()).await?;
    let (ids, users): (Vec<_>, Vec<_>) = pairs.iter().map(|(id, _, user)| (*id, *user)).unzip();
    let recipients = grouping::recipients(conn, &ids, &users).await?;
    Ok(insert_at_head::heads(grouping::group(conn, recipients).await?.inserted))
}
