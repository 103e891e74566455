//! Expiry. A sweep takes expired notifications out of inboxes, as a change of the log that clients receive. A purge deletes
//! them some days later and raises `pruned_seq`, so that older cursors are reset.

use std::collections::BTreeMap;

use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Double, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::domain::{cursor::Seq, notification::Action, user::UserKey};
use crate::store::{
    database::{clock::clock_time, shared::repeat, stored, unavailable::Unavailable},
    handle::Store,
    inbox::state::{self, Changed},
    log::streams,
    schema::{duties, fanouts, folded, inbox, notifications, withheld},
};

/// Most inbox rows that one transaction takes out: their streams stay locked until it ends. A publish that named more users than
/// this is the exception. The rows of a large fan-out are taken out by several transactions.
const ROWS: i64 = 500;
/// Inboxes from which one transaction takes the notification of a large fan-out. A transaction that takes too long is given up and
/// begun again. A large fan-out needs a thousand of them, so each must stay far from that.
const STEP: usize = 100;

/// The result of one sweep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Notifications taken out of all inboxes.
    pub notifications: usize,
    /// The changes, by stream.
    pub streams: Vec<(UserKey, Changed)>,
}

impl Store {
    /// Takes some expired notifications out of all inboxes, or a large one out of some; none when nothing is left.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep(&self) -> Result<Option<Swept>, Unavailable> {
        let due = "swept_at is null and expires_at <= clock_time() and $2 >= 0 order by expires_at";
        repeat!(self.shared, conn => conn.transaction(async |conn| sweep(conn, due).await)).map_err(|_| Unavailable)
    }

    /// The same for one notification.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep_one(&self, id: Uuid) -> Result<Option<Swept>, Unavailable> {
        let due = format!("id = '{id}' and swept_at is null and expires_at <= clock_time() and $2 >= 0");
        repeat!(self.shared, conn => conn.transaction(async |conn| sweep(conn, &due).await)).map_err(|_| Unavailable)
    }

    /// Forgets some notifications that were taken out long enough ago, or some inboxes' part of a large one; answers how
    /// many are forgotten whole, none when nothing is left.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self) -> Result<Option<usize>, Unavailable> {
        let remember = self.shared.retention.remember.as_secs_f64();
        repeat!(self.shared, conn => conn.transaction(async |conn| purge(conn, remember).await))
            .map_err(|_| Unavailable)
    }
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    tenant: String,
    /// A fan-out that reached more inboxes than one transaction takes.
    #[diesel(sql_type = Bool)]
    large: bool,
    /// How far a sweep of it came.
    #[diesel(sql_type = Text)]
    swept_user: String,
}

/// Picks notifications until their recipients reach the bound; those that another instance works on are skipped, and those
/// whose fan-out is not finished.
async fn pick(conn: &mut AsyncPgConnection, which: &str, remember: f64) -> QueryResult<Vec<Due>> {
    let query = format!(
        "with due as (select id, tenant, recipients from notifications where {which} limit 500 for update skip locked), \
         sized as (select id, due.tenant, recipients + coalesce(f.delivered, 0) as rows, f.delivered is not null as broad, \
         coalesce(f.swept_user, '') as swept_user, f.open from due left join lateral (select delivered, swept_user, \
         finished_at is null as open from fanouts where notification_id = due.id limit 1) as f on true) \
         select id, tenant, broad and rows > $1 as large, swept_user from (select *, \
         sum(rows) over (order by id) - rows as before from sized where open is not true) as summed \
         where before = 0 or before + rows <= $1"
    );
    sql_query(query).bind::<BigInt, _>(ROWS).bind::<Double, _>(remember).load(conn).await
}

async fn sweep(conn: &mut AsyncPgConnection, due: &str) -> QueryResult<Option<Swept>> {
    let due = pick(conn, due, 0.0).await?;
    if due.is_empty() {
        return Ok(None);
    }
    let ids = ids(&due);
    let Owners { keys, more } = owners(conn, &due).await?;
    let mut swept = Swept::default();
    for key in &keys {
        let changed = take_out(conn, key, &ids).await?;
        swept.streams.push((key.clone(), changed));
    }
    // More inboxes remain: the next sweep continues after this user, and only the last one marks the notification as swept.
    if let Some(last) = keys.last().filter(|_| more) {
        let row = fanouts::table.filter(fanouts::notification_id.eq_any(&ids));
        diesel::update(row).set(fanouts::swept_user.eq(last.user.as_str())).execute(conn).await?;
        return Ok(Some(swept));
    }
    swept.notifications = diesel::update(notifications::table.filter(notifications::id.eq_any(&ids)))
        .set(notifications::swept_at.eq(clock_time().nullable()))
        .execute(conn)
        .await?;
    Ok(Some(swept))
}

fn ids(due: &[Due]) -> Vec<Uuid> {
    due.iter().map(|due| due.id).collect()
}

