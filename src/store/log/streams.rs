//! The rows that are locked to take a seq: their making, their heads, and the check of their counts.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    dsl::sql,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::account_log;
use crate::domain::{
    cursor::{Epoch, Seq},
    user::UserKey,
};
use crate::store::{
    database::{clock, generation, stored},
    schema::{inbox_changes, streams},
};

/// The head of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The user of the stream.
    pub key: UserKey,
    /// Its incarnation.
    pub epoch: Epoch,
    /// Its newest change.
    pub seq: Seq,
}

#[derive(QueryableByName)]
struct HeadRow {
    #[diesel(sql_type = BigInt)]
    index: i64,
    #[diesel(sql_type = Text)]
    epoch: String,
    #[diesel(sql_type = BigInt)]
    head_seq: i64,
}

/// Where a change is safe before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On the primary alone: its loss may take back what was acknowledged.
    Local,
    /// On a synchronous replica too.
    Replicated,
}

/// The counts of a stream row.
#[derive(Queryable)]
pub(crate) struct Counts {
    pub epoch: String,
    pub head: Seq,
    pub unread: i64,
    pub listed: i64,
}

/// Asks what the work needs: a table that can be read, and where a commit is safe.
pub(crate) async fn ping(conn: &mut AsyncPgConnection) -> QueryResult<Durability> {
    streams::table.find(("", "")).select(streams::head_seq).first::<Seq>(conn).await.optional()?;
    let replicated = sql::<Bool>(
        "current_setting('synchronous_standby_names') <> '' and current_setting('synchronous_commit') not in ('local', 'off')",
    );
    let is_replicated: bool = diesel::select(replicated).get_result(conn).await?;
    Ok(if is_replicated { Durability::Replicated } else { Durability::Local })
}

/// Makes the streams that do not exist yet.
pub(crate) async fn ensure(conn: &mut AsyncPgConnection, keys: impl Iterator<Item = &UserKey>) -> QueryResult<()> {
    let mut missing: Vec<_> = keys.collect();
    // The append locks streams in the same order; two orders would deadlock.
    missing.sort_unstable();
    missing.dedup();
    let rows: Vec<_> = missing
        .iter()
        .map(|key| (streams::tenant.eq(key.tenant.as_str()), streams::user_id.eq(key.user.as_str())))
        .collect();
    diesel::insert_into(streams::table).values(rows).on_conflict_do_nothing().execute(conn).await.map(drop)
}

/// Makes one stream if it does not exist. A stream that exists costs one look-up and no write.
pub(crate) async fn ensure_one(conn: &mut AsyncPgConnection, key: &UserKey) -> QueryResult<()> {
    let known = streams::table.find((key.tenant.as_str(), key.user.as_str())).select(streams::head_seq);
    match known.first::<Seq>(conn).await.optional()? {
        Some(_) => Ok(()),
        None => ensure(conn, std::iter::once(key)).await,
    }
}

/// The head of the stream and its counts, and the database's time.
pub(crate) async fn look(conn: &mut AsyncPgConnection, key: &UserKey) -> QueryResult<(Counts, DateTime<Utc>)> {
    streams::table
        .find((key.tenant.as_str(), key.user.as_str()))
        .select(((generation::epoch(), streams::head_seq, streams::unread, streams::listed), clock::clock_time()))
        .first(conn)
        .await
}

/// Locks the stream, made if missing, until the transaction ends: no other transaction can take a seq of it.
pub(crate) async fn lock(conn: &mut AsyncPgConnection, key: &UserKey) -> QueryResult<Counts> {
    let find = || {
        streams::table
            .find((key.tenant.as_str(), key.user.as_str()))
            .select((generation::epoch(), streams::head_seq, streams::unread, streams::listed))
            .for_update()
    };
    if let Some(counts) = find().first(conn).await.optional()? {
        Ok(counts)
    } else {
        ensure(conn, std::iter::once(key)).await?;
        find().first(conn).await
    }
}

/// Locks the streams of a tenant's users, in the one order. A missing stream is made for users in `made`, and left out for users
/// in `known`.
pub(crate) async fn lock_all(
    conn: &mut AsyncPgConnection,
    tenant: &str,
    made: &[&str],
    known: &[&str],
) -> QueryResult<()> {
    let of_tenant = |users: &[&str]| vec![tenant; users.len()];
    lock_these(conn, (&of_tenant(made), made), (&of_tenant(known), known)).await
}

