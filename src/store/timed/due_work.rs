//! What has a time, tenant by tenant: one who has much to be done at once must not hold up the others.

use diesel::{QueryableByName, prelude::*, result::QueryResult, sql_query, sql_types::Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{reminders, scheduled, snooze};
use crate::domain::user::Tenant;
use crate::store::{Store, Unavailable, log::streams::Head, repeat};

/// A sort of things that have a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueWork {
    /// Publishes that wait.
    Scheduled,
    /// Items that return to the list.
    Snoozes,
    /// Steps of what is due, and the telling of all when it is not any more.
    Duties,
}

/// What was done in one turn.
#[derive(Debug, Clone, Default)]
pub struct Ticked {
    /// How many of the agenda's things; none when other instances are at all of them.
    pub done: usize,
    /// Where the inboxes stand that were changed.
    pub heads: Vec<Head>,
    /// Whether anything goes to topics or to everyone from now on.
    pub begins_fanout: bool,
}

impl DueWork {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scheduled, Self::Snoozes, Self::Duties];

    /// As the metrics call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Snoozes => "snooze",
            Self::Duties => "due",
        }
    }

    /// Where the times stand.
    fn column(self) -> (&'static str, &'static str) {
        match self {
            Self::Scheduled => ("scheduled", "deliver_at"),
            Self::Snoozes => ("inbox", "snoozed_until"),
            Self::Duties => ("duties", "next_at"),
        }
    }
}

impl Store {
    /// The tenant that follows this one among those that have something to be done by now, the first one after the last; none
    /// when nobody has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_in_turn(&self, agenda: DueWork, after: Option<&Tenant>) -> Result<Option<Tenant>, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            let after = after.map_or("", Tenant::as_str);
            match next(conn, agenda, after).await? {
                None if !after.is_empty() => next(conn, agenda, "").await,
                found => Ok(found),
            }
        };
        Ok(self.shared.once(run).await?.and_then(|tenant| tenant.parse().ok()))
    }

    /// Does some of what a tenant has to be done by now and no other instance is at.
    ///
    /// # Errors
    /// When the database does not answer; what is done is done whole, once.
    pub async fn tick(&self, agenda: DueWork, tenant: &Tenant) -> Result<Ticked, Unavailable> {
        let tenant = tenant.as_str();
        repeat!(self.shared, conn => conn.transaction(async |conn| tick(conn, agenda, tenant).await))
            .map_err(|_| Unavailable)
    }
}

async fn tick(conn: &mut AsyncPgConnection, agenda: DueWork, tenant: &str) -> QueryResult<Ticked> {
    match agenda {
        DueWork::Scheduled => scheduled::deliver_some(conn, tenant).await,
        DueWork::Snoozes => snooze::end_some(conn, tenant).await,
        DueWork::Duties => reminders::step_some(conn, tenant).await,
    }
}

/// Goes from tenant to tenant, each by its earliest time, up to one that has something to be done; nowhere while there is nothing
/// at all.
async fn next(conn: &mut AsyncPgConnection, agenda: DueWork, after: &str) -> QueryResult<Option<String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        tenant: String,
    }
    let (table, at) = agenda.column();
    let row: Option<Row> = sql_query(format!(
        "with recursive walk as ( \
             (select tenant, {at} as at from {table} where (select min({at}) from {table}) <= (select clock_time()) \
                 and tenant > $1 and {at} is not null order by tenant, {at} limit 1) \
             union all \
             select next.* from walk cross join lateral (select tenant, {at} as at from {table} \
                 where {table}.tenant > walk.tenant and {at} is not null order by tenant, {at} limit 1) as next \
             where walk.at > (select clock_time()) \
         ) select tenant from walk where at <= (select clock_time()) limit 1"
    ))
    .bind::<Text, _>(after)
    .get_result(conn)
    .await
    .optional()?;
    Ok(row.map(|row| row.tenant))
}
