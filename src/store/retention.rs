//! What leaves by itself. A sweep takes expired notifications out of inboxes, as a change of the log that clients are
//! told of; a purge forgets them for good some days later and raises `pruned_seq`, so that older cursors are reset.

use std::collections::BTreeMap;

use diesel::{
    QueryableByName,
    dsl::now,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Double, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{
    Changed, Store, Unavailable, repeat,
    schema::{inbox, notifications, withheld},
    state, streams,
};
use crate::notification::{Action, Malformed, Seq, UserKey};

/// Most inbox rows that one transaction takes out (one notification's more, when it alone has more): their streams stay
/// locked until it ends.
const ROWS: i64 = 500;

/// What one sweep did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Notifications taken out.
    pub notifications: usize,
    /// What changed, by stream.
    pub streams: Vec<(UserKey, Changed)>,
}

impl Store {
    /// Takes some expired notifications out of all inboxes; nothing left when `notifications` is 0.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep(&self) -> Result<Swept, Unavailable> {
        repeat!(self.shared, conn => conn.transaction(async |conn| sweep(conn).await)).map_err(|_| Unavailable)
    }

    /// Forgets some notifications that were taken out long enough ago; answers their number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self) -> Result<usize, Unavailable> {
        let remember = self.shared.retention.remember.as_secs_f64();
        repeat!(self.shared, conn => conn.transaction(async |conn| purge(conn, remember).await))
            .map_err(|_| Unavailable)
    }
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Picks notifications until their recipients reach the bound; those that another instance works on are skipped.
async fn pick(conn: &mut AsyncPgConnection, which: &str, remember: f64) -> QueryResult<Vec<Uuid>> {
    let query = format!(
        "with due as (select id, recipients from notifications where {which} limit 500 for update skip locked) \
         select id from (select id, sum(recipients) over (order by id) - recipients as before from due) as summed \
         where before < $1"
    );
    let due: Vec<Due> = sql_query(query).bind::<BigInt, _>(ROWS).bind::<Double, _>(remember).load(conn).await?;
    Ok(due.into_iter().map(|due| due.id).collect())
}

async fn sweep(conn: &mut AsyncPgConnection) -> QueryResult<Swept> {
    let ids = pick(conn, "swept_at is null and expires_at <= now() and $2 >= 0 order by expires_at", 0.0).await?;
    if ids.is_empty() {
        return Ok(Swept::default());
    }
    let mut swept = Swept { notifications: ids.len(), streams: Vec::new() };
    for key in owners(conn, &ids).await? {
        let changed = take_out(conn, &key, &ids).await?;
        swept.streams.push((key, changed));
    }
    diesel::update(notifications::table.filter(notifications::id.eq_any(&ids)))
        .set(notifications::swept_at.eq(now))
        .execute(conn)
        .await?;
    Ok(swept)
}

#[derive(QueryableByName)]
struct Owner {
    #[diesel(sql_type = Text)]
    tenant: String,
    #[diesel(sql_type = Text)]
    user_id: String,
}

/// Whose inboxes hold any of these, in the order in which streams are locked everywhere.
async fn owners(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> QueryResult<Vec<UserKey>> {
    // `offset 0` keeps it one look-up for each id, however many recipients the planner expects.
    let rows: Vec<Owner> = sql_query(
        "select distinct tenant, user_id from unnest($1::uuid[]) as swept (id) cross join lateral \
         (select tenant, user_id from inbox where notification_id = swept.id offset 0) as item \
         order by tenant, user_id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    rows.into_iter().map(|owner| parse_key(&owner.tenant, &owner.user_id)).collect()
}

fn parse_key(tenant: &str, user: &str) -> QueryResult<UserKey> {
    let wrong = |malformed: Malformed| diesel::result::Error::DeserializationError(Box::new(malformed));
    Ok(UserKey { tenant: tenant.parse().map_err(wrong)?, user: user.parse().map_err(wrong)? })
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

async fn purge(conn: &mut AsyncPgConnection, remember: f64) -> QueryResult<usize> {
    let forgotten = "swept_at is not null and swept_at < now() - make_interval(secs => $2) order by swept_at";
    let ids = pick(conn, forgotten, remember).await?;
    if ids.is_empty() {
        return Ok(0);
    }
    // Streams are locked before their rows go, so that nobody replays half of what is being removed.
    for key in owners(conn, &ids).await? {
        streams::lock(conn, &key).await?;
    }
    let rows: Vec<(String, String, Seq)> = diesel::delete(inbox::table.filter(inbox::notification_id.eq_any(&ids)))
        .returning((inbox::tenant, inbox::user_id, inbox::changed_seq))
        .get_results(conn)
        .await?;
    let mut newest: BTreeMap<(String, String), Seq> = BTreeMap::new();
    for (tenant, user, changed) in rows {
        let seq = newest.entry((tenant, user)).or_default();
        *seq = changed.max(*seq);
    }
    for ((tenant, user), seq) in newest {
        streams::prune(conn, &tenant, &user, seq).await?;
    }
    diesel::delete(withheld::table.filter(withheld::notification_id.eq_any(&ids))).execute(conn).await?;
    diesel::delete(notifications::table.filter(notifications::id.eq_any(&ids))).execute(conn).await
}
