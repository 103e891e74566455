//! How far a fan-out came, for its publisher.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, SmallInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Job;
use crate::{
    domain::user::Tenant,
    store::{
        database::unavailable::Unavailable,
        handle::Store,
        schema::{fanouts, notifications},
    },
};

/// Most users of a topic, or of everyone, that an estimate of the rest counts.
const COUNTED: i64 = 10_000;

/// The users that a fan-out still has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Default, QueryableByName)]
pub struct Remaining {
    /// Users to be looked at, as far as they are counted.
    #[diesel(sql_type = BigInt)]
    pub users: i64,
    /// Whether there are more than were counted.
    #[diesel(sql_type = Bool)]
    pub is_capped: bool,
}

/// How far a fan-out came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanoutProgress {
    /// The topics that it goes to.
    pub topics: Vec<String>,
    /// Whether it goes to everyone.
    pub everyone: bool,
    /// Inboxes that have it because the publish named their user.
    pub direct: i64,
    /// Inboxes that the fan-out reached.
    pub reached: i64,
    /// Users still to be looked at; some of them may have it already.
    pub remaining: Remaining,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When its first chunk was written.
    pub started_at: Option<DateTime<Utc>>,
    /// When its last chunk was written.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Store {
    /// How far a tenant's fan-out came; none when it has no such one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fanout_progress(&self, tenant: &Tenant, id: Uuid) -> Result<Option<FanoutProgress>, Unavailable> {
        self.shared.once(async |conn| progress(conn, tenant, id).await).await
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = fanouts)]
struct Times {
    delivered: i64,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

async fn progress(conn: &mut AsyncPgConnection, tenant: &Tenant, id: Uuid) -> QueryResult<Option<FanoutProgress>> {
    let row: Option<(Job, Times, Option<Vec<String>>, i32)> = fanouts::table
        .inner_join(notifications::table.on(notifications::id.eq(fanouts::notification_id)))
        .filter(fanouts::notification_id.eq(id).and(fanouts::tenant.eq(tenant.as_str())))
        .select((Job::as_select(), Times::as_select(), notifications::topics, notifications::recipients))
        .first(conn)
        .await
        .optional()?;
    let Some((job, times, topics, direct)) = row else { return Ok(None) };
    let topics = topics.unwrap_or_default();
    let remaining =
        if times.finished_at.is_some() { Remaining::default() } else { remaining(conn, &job, &topics).await? };
    Ok(Some(FanoutProgress {
        topics,
        everyone: job.everyone,
        direct: direct.into(),
        reached: times.delivered,
        remaining,
        created_at: times.created_at,
        started_at: times.started_at,
        finished_at: times.finished_at,
    }))
}

async fn remaining(conn: &mut AsyncPgConnection, job: &Job, topics: &[String]) -> QueryResult<Remaining> {
    sql_query(include_str!("remaining.sql"))
        .bind::<Text, _>(&job.tenant)
        .bind::<Array<Text>, _>(topics)
        .bind::<SmallInt, _>(job.stage)
        .bind::<Text, _>(&job.after_user)
        .bind::<Bool, _>(job.everyone)
        .bind::<BigInt, _>(COUNTED)
        .get_result(conn)
        .await
}
