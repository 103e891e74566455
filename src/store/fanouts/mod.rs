//! Publishes to topics and to everyone, carried out behind their acknowledgement: one transaction a chunk, under the lock
//! of the row of `fanouts`, which says how far it came. An instance that dies in the middle leaves no recipient out and serves
//! none twice.

mod candidates;
mod progress;
mod unreached;

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, SmallInt, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use self::candidates::{candidates_among, next_candidates};
pub use self::{
    progress::FanoutProgress,
    unreached::{Unreached, UserStage},
};
use crate::domain::{
    notification::Published,
    user::{Tenant, UserId},
};
use crate::store::{
    database::{clock::clock_time, shared::repeat, stored, unavailable::Unavailable},
    handle::Store,
    inbox::{list::NotificationRow, reminders},
    log::streams,
    publish::{
        append::Placed,
        grouping::{self, Recipient},
        insert_at_head::Inserted,
    },
    schema::{fanouts, notifications},
};

/// Most users that one chunk looks at: their streams are locked until its transaction ends.
pub const CHUNK: usize = 500;

/// One inbox that a chunk put the notification into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The user.
    pub user: UserId,
    /// The position in the user's log.
    pub placed: Placed,
    /// Which of the fan-out's topics brought it, from 0; none when it went to everyone.
    pub topic: Option<usize>,
}

/// The result of one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The tenant.
    pub tenant: Tenant,
    /// The notification.
    pub notification: Published,
    /// Whether it is an item of its own in each inbox, and no more than that.
    pub is_plain: bool,
    /// The topics of the publish, as it named them.
    pub topics: Vec<String>,
    /// The inboxes that have it by this chunk.
    pub reached: Vec<Reached>,
    /// Whether it is the fan-out's first.
    pub is_first: bool,
    /// Whether it is the fan-out's last.
    pub is_last: bool,
}

impl Store {
    /// Writes the next chunk of an open fan-out that no transaction works on. It chooses the tenant after `after`, if one has such a
    /// fan-out, so tenants alternate, and so do the fan-outs of each. None when there is nothing to do.
    ///
    /// # Errors
    /// When the database does not answer; a chunk is written whole or not at all.
    pub async fn write_next(&self, after: Option<&Tenant>) -> Result<Option<Chunk>, Unavailable> {
        if let Some(after) = after {
            let chunk = self.carry_after(after.as_str()).await?;
            if chunk.is_some() {
                return Ok(chunk);
            }
        }
        self.carry_after("").await
    }

    async fn carry_after(&self, tenant: &str) -> Result<Option<Chunk>, Unavailable> {
        repeat!(self.shared, conn => conn.transaction(async |conn| carry_after(conn, tenant).await))
            .map_err(|_| Unavailable)
    }

    /// Writes a chunk for these users before the others, as far as the fan-out is for them; [`CHUNK`] of them at most. None when
    /// it is done or unknown.
    ///
    /// # Errors
    /// When the database does not answer; a chunk is written whole or not at all.
    pub async fn write_for(&self, id: Uuid, users: &[UserId]) -> Result<Option<Chunk>, Unavailable> {
        repeat!(self.shared, conn => conn.transaction(async |conn| write_for(conn, id, users).await))
            .map_err(|_| Unavailable)
    }

    /// The tenant that follows this one among those with open fan-outs; none when it is the last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fanout_tenant_after(&self, tenant: Option<&Tenant>) -> Result<Option<Tenant>, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            let after = tenant.map_or("", Tenant::as_str);
            let open = fanouts::table.filter(fanouts::finished_at.is_null().and(fanouts::tenant.gt(after)));
            let tenant = open.order(fanouts::tenant).select(fanouts::tenant).first::<String>(conn).await.optional()?;
            tenant.map(|tenant| stored::parse(&tenant)).transpose()
        };
        self.shared.once(run).await
    }

    /// The tenant of a fan-out that is not done.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_fanout(&self, id: Uuid) -> Result<Option<Tenant>, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            let open = fanouts::table.find(id).filter(fanouts::finished_at.is_null()).select(fanouts::tenant);
            let tenant = open.first::<String>(conn).await.optional()?;
            tenant.map(|tenant| stored::parse(&tenant)).transpose()
        };
        self.shared.once(run).await
    }
}

/// How far a fan-out came.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = fanouts)]
struct Job {
    notification_id: Uuid,
    tenant: String,
    everyone: bool,
    actor: Option<String>,
    stage: i16,
    after_user: String,
    started_at: Option<DateTime<Utc>>,
}

