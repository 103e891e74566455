//! The write of publishes of which some are scheduled, are due, or become one item with others: step by step, in one transaction.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Binary, Double, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{append::column, grouping, insert_at_head};
use crate::domain::{notification::NewNotification, timing::Due, user::Tenant};
use crate::store::{
    content,
    inbox::reminders,
    log::streams::{self, Head},
    publish::scheduled,
};

/// A publish that is now stored.
pub(crate) struct GenerallyAppended {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The heads of the inboxes that have it at once.
    pub heads: Vec<Head>,
}

/// Writes publishes; those whose keys are known from before are left out. Scheduled ones reach no inbox yet.
pub(crate) async fn append(
    conn: &mut AsyncPgConnection,
    items: &[NewNotification],
    keep: f64,
) -> QueryResult<Vec<GenerallyAppended>> {
    let mut recorded = insert(conn, items, keep).await?;
    let times: HashMap<Uuid, DateTime<Utc>> = recorded.iter().map(|one| (one.id, one.created_at)).collect();
    let written: Vec<&NewNotification> = items.iter().filter(|item| times.contains_key(&item.id)).collect();
    scheduled::schedule(conn, &written).await?;
    reminders::begin(conn, &written, &times).await?;
    let heads = deliver(conn, &written).await?;
    // Announced as one: no caller asks which publish of a transaction moved the head of an inbox.
    if let Some(first) = recorded.first_mut() {
        first.heads = heads;
    }
    Ok(recorded)
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

/// Own parameters of `general_append.sql`.
const OWN: usize = 15;
static APPEND: LazyLock<String> = LazyLock::new(|| content::statement(include_str!("general_append.sql"), OWN));

async fn insert(
    conn: &mut AsyncPgConnection,
    items: &[NewNotification],
    keep: f64,
) -> QueryResult<Vec<GenerallyAppended>> {
    let due = |item: &NewNotification| item.timing.due.as_ref().map(|due| due.at);
    let end = |item: &NewNotification| item.timing.due.as_ref().map(Due::end);
    let own = sql_query(APPEND.as_str())
        .into_boxed()
        .bind::<Array<SqlUuid>, _>(column(items, |item| item.id))
        .bind::<Array<Text>, _>(column(items, |item| item.tenant.as_str()))
        .bind::<Array<Text>, _>(column(items, |item| item.source.as_str()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |item| item.idempotency_key.as_deref()))
        .bind::<Array<Binary>, _>(column(items, |item| item.fingerprint.as_slice()))
        .bind::<Array<Integer>, _>(column(items, |item| i32::try_from(item.users.len()).unwrap_or(i32::MAX)))
        .bind::<Array<BigInt>, _>(column(items, |item| item.decision.stored()))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(items, |item| item.timing.deliver_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(items, due))
        .bind::<Array<Nullable<Text>>, _>(column(items, |item| item.thread_key.as_deref()))
        .bind::<Array<Nullable<SmallInt>>, _>(column(items, |item| item.burst.map(|burst| burst.most)))
        .bind::<Array<Nullable<Integer>>, _>(column(items, |item| item.burst.map(|burst| burst.window_seconds)))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(items, |item| item.expires_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(items, end))
        .bind::<Double, _>(keep);
    let written: Vec<RecordedRow> = content::bind(own, items).load(conn).await?;
    let recorded = |RecordedRow { id, created_at, expires_at }| GenerallyAppended {
        id,
        created_at,
        expires_at,
        heads: Vec::new(),
    };
    Ok(written.into_iter().map(recorded).collect())
}

/// Puts those that are not scheduled into the inboxes of the users whom they name.
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
