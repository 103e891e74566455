//! Publishes that are delivered later: the transaction that writes them also writes their row of `scheduled`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::QueryResult, upsert::excluded};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    domain::{notification::NewNotification, user::UserId},
    store::schema::scheduled,
};

type Collapse<'a> = (&'a str, &'a [u8]);

/// Schedules the written publishes with a `deliverAt`, and calls off scheduled ones that share a collapse key with any written one.
pub(crate) async fn schedule<'a>(conn: &mut AsyncPgConnection, written: &[&'a NewNotification]) -> QueryResult<()> {
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
    call_off(conn, newest.iter().filter(|(_, item)| item.timing.deliver_at.is_none()).map(|(key, _)| *key)).await?;
    let scheduled_at = |item: &'a NewNotification| Some((item, item.timing.deliver_at?));
    let mut scheduled_ones: Vec<_> =
        written.iter().copied().filter(|item| is_newest(item)).filter_map(scheduled_at).collect();
    // In one order, for rows of the same collapse key are locked.
    scheduled_ones.sort_by_key(|(item, _)| (item.tenant.clone(), item.collapse));
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
    let rows: Vec<_> = scheduled_ones.iter().map(row).collect();
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

/// Calls off the scheduled publishes of these collapse keys: a newer one goes out at once.
async fn call_off<'a>(conn: &mut AsyncPgConnection, keys: impl Iterator<Item = Collapse<'a>>) -> QueryResult<()> {
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    for (tenant, hash) in keys {
        let scheduled_ones = scheduled::table.filter(scheduled::tenant.eq(tenant).and(scheduled::collapse.eq(hash)));
        diesel::delete(scheduled_ones).execute(conn).await?;
    }
    Ok(())
}