async fn carry_after(conn: &mut AsyncPgConnection, tenant: &str) -> QueryResult<Option<Chunk>> {
    // The lock comes first, in a statement of its own: the next statement then sees all that came before.
    let job: Option<Job> = fanouts::table
        .filter(fanouts::finished_at.is_null().and(fanouts::tenant.gt(tenant)))
        .order((fanouts::tenant, fanouts::worked_at))
        .select(Job::as_select())
        .for_update()
        .skip_locked()
        .first(conn)
        .await
        .optional()?;
    let Some(mut job) = job else { return Ok(None) };
    let (cargo, expired) = cargo(conn, &job).await?;
    let topics = cargo.topics.clone().unwrap_or_default();
    let (candidates, done) =
        if expired { (Vec::new(), true) } else { next_candidates(conn, &mut job, &topics).await? };
    let outcome = deliver(conn, &job, &cargo, candidates).await?;
    note(conn, &job, outcome.inserted.len(), done).await?;
    Ok(Some(chunk(&job, cargo, outcome, done)?))
}

async fn write_for(conn: &mut AsyncPgConnection, id: Uuid, users: &[UserId]) -> QueryResult<Option<Chunk>> {
    let open = fanouts::table.find(id).filter(fanouts::finished_at.is_null());
    let Some(job) = open.select(Job::as_select()).for_update().first(conn).await.optional()? else { return Ok(None) };
    let (cargo, expired) = cargo(conn, &job).await?;
    let topics = cargo.topics.clone().unwrap_or_default();
    let candidates = if expired { Vec::new() } else { candidates_among(conn, &job, &topics, users).await? };
    let outcome = deliver(conn, &job, &cargo, candidates).await?;
    note(conn, &job, outcome.inserted.len(), false).await?;
    Ok(Some(chunk(&job, cargo, outcome, false)?))
}

/// The notification, and whether it has expired meanwhile.
async fn cargo(conn: &mut AsyncPgConnection, job: &Job) -> QueryResult<(NotificationRow, bool)> {
    notifications::table
        .find(job.notification_id)
        .select((NotificationRow::as_select(), notifications::expires_at.le(clock_time())))
        .first(conn)
        .await
}

/// Inserts the notification into the inboxes of those users who are recipients now; several topics may have led to one user.
async fn deliver(
    conn: &mut AsyncPgConnection,
    job: &Job,
    cargo: &NotificationRow,
    mut users: Vec<String>,
) -> QueryResult<grouping::Grouped> {
    users.retain(|user| job.actor.as_ref() != Some(user));
    users.sort_unstable();
    users.dedup();
    if users.is_empty() {
        return Ok(grouping::Grouped::default());
    }
    if cargo.due_at.is_some() {
        reminders::hold(conn, job.notification_id).await?;
    }
    // The locks come first, in a statement of their own: the next one then sees which users have left before, and no user
    // leaves until the chunk is done.
    streams::lock_all(conn, &job.tenant, &users.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await?;
    let wanted = sql_query(include_str!("chunk.sql"))
        .bind::<SqlUuid, _>(job.notification_id)
        .bind::<Text, _>(&job.tenant)
        .bind::<Array<Text>, _>(&users)
        .bind::<Bool, _>(job.everyone)
        .load(conn)
        .await?;
    grouping::group(conn, wanted).await
}

/// Writes the progress.
async fn note(conn: &mut AsyncPgConnection, job: &Job, reached: usize, done: bool) -> QueryResult<()> {
    sql_query(
        "update fanouts set stage = $2, after_user = $3, delivered = delivered + $4, worked_at = now(), \
         started_at = coalesce(started_at, now()), finished_at = case when $5 then now() end where notification_id = $1",
    )
    .bind::<SqlUuid, _>(job.notification_id)
    .bind::<SmallInt, _>(job.stage)
    .bind::<Text, _>(&job.after_user)
    .bind::<BigInt, _>(i64::try_from(reached).unwrap_or(i64::MAX))
    .bind::<Bool, _>(done)
    .execute(conn)
    .await
    .map(drop)
}

fn chunk(job: &Job, cargo: NotificationRow, outcome: grouping::Grouped, done: bool) -> QueryResult<Chunk> {
    let grouping::Grouped { recipients, inserted } = outcome;
    debug_assert_eq!(recipients.len(), inserted.len(), "each item is for one recipient");
    let reached = |(recipient, inserted): (Recipient, Inserted)| {
        debug_assert_eq!(recipient.user_id, inserted.key.user.as_str(), "items are in the order of their recipients");
        let topic = recipient.topic.map(stored::index).transpose()?;
        Ok(Reached { user: inserted.key.user, placed: inserted.placed, topic })
    };
    Ok(Chunk {
        tenant: stored::parse(&job.tenant)?,
        topics: cargo.topics.clone().unwrap_or_default(),
        is_plain: cargo.is_plain(),
        notification: cargo.try_into()?,
        reached: recipients.into_iter().zip(inserted).map(reached).collect::<QueryResult<_>>()?,
        is_first: job.started_at.is_none(),
        is_last: done,
    })
}
