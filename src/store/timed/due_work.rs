//! Due work, tenant by tenant: a tenant with much due work at once must not hold up the others.

use diesel::{QueryableByName, prelude::*, result::QueryResult, sql_query, sql_types::Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{reminders, scheduled, snooze};
use crate::domain::user::Tenant;
use crate::store::{
    database::{shared::repeat, stored, unavailable::Unavailable},
    handle::Store,
    log::streams::Head,
};

/// A sort of due work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueWork {
    /// Scheduled publishes.
    Scheduled,
    /// Snoozed items that return to the list.
    Snoozes,
    /// Steps of due items, and the new state of all when a user ended one.
    Reminders,
}

/// The work that one transaction did.
#[derive(Debug, Clone, Default)]
pub struct Ticked {
    /// How many pieces of work; none when other instances work on all of them.
    pub done: usize,
    /// The heads of the inboxes that were changed.
    pub heads: Vec<Head>,
    /// Whether a fan-out begins or continues with it.
    pub begins_fanout: bool,
}

impl DueWork {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scheduled, Self::Snoozes, Self::Reminders];

    /// As the metrics call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Snoozes => "snooze",
            Self::Reminders => "due",
        }
    }

    /// The table and the column of the times.
    fn column(self) -> (&'static str, &'static str) {
        match self {
            Self::Scheduled => ("scheduled", "deliver_at"),
            Self::Snoozes => ("inbox", "snoozed_until"),
            Self::Reminders => ("duties", "next_at"),
        }
    }
}

impl Store {
    /// The tenant that follows this one among those with due work, the first one after the last; none when no tenant has any.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_tenant(&self, work: DueWork, after: Option<&Tenant>) -> Result<Option<Tenant>, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            let after = after.map_or("", Tenant::as_str);
            let found = match next(conn, work, after).await? {
                None if !after.is_empty() => next(conn, work, "").await?,
                found => found,
            };
            found.map(|tenant| stored::parse(&tenant)).transpose()
        };
        self.shared.once(run).await
    }

    /// Does some of a tenant's due work that no other instance works on.
    ///
    /// # Errors
    /// When the database does not answer; a piece of work is done whole, once.
    pub async fn tick(&self, work: DueWork, tenant: &Tenant) -> Result<Ticked, Unavailable> {
        let tenant = tenant.as_str();
        repeat!(self.shared, conn => conn.transaction(async |conn| tick(conn, work, tenant).await))
            .map_err(|_| Unavailable)
    }
}

async fn tick(conn: &mut AsyncPgConnection, work: DueWork, tenant: &str) -> QueryResult<Ticked> {
    match work {
        DueWork::Scheduled => scheduled::deliver_some(conn, tenant).await,
        DueWork::Snoozes => snooze::end_some(conn, tenant).await,
        DueWork::Reminders => reminders::step_some(conn, tenant).await,
    }
}

/// Goes from tenant to tenant, each by its earliest time, up to one with due work. It starts only if the earliest time of all has
/// come: so an idle table costs one look-up.
async fn next(conn: &mut AsyncPgConnection, work: DueWork, after: &str) -> QueryResult<Option<String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        tenant: String,
    }
    let (table, at) = work.column();
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
