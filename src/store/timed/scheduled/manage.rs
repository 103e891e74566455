//! The view of a publisher on scheduled publishes, and their changes.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{dsl::sql, prelude::*, result::QueryResult, sql_types::Bool};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    domain::{notification::Content, user::Tenant},
    message::Amendment,
    store::{
        content::ContentRow,
        database::{clock, shared::repeat, unavailable::Unavailable},
        handle::Store,
        schema::{notifications, scheduled},
        timed::reminders,
    },
};

/// A publish that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheduled {
    /// The notification's id.
    pub id: Uuid,
    /// When it is delivered.
    pub deliver_at: DateTime<Utc>,
    /// Whom it names.
    pub users: Vec<String>,
    /// Topics that it goes to.
    pub topics: Vec<String>,
    /// Whether it goes to everyone.
    pub everyone: bool,
    /// The content.
    pub content: Content,
    /// The publisher's own name for it.
    pub idempotency_key: Option<String>,
    /// By when it is to be done.
    pub due_at: Option<DateTime<Utc>>,
    /// When it leaves inboxes.
    pub expires_at: DateTime<Utc>,
    /// When it was published.
    pub created_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = notifications)]
struct ScheduledNotification {
    #[diesel(embed)]
    content: ContentRow,
    idempotency_key: Option<String>,
    due_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

/// Why a publish that waits was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAmended {
    /// The tenant has none of that id or key.
    #[error("there is none")]
    Unknown,
    /// Its time has come.
    #[error("it was sent")]
    Sent,
    /// It was called off, or another one replaced it.
    #[error("it was called off")]
    CalledOff,
    /// It is over: nothing went out in time.
    #[error("it expired")]
    Over,
    /// It would be delivered in the past.
    #[error("must be in the future")]
    Past,
    /// It would be delivered when it is due or later.
    #[error("must be before dueAt")]
    AfterDue,
    /// It would have expired when it is delivered, or be due after that.
    #[error("must be after deliverAt, dueAt and the last step of escalation")]
    Expired,
    /// The database does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Store {
    /// A tenant's publishes that wait, by their time, after the one that is given by time and id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn scheduled(
        &self,
        tenant: &Tenant,
        after: Option<(DateTime<Utc>, Uuid)>,
        limit: i64,
    ) -> Result<Vec<Scheduled>, Unavailable> {
        self.shared.once(async |conn| list(conn, tenant, after, limit).await).await
    }

    /// One that waits.
    ///
    /// # Errors
    /// When there is none, or none any more, and when the database does not answer.
    pub async fn scheduled_one(&self, tenant: &Tenant, name: &str) -> Result<Scheduled, NotAmended> {
        self.shared.once(async |conn| find(conn, tenant, name).await).await?
    }

    /// Changes one that waits.
    ///
    /// # Errors
    /// When there is none, or none any more, when its times do not fit, and when the database does not answer.
    pub async fn amend(&self, tenant: &Tenant, name: &str, to: &Amendment) -> Result<Scheduled, NotAmended> {
        repeat!(self.shared, conn => conn.transaction(async |conn| amend(conn, tenant, name, to).await))
            .map_err(|_| Unavailable)?
    }

    /// Calls off the future of a publish: its delivery, or its reminders and steps.
    ///
    /// # Errors
    /// When there is none, or nothing is to come any more, and when the database does not answer.
    pub async fn call_off(&self, tenant: &Tenant, name: &str) -> Result<(), NotAmended> {
        repeat!(self.shared, conn => conn.transaction(async |conn| call_off(conn, tenant, name).await))
            .map_err(|_| Unavailable)?
    }
}

type Columns = (Uuid, DateTime<Utc>, Vec<String>, Vec<String>, bool);

impl TryFrom<(Columns, ScheduledNotification)> for Scheduled {
    type Error = diesel::result::Error;

