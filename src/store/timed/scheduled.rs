//! The table `scheduled`: publishes that wait for their time, and their delivery when it has come.

mod manage;
mod seed;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{BigInt, Text},
    upsert::excluded,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

pub use self::{
    manage::{NotAmended, Scheduled},
    seed::Tally,
};
use super::reminders;
use crate::domain::{notification::NewNotification, user::UserId};
use crate::store::{
    Ticked,
    database::clock,
    fanouts::{self, Broad},
    publish::general_append::deliver_to,
    schema::{notifications, scheduled},
};

/// Most publishes of one delivery.
const PUBLISHES: i64 = 500;
/// Most inboxes of one delivery, but for a publish that names more: their streams stay locked until it ends.
const ROWS: i64 = 1_000;

type Collapse<'a> = (&'a str, &'a [u8]);

/// Has those of just written publishes wait that are to, and gives up those that waited and are collapsed into any of them.
pub(crate) async fn wait<'a>(conn: &mut AsyncPgConnection, written: &[&'a NewNotification]) -> QueryResult<()> {
    let mut newest: HashMap<Collapse<'_>, &NewNotification> = HashMap::new();
    for item in written {
        if let Some(hash) = &item.collapse {
            newest.insert((item.tenant.as_str(), hash), item);
        }
    }
    let is_newest = |item: &NewNotification| {
        let collapse = item.collapse.as_ref();
        collapse
            .is_none_or(|hash| newest.get(&(item.tenant.as_str(), hash.as_slice())).is_some_and(|it| it.id == item.id))
    };
    give_up(conn, newest.iter().filter(|(_, item)| item.timing.deliver_at.is_none()).map(|(key, _)| *key)).await?;
    let waits = |item: &'a NewNotification| Some((item, item.timing.deliver_at?));
    let mut waiting: Vec<_> = written.iter().copied().filter(|item| is_newest(item)).filter_map(waits).collect();
    // In one order, for rows of the same collapse key are locked.
    waiting.sort_by_key(|(item, _)| (item.tenant.clone(), item.collapse));
    let row = |(item, deliver_at): &(&NewNotification, DateTime<Utc>)| {
        (
            scheduled::notification_id.eq(item.id),
            scheduled::tenant.eq(item.tenant.as_str().to_owned()),
            scheduled::deliver_at.eq(*deliver_at),
            scheduled::users.eq(item.users.iter().map(|user| user.as_str().to_owned()).collect::<Vec<_>>()),
            scheduled::topics.eq(item
                .audience
                .topics
                .iter()
                .map(|topic| topic.as_str().to_owned())
                .collect::<Vec<_>>()),
            scheduled::everyone.eq(item.audience.everyone),
            scheduled::actor.eq(item.audience.actor.as_ref().map(UserId::as_str).map(str::to_owned)),
            scheduled::collapse.eq(item.collapse.map(|hash| hash.to_vec())),
            scheduled::fixed_expiry.eq(item.timing.fixed_expiry),
        )
    };
    let rows: Vec<_> = waiting.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    diesel::insert_into(scheduled::table)
        .values(rows)
        .on_conflict((scheduled::tenant, scheduled::collapse))
        .filter_target(scheduled::collapse.is_not_null())
        .do_update()
        .set((
            scheduled::notification_id.eq(excluded(scheduled::notification_id)),
            scheduled::deliver_at.eq(excluded(scheduled::deliver_at)),
            scheduled::users.eq(excluded(scheduled::users)),
            scheduled::topics.eq(excluded(scheduled::topics)),
            scheduled::everyone.eq(excluded(scheduled::everyone)),
            scheduled::actor.eq(excluded(scheduled::actor)),
            scheduled::fixed_expiry.eq(excluded(scheduled::fixed_expiry)),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// Gives up what waits under these collapse keys: something newer goes out at once.
async fn give_up<'a>(conn: &mut AsyncPgConnection, keys: impl Iterator<Item = Collapse<'a>>) -> QueryResult<()> {
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    for (tenant, hash) in keys {
        let waiting = scheduled::table.filter(scheduled::tenant.eq(tenant).and(scheduled::collapse.eq(hash)));
        diesel::delete(waiting).execute(conn).await?;
    }
    Ok(())
}

/// A publish whose time has come.
#[derive(Debug, QueryableByName)]
#[diesel(table_name = scheduled)]
struct Waiting {
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
    let mut due: Vec<Waiting> = sql_query(
        "with due as (select ctid as place, notification_id, deliver_at, cardinality(users) as users from scheduled \
         where tenant = $3 and deliver_at <= clock_time() order by deliver_at limit $1 for update skip locked) \
         delete from scheduled where ctid = any (array(select place from (select place, \
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
    // One inbox gets what came due together in the order of its times.
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
    let broad: Vec<_> = due.iter().filter_map(Waiting::broad).collect();
    let begins_fanout = !fanouts::begin(conn, &broad).await?.is_empty();
    let pairs = due
        .iter()
        .flat_map(|one| one.users.iter().map(|user| (one.notification_id, one.tenant.as_str(), user.as_str())));
    let heads = deliver_to(conn, pairs.collect()).await?;
    Ok(Ticked { done, heads, begins_fanout })
}

impl Waiting {
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