/// The users whose inboxes hold any of some notifications.
struct Owners {
    /// In the order in which streams are locked everywhere.
    keys: Vec<UserKey>,
    /// Whether a large one may have others besides.
    more: bool,
}

#[derive(QueryableByName)]
struct Owner {
    #[diesel(sql_type = Text)]
    tenant: String,
    #[diesel(sql_type = Text)]
    user_id: String,
}

async fn owners(conn: &mut AsyncPgConnection, due: &[Due]) -> QueryResult<Owners> {
    let large = due.iter().any(|due| due.large);
    // The inner limit keeps it one look-up for each id, however many recipients the planner expects.
    let rows: Vec<Owner> = sql_query(
        "select distinct tenant, user_id from unnest($1::uuid[], $2::text[], $3::text[]) as due (id, tenant, after) \
         cross join lateral (select user_id from inbox as i where i.notification_id = due.id \
         and i.tenant = due.tenant and i.user_id > due.after order by i.user_id limit $4) as item \
         order by tenant, user_id",
    )
    .bind::<Array<SqlUuid>, _>(ids(due))
    .bind::<Array<Text>, _>(due.iter().map(|due| due.tenant.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(due.iter().map(|due| due.swept_user.as_str()).collect::<Vec<_>>())
    .bind::<BigInt, _>(if large { STEP as i64 } else { i64::MAX })
    .load(conn)
    .await?;
    let more = large && rows.len() >= STEP;
    let keys = rows.into_iter().map(|owner| stored::key(&owner.tenant, &owner.user_id)).collect::<QueryResult<_>>()?;
    Ok(Owners { keys, more })
}

async fn take_out(conn: &mut AsyncPgConnection, key: &UserKey, ids: &[Uuid]) -> QueryResult<Changed> {
    let stream = streams::lock(conn, key).await?;
    let seqs: Vec<Seq> = inbox::table
        .filter(inbox::tenant.eq(key.tenant.as_str()))
        .filter(inbox::user_id.eq(key.user.as_str()))
        .filter(inbox::notification_id.eq_any(ids))
        .filter(inbox::deleted_at.is_null())
        .select(inbox::seq)
        .load(conn)
        .await?;
    state::stamp(conn, key, stream, &seqs, Action::Delete).await
}

async fn purge(conn: &mut AsyncPgConnection, remember: f64) -> QueryResult<Option<usize>> {
    let forgotten = "swept_at is not null and swept_at < clock_time() - make_interval(secs => $2) order by swept_at";
    let mut due = pick(conn, forgotten, remember).await?;
    if due.is_empty() {
        return Ok(None);
    }
    // Rows that were forgotten are gone, so each transaction starts from the first that are left.
    due.iter_mut().for_each(|due| due.swept_user.clear());
    let ids = ids(&due);
    let Owners { keys, more } = owners(conn, &due).await?;
    // Streams are locked before their rows go, so that no replay reads half of a removal.
    for key in &keys {
        streams::lock(conn, key).await?;
    }
    forget(conn, &ids, keys.last().filter(|_| more)).await?;
    if more {
        return Ok(Some(0));
    }
    diesel::delete(fanouts::table.filter(fanouts::notification_id.eq_any(&ids))).execute(conn).await?;
    diesel::delete(withheld::table.filter(withheld::notification_id.eq_any(&ids))).execute(conn).await?;
    diesel::delete(folded::table.filter(folded::notification_id.eq_any(&ids))).execute(conn).await?;
    diesel::delete(duties::table.filter(duties::notification_id.eq_any(&ids))).execute(conn).await?;
    diesel::delete(notifications::table.filter(notifications::id.eq_any(&ids))).execute(conn).await.map(Some)
}

/// Removes the inbox rows of some notifications, of a large one up to this user, and raises `pruned_seq`.
async fn forget(conn: &mut AsyncPgConnection, ids: &[Uuid], until: Option<&UserKey>) -> QueryResult<()> {
    let columns = (inbox::tenant, inbox::user_id, inbox::changed_seq);
    let all = inbox::table.filter(inbox::notification_id.eq_any(ids));
    let rows: Vec<(String, String, Seq)> = match until {
        None => diesel::delete(all).returning(columns).get_results(conn).await?,
        Some(UserKey { tenant, user }) => {
            let some = all.filter(inbox::tenant.eq(tenant.as_str()).and(inbox::user_id.le(user.as_str())));
            diesel::delete(some).returning(columns).get_results(conn).await?
        }
    };
    let mut newest: BTreeMap<(String, String), Seq> = BTreeMap::new();
    for (tenant, user, changed) in rows {
        let seq = newest.entry((tenant, user)).or_default();
        *seq = changed.max(*seq);
    }
    for ((tenant, user), seq) in newest {
        streams::prune(conn, &tenant, &user, seq).await?;
    }
    Ok(())
}