    fn try_from(
        ((id, deliver_at, users, topics, everyone), row): (Columns, ScheduledNotification),
    ) -> QueryResult<Self> {
        Ok(Self {
            id,
            deliver_at,
            users,
            topics,
            everyone,
            content: row.content.try_into()?,
            idempotency_key: row.idempotency_key,
            due_at: row.due_at,
            expires_at: row.expires_at,
            created_at: row.created_at,
        })
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
fn columns() -> _ {
    (scheduled::notification_id, scheduled::deliver_at, scheduled::users, scheduled::topics, scheduled::everyone)
}

async fn list(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<Scheduled>> {
    let (time, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    let rows: Vec<(Columns, ScheduledNotification)> = scheduled::table
        .inner_join(notifications::table.on(notifications::id.eq(scheduled::notification_id)))
        .filter(scheduled::tenant.eq(tenant.as_str()))
        // One range of the index; without the first condition it would be read from its beginning.
        .filter(scheduled::deliver_at.ge(time))
        .filter(scheduled::deliver_at.gt(time).or(scheduled::notification_id.gt(id)))
        .order((scheduled::deliver_at, scheduled::notification_id))
        .limit(limit)
        .select((columns(), ScheduledNotification::as_select()))
        .load(conn)
        .await?;
    rows.into_iter().map(Scheduled::try_from).collect()
}

/// The id of the publish with this name: that of a notification of the tenant, or an idempotency key, which may look like one.
pub(crate) async fn id_of(conn: &mut AsyncPgConnection, tenant: &Tenant, name: &str) -> QueryResult<Option<Uuid>> {
    let mine = || notifications::table.filter(notifications::tenant.eq(tenant.as_str())).select(notifications::id);
    if let Ok(id) = name.parse::<Uuid>() {
        let found = mine().filter(notifications::id.eq(id)).first(conn).await.optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    mine().filter(notifications::idempotency_key.eq(name)).first(conn).await.optional()
}

/// One that waits, or why there is none.
async fn find(conn: &mut AsyncPgConnection, tenant: &Tenant, name: &str) -> QueryResult<Result<Scheduled, NotAmended>> {
    match id_of(conn, tenant, name).await? {
        Some(id) => find_by_id(conn, tenant, id).await,
        None => Ok(Err(NotAmended::Unknown)),
    }
}

async fn find_by_id(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    id: Uuid,
) -> QueryResult<Result<Scheduled, NotAmended>> {
    let row: Option<(Columns, ScheduledNotification)> = scheduled::table
        .inner_join(notifications::table.on(notifications::id.eq(scheduled::notification_id)))
        .filter(scheduled::notification_id.eq(id).and(scheduled::tenant.eq(tenant.as_str())))
        .select((columns(), ScheduledNotification::as_select()))
        .first(conn)
        .await
        .optional()?;
    match row {
        Some(row) => Ok(Ok(row.try_into()?)),
        None => Ok(Err(fate(conn, tenant, id).await?)),
    }
}

/// The outcome of one that is no longer scheduled: one that was sent was published at its time.
async fn fate(conn: &mut AsyncPgConnection, tenant: &Tenant, id: Uuid) -> QueryResult<NotAmended> {
    let row: Option<(bool, bool, bool)> = notifications::table
        .find(id)
        .filter(notifications::tenant.eq(tenant.as_str()))
        .select((
            sql::<Bool>("deliver_at is null or created_at >= deliver_at"),
            notifications::retracted_at.is_not_null(),
            notifications::expires_at.le(clock::clock_time()),
        ))
        .first(conn)
        .await
        .optional()?;
    Ok(match row {
        Some((true, _, _)) => NotAmended::Sent,
        Some((false, false, true)) => NotAmended::Over,
        Some((false, _, _)) => NotAmended::CalledOff,
        None => NotAmended::Unknown,
    })
}

async fn amend(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    name: &str,
    to: &Amendment,
) -> QueryResult<Result<Scheduled, NotAmended>> {
    let Some(id) = id_of(conn, tenant, name).await? else { return Ok(Err(NotAmended::Unknown)) };
    // Locked before it is read: the clock leaves it alone from here on.
    let mine = scheduled::table.find(id).filter(scheduled::tenant.eq(tenant.as_str()));
    let fixed: Option<bool> = mine.select(scheduled::fixed_expiry).for_update().first(conn).await.optional()?;
    let Some(fixed) = fixed else { return Ok(Err(fate(conn, tenant, id).await?)) };
    let before = match find_by_id(conn, tenant, id).await? {
        Ok(before) => before,
        Err(why) => return Ok(Err(why)),
    };
    let deliver_at = to.deliver_at.unwrap_or(before.deliver_at);
    let fixed = fixed || to.expires_at.is_some();
    let moved = if fixed { TimeDelta::zero() } else { deliver_at - before.deliver_at };
    let expires_at = to.expires_at.unwrap_or(before.expires_at + moved);
    let end = reminders::end(conn, id).await?;
    if to.deliver_at.is_some() && deliver_at <= clock::read(conn).await? {
        return Ok(Err(NotAmended::Past));
    }
    if before.due_at.is_some_and(|due_at| due_at <= deliver_at) {
        return Ok(Err(NotAmended::AfterDue));
    }
    if expires_at <= end.unwrap_or(deliver_at) {
        return Ok(Err(NotAmended::Expired));
    }
    diesel::update(scheduled::table.find(id))
        .set((scheduled::deliver_at.eq(deliver_at), scheduled::fixed_expiry.eq(fixed)))
        .execute(conn)
        .await?;
    diesel::update(notifications::table.find(id))
        .set((
            notifications::deliver_at.eq(deliver_at),
            notifications::expires_at.eq(expires_at),
            ContentRow::from(to.apply(before.content)),
        ))
        .execute(conn)
        .await?;
    find_by_id(conn, tenant, id).await
}

async fn call_off(conn: &mut AsyncPgConnection, tenant: &Tenant, name: &str) -> QueryResult<Result<(), NotAmended>> {
    let Some(id) = id_of(conn, tenant, name).await? else { return Ok(Err(NotAmended::Unknown)) };
    let mine = scheduled::table.find(id).filter(scheduled::tenant.eq(tenant.as_str()));
    let waited = diesel::delete(mine).execute(conn).await? > 0;
    if reminders::cancel(conn, tenant, id).await? || waited {
        return Ok(Ok(()));
    }
    Ok(Err(fate(conn, tenant, id).await?))
}
