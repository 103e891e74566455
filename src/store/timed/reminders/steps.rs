//! The steps of due items, and the new state of all recipients' items when a user ended one.
//!
//! The state is read again under the lock of the row, which every change of it takes. A step that concerns many inboxes is done
//! in several transactions.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::apply::apply;
use crate::{
    domain::{
        timing::{DueState, DueStep},
        topic::Topic,
    },
    store::{
        database::{clock, stored},
        inbox::reminders::steps_of,
        log::streams,
        schema::{duties, fanouts, notifications},
        timed::due_work::Ticked,
    },
};

/// Most due items that one transaction advances.
const DUTIES: i64 = 200;
/// Most inboxes that one transaction changes, as many of each: their streams stay locked until it ends.
const INBOXES: i64 = 2_000;

#[derive(Debug, Queryable)]
struct Duty {
    id: Uuid,
    tenant: String,
    due_at: DateTime<Utc>,
    state: i16,
    steps: Value,
    step: i16,
    next_at: Option<DateTime<Utc>>,
    after_user: String,
    expires_at: DateTime<Utc>,
}

/// A due item whose step has come, and the work of it.
pub(crate) struct Claim {
    duty: Duty,
    steps: Vec<DueStep>,
    /// Its state by now.
    pub state: DueState,
    /// The last of its inboxes that this transaction changes, when there may be more.
    more_after: Option<String>,
}

/// Advances some due items of a tenant whose step has come.
pub(crate) async fn step_some(conn: &mut AsyncPgConnection, tenant: &str) -> QueryResult<Ticked> {
    let mut claims = claim_some(conn, tenant).await?;
    if claims.is_empty() {
        return Ok(Ticked::default());
    }
    let holders = next_holders(conn, &mut claims).await?;
    let mut stepped = Ticked::default();
    for claim in claims.values().filter(|claim| claim.begins()) {
        stepped.begins_fanout |= escalate(conn, claim).await?;
    }
    let streams: Vec<_> = holders.iter().map(|holder| (holder.tenant.as_str(), holder.user_id.as_str())).collect();
    // Streams come after `duties`, `fanouts` and `notifications`, the order of locks in all transactions.
    streams::lock_many(conn, &streams).await?;
    stepped.heads = apply(conn, &claims, &holders).await?;
    note(conn, claims.values()).await?;
    stepped.done = claims.values().filter(|claim| claim.more_after.is_none()).count();
    Ok(stepped)
}

/// Locks some due items whose step has come.
async fn claim_some(conn: &mut AsyncPgConnection, tenant: &str) -> QueryResult<HashMap<Uuid, Claim>> {
    let time = clock::read(conn).await?;
    let rows: Vec<Duty> = duties::table
        .inner_join(notifications::table.on(notifications::id.eq(duties::notification_id)))
        .filter(duties::tenant.eq(tenant).and(duties::next_at.le(time)))
        .order(duties::next_at)
        .limit(DUTIES)
        .select((
            duties::notification_id,
            duties::tenant,
            duties::due_at,
            duties::state,
            duties::steps,
            duties::step,
            duties::next_at,
            duties::after_user,
            notifications::expires_at,
        ))
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    let busy = lock_fanouts(conn, rows.iter().map(|duty| duty.id).collect()).await?;
    let free = rows.into_iter().filter(|duty| !busy.contains(&duty.id));
    free.map(|duty| Ok((duty.id, Claim::of(duty, time)?))).collect()
}

/// Locks the fan-outs of due items, which a step may continue; answers those that another transaction works on. That one may wait
/// for the lock of the due item, which this transaction holds: a wait for it here would be a deadlock.
async fn lock_fanouts(conn: &mut AsyncPgConnection, ids: Vec<Uuid>) -> QueryResult<HashSet<Uuid>> {
    let mine = || fanouts::table.filter(fanouts::notification_id.eq_any(&ids)).select(fanouts::notification_id);
    let all: Vec<Uuid> = mine().load(conn).await?;
    let mut busy: HashSet<Uuid> = all.into_iter().collect();
    if !busy.is_empty() {
        for locked in mine().for_update().skip_locked().load::<Uuid>(conn).await? {
            busy.remove(&locked);
        }
    }
    Ok(busy)
}

/// The progress of a due item, as it is stored.
struct Noted<'a> {
    state: i16,
    step: i16,
    next_at: Option<DateTime<Utc>>,
    after_user: &'a str,
}

/// An inbox with a due item.
#[derive(Debug, QueryableByName)]
pub(crate) struct Holder {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub tenant: String,
    #[diesel(sql_type = Text)]
    pub user_id: String,
}

impl Claim {
    fn of(duty: Duty, time: DateTime<Utc>) -> QueryResult<Self> {
        let state = match stored::due_state(duty.state)? {
            state if !state.is_open() => state,
            // An expired item leaves inboxes by itself, so its reminders end.
            _ if duty.expires_at <= time => DueState::Cancelled,
            _ if duty.due_at <= time => DueState::Overdue,
            _ => DueState::Due,
        };
        let steps = steps_of(duty.id, duty.steps.clone());
        let mut claim = Self { duty, steps, state, more_after: None };
        claim.skip_past_reminders(time);
        Ok(claim)
    }