/// Locks streams of users of several tenants, made where they are missing, in the one order.
pub(crate) async fn lock_many(conn: &mut AsyncPgConnection, streams: &[(&str, &str)]) -> QueryResult<()> {
    let (tenants, users): (Vec<_>, Vec<_>) = streams.iter().copied().unzip();
    lock_these(conn, (&tenants, &users), (&[], &[])).await
}

async fn lock_these(
    conn: &mut AsyncPgConnection,
    made: (&[&str], &[&str]),
    known: (&[&str], &[&str]),
) -> QueryResult<()> {
    sql_query(include_str!("lock.sql"))
        .bind::<Array<Text>, _>(made.0)
        .bind::<Array<Text>, _>(made.1)
        .bind::<Array<Text>, _>(known.0)
        .bind::<Array<Text>, _>(known.1)
        .execute(conn)
        .await
        .map(drop)
}

/// Writes the new head and counts of a locked stream.
pub(crate) async fn advance(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    head: Seq,
    unread: i64,
    listed: i64,
) -> QueryResult<()> {
    debug_assert!(unread >= 0 && unread <= listed, "{unread} unread of {listed} listed items");
    // Under its lock a stream only moves forward: a change that took a seq twice would hide the one before it.
    diesel::update(streams::table.find((key.tenant.as_str(), key.user.as_str())).filter(streams::head_seq.lt(head)))
        .set((streams::head_seq.eq(head), streams::unread.eq(unread), streams::listed.eq(listed)))
        .execute(conn)
        .await
        .and_then(|moved| if moved == 1 { Ok(()) } else { Err(stored::unreadable("a stream would move back")) })
}

/// Notes that changes up to `seq` can no longer be replayed, and forgets them.
pub(crate) async fn prune(conn: &mut AsyncPgConnection, tenant: &str, user: &str, seq: Seq) -> QueryResult<()> {
    diesel::update(streams::table.find((tenant, user)).filter(streams::pruned_seq.lt(seq)))
        .set(streams::pruned_seq.eq(seq))
        .execute(conn)
        .await?;
    let mine = inbox_changes::table.filter(inbox_changes::tenant.eq(tenant)).filter(inbox_changes::user_id.eq(user));
    diesel::delete(mine.filter(inbox_changes::changed_seq.le(seq))).execute(conn).await?;
    account_log::forget(conn, tenant, user, seq).await
}

pub(crate) async fn heads(conn: &mut AsyncPgConnection, keys: &[UserKey]) -> QueryResult<Vec<Head>> {
    let rows: Vec<HeadRow> = sql_query(
        "select asked.index, epoch, head_seq from unnest($1::text[], $2::text[]) with ordinality \
         as asked (tenant, user_id, index) cross join lateral (select epoch || (select mark from generation where id = 1) as epoch, head_seq from streams \
         where streams.tenant = asked.tenant and streams.user_id = asked.user_id limit 1) as stream",
    )
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.tenant.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(keys.iter().map(|key| key.user.as_str()).collect::<Vec<_>>())
    .load(conn)
    .await?;
    let head = |row: HeadRow| {
        let key = stored::nth(keys, row.index)?.clone();
        Ok(Head { key, epoch: row.epoch.into(), seq: row.head_seq })
    };
    rows.into_iter().map(head).collect()
}

pub(crate) async fn unread(conn: &mut AsyncPgConnection, key: &UserKey) -> QueryResult<i64> {
    streams::table
        .find((key.tenant.as_str(), key.user.as_str()))
        .select(streams::unread)
        .first(conn)
        .await
        .optional()
        .map(Option::unwrap_or_default)
}

pub(crate) async fn drift(conn: &mut AsyncPgConnection, sample: &[UserKey]) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Drift {
        #[diesel(sql_type = BigInt)]
        wrong: i64,
    }
    let drift: Drift = sql_query(include_str!("drift.sql"))
        .bind::<Array<Text>, _>(sample.iter().map(|key| key.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(sample.iter().map(|key| key.user.as_str()).collect::<Vec<_>>())
        .get_result(conn)
        .await?;
    Ok(drift.wrong)
}
