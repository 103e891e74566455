//! The table `scheduled`: scheduled publishes, and their delivery when their time has come.

pub(super) mod manage;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

pub use self::manage::{NotAmended, Scheduled};
use super::reminders;
use crate::store::{
    database::clock,
    publish::{
        broad::{self, Broad},
        general_append::deliver_to,
    },
    schema::{notifications, scheduled},
    timed::due_work::Ticked,
};

/// Most publishes of one delivery.
const PUBLISHES: i64 = 500;
/// Most inboxes of one delivery, but for a publish that names more: their streams stay locked until it ends.
const ROWS: i64 = 1_000;

/// A publish whose time has come.
#[derive(Debug, QueryableByName)]
#[diesel(table_name = scheduled)]
struct DuePublish {
    notification_id: Uuid,
    deliver_at: DateTime<Utc>,
    tenant: String,
    users: Vec<String>,
    topics: Vec<String>,
    everyone: bool,
    actor: Option<String>,
}

/// Delivers some of a tenant's publishes whose time has come; of those that expired meanwhile nothing is seen.
pub(crate) async fn deliver_some(conn: &mut AsyncPgConnection, tenant: &str) -> QueryResult<Ticked> {
    let mut due: Vec<DuePublish> = sql_query(
        "with due as (select ctid as row_id, notification_id, deliver_at, cardinality(users) as users from scheduled \
         where tenant = $3 and deliver_at <= clock_time() order by deliver_at limit $1 for update skip locked) \
         delete from scheduled where ctid = any (array(select row_id from (select row_id, \
         sum(users) over (order by deliver_at, notification_id) - users as before from due) as summed where before < $2)) \
         returning notification_id, deliver_at, tenant, users, topics, everyone, actor",
    )
    .bind::<BigInt, _>(PUBLISHES)
    .bind::<BigInt, _>(ROWS)
    .bind::<Text, _>(tenant)
    .load(conn)
    .await?;
    if due.is_empty() {
        return Ok(Ticked::default());
    }
    // One inbox gets publishes that came due together in the order of their times.
    due.sort_unstable_by_key(|one| (one.deliver_at, one.notification_id));
    let done = due.len();
    let time = clock::read(conn).await?;
    let ids: Vec<_> = due.iter().map(|one| one.notification_id).collect();
    let lasting = notifications::table.filter(notifications::id.eq_any(&ids).and(notifications::expires_at.gt(time)));
    let lasting: HashSet<Uuid> = diesel::update(lasting)
        .set(notifications::created_at.eq(time))
        .returning(notifications::id)
        .get_results(conn)
        .await?
        .into_iter()
        .collect();
    due.retain(|one| lasting.contains(&one.notification_id));
    reminders::wake(conn, &ids, time).await?;
    let broad_ones: Vec<_> = due.iter().filter_map(DuePublish::broad).collect();
    let begins_fanout = !broad::begin(conn, &broad_ones).await?.is_empty();
    let pairs = due
        .iter()
        .flat_map(|one| one.users.iter().map(|user| (one.notification_id, one.tenant.as_str(), user.as_str())));
    let heads = deliver_to(conn, pairs.collect()).await?;
    Ok(Ticked { done, heads, begins_fanout })
}

impl DuePublish {
    /// None for one that is for named users alone.
    fn broad(&self) -> Option<Broad<'_>> {
        (self.everyone || !self.topics.is_empty()).then(|| Broad {
            id: self.notification_id,
            topics: self.topics.iter().map(String::as_str).collect(),
            everyone: self.everyone,
            actor: self.actor.as_deref(),
        })
    }
}