    /// After an outage only the last of the missed reminders is sent; escalation is never left out.
    fn skip_past_reminders(&mut self, time: DateTime<Utc>) {
        let until = time.min(self.duty.due_at);
        let past = self.steps.iter().take_while(|step| step.at <= until).count();
        let last = i16::try_from(past).unwrap_or(i16::MAX) - 1;
        if self.begins() {
            self.duty.step = self.duty.step.max(last);
        }
    }

    /// Whether no inbox has this step yet.
    fn begins(&self) -> bool {
        self.state.is_open() && self.duty.after_user.is_empty()
    }

    /// The progress after this transaction: the next step, or some inboxes further.
    fn noted(&self) -> Noted<'_> {
        let Duty { state, step, next_at, .. } = self.duty;
        if let Some(last) = &self.more_after {
            return Noted { state, step, next_at, after_user: last };
        }
        let step = step + 1;
        let next = self.steps.get(usize::try_from(step).unwrap_or(usize::MAX)).filter(|_| self.state.is_open());
        Noted { state: self.state.code(), step, next_at: next.map(|step| step.at), after_user: "" }
    }

    /// The present step, while the item is open.
    fn step(&self) -> Option<&DueStep> {
        self.steps.get(usize::try_from(self.duty.step).ok()?)
    }
}

/// The inboxes that come next.
async fn next_holders(conn: &mut AsyncPgConnection, claims: &mut HashMap<Uuid, Claim>) -> QueryResult<Vec<Holder>> {
    let duties: Vec<&Duty> = claims.values().map(|claim| &claim.duty).collect();
    let of_each = INBOXES / (duties.len() as i64).max(1);
    let holders: Vec<Holder> = sql_query(
        "select asked.id, asked.tenant, holder.user_id from unnest($1::uuid[], $2::text[], $3::text[]) \
         as asked (id, tenant, after) cross join lateral (select user_id from inbox as i where i.notification_id = asked.id \
         and i.tenant = asked.tenant and i.user_id > asked.after order by i.user_id limit $4) as holder \
         order by asked.id, holder.user_id",
    )
    .bind::<Array<SqlUuid>, _>(duties.iter().map(|duty| duty.id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(duties.iter().map(|duty| duty.tenant.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(duties.iter().map(|duty| duty.after_user.as_str()).collect::<Vec<_>>())
    .bind::<BigInt, _>(of_each)
    .load(conn)
    .await?;
    for of_one in holders.chunk_by(|a, b| a.id == b.id) {
        let last = of_one.last().filter(|_| of_one.len() as i64 == of_each);
        if let Some((last, claim)) = last.and_then(|last| Some((last, claims.get_mut(&last.id)?))) {
            claim.more_after = Some(last.user_id.clone());
        }
    }
    Ok(holders)
}

/// Raises the priority and adds the topic that a step names; answers whether a fan-out continues.
async fn escalate(conn: &mut AsyncPgConnection, claim: &Claim) -> QueryResult<bool> {
    let Some(step) = claim.step() else { return Ok(false) };
    if let Some(priority) = step.priority {
        // An amendment may have raised it further before.
        let lower = notifications::table.find(claim.duty.id).filter(notifications::priority.lt(priority.rank()));
        diesel::update(lower).set(notifications::priority.eq(priority.rank())).execute(conn).await?;
    }
    let Some(topic) = &step.topic else { return Ok(false) };
    add_topic(conn, claim.duty.id, topic).await?;
    Ok(true)
}

/// Adds a topic to a notification: its fan-out continues behind the other topics, or begins.
async fn add_topic(conn: &mut AsyncPgConnection, id: Uuid, topic: &Topic) -> QueryResult<()> {
    sql_query(
        "with named as (update notifications set topics = array_append(topics, $2) where id = $1 \
         returning id, tenant, cardinality(topics)::smallint as stage) \
         insert into fanouts as f (notification_id, tenant, everyone, stage) select id, tenant, false, stage from named \
         on conflict (notification_id) do update set finished_at = null, \
         stage = case when f.finished_at is null then f.stage else excluded.stage end, \
         after_user = case when f.finished_at is null then f.after_user else '' end",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(topic.as_str())
    .execute(conn)
    .await
    .map(drop)
}

/// Writes the progress of each.
async fn note(conn: &mut AsyncPgConnection, claims: impl Iterator<Item = &Claim>) -> QueryResult<()> {
    let noted: Vec<(Uuid, Noted<'_>)> = claims.map(|claim| (claim.duty.id, claim.noted())).collect();
    // A join with `limit 1` is one look-up for each, independent of the planner's estimates.
    sql_query(
        "with noted as (select asked.*, found.row_id from unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::timestamptz[], \
         $5::text[]) as asked (id, state, step, next_at, after_user) cross join lateral \
         (select ctid as row_id from duties where duties.notification_id = asked.id limit 1) as found) \
         update duties set state = noted.state, step = noted.step, next_at = noted.next_at, after_user = noted.after_user \
         from noted where duties.ctid = noted.row_id",
    )
    .bind::<Array<SqlUuid>, _>(noted.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(noted.iter().map(|(_, noted)| noted.state).collect::<Vec<_>>())
    .bind::<Array<SmallInt>, _>(noted.iter().map(|(_, noted)| noted.step).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(noted.iter().map(|(_, noted)| noted.next_at).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(noted.iter().map(|(_, noted)| noted.after_user).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}
