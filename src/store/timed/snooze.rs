//! The end of snoozes: due items return to the top of their inboxes.

use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Text},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::domain::{
    cursor::{Cursor, Seq},
    notification::ItemState,
    user::UserKey,
};
use crate::store::{
    database::{shared::repeat, stored, unavailable::Unavailable},
    handle::Store,
    inbox::state::{self, Changed, NotChanged},
    log::streams,
    publish::insert_at_head::{self, HeadInsert, Inserted},
    timed::due_work::Ticked,
};

/// Most items that return in one transaction: their streams stay locked until it ends.
const ITEMS: i64 = 500;

impl Store {
    /// Brings an item back whose snooze is to end now; of one that is not snoozed nothing changes.
    ///
    /// # Errors
    /// When the user has no such item, and when the database does not answer.
    pub async fn end_snooze(&self, key: &UserKey, id: Uuid) -> Result<Changed, NotChanged> {
        let _permit = self.shared.permit_for(key).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| end_one(conn, key, id).await))
            .map_err(|_| Unavailable)?
    }
}

/// Ends the snooze of one item now.
async fn end_one(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Result<Changed, NotChanged>> {
    // The lock comes before the look-up: no other change then moves the item to another seq.
    let stream = streams::lock(conn, key).await?;
    let Some((seq, _)) = state::find(conn, key, id).await? else { return Ok(Err(NotChanged::NoSuchItem)) };
    let mut items: Vec<HeadInsert> = sql_query(format!(
        "select {} from inbox as i where i.tenant = $1 and i.user_id = $2 and i.seq = $3 and i.snoozed_until is not null",
        insert_at_head::COLUMNS
    ))
    .bind::<Text, _>(key.tenant.as_str())
    .bind::<Text, _>(key.user.as_str())
    .bind::<BigInt, _>(seq)
    .load(conn)
    .await?;
    items.iter_mut().try_for_each(call_attention)?;
    let (Some(item), Some(Inserted { placed, .. })) =
        (items.as_slice().first(), insert_at_head::insert_at_head(conn, &items).await?.pop())
    else {
        return Ok(Ok(Changed::nothing(stream)));
    };
    let row = ItemState {
        id: item.item_id.unwrap_or(item.notification_id),
        seq: placed.seq,
        read: item.read_at.is_some(),
        archived: false,
        deleted: false,
        seen: false,
        snoozed_until: None,
        due: item.due_state.map(stored::due_state).transpose()?,
    };
    let cursor = Cursor { epoch: placed.epoch, seq: placed.seq };
    Ok(Ok(Changed { rows: vec![row], unread: placed.unread, cursor }))
}

/// An item that returns is unread, unless it was due and is done.
fn call_attention(item: &mut HeadInsert) -> QueryResult<()> {
    let is_over = item.due_state.map(stored::due_state).transpose()?.is_some_and(|state| !state.is_open());
    item.read_at = item.read_at.filter(|_| is_over);
    Ok(())
}

#[derive(QueryableByName)]
struct Snoozed {
    #[diesel(sql_type = Text)]
    tenant: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = BigInt)]
    seq: Seq,
}

/// Ends some snoozes of a tenant whose time has come.
pub(crate) async fn end_some(conn: &mut AsyncPgConnection, tenant: &str) -> QueryResult<Ticked> {
    // Streams are locked before their items, as everywhere, so the items are read again after the lock.
    let locked: Vec<Snoozed> = sql_query(
        "with due as (select tenant, user_id, seq from inbox where tenant = $2 and snoozed_until <= clock_time() \
         order by snoozed_until limit $1) \
         select due.* from due cross join lateral (select from streams as s where s.tenant = due.tenant \
         and s.user_id = due.user_id limit 1 for update skip locked) as stream",
    )
    .bind::<BigInt, _>(ITEMS)
    .bind::<Text, _>(tenant)
    .load(conn)
    .await?;
    if locked.is_empty() {
        return Ok(Ticked::default());
    }
    let mut items: Vec<HeadInsert> = sql_query(format!(
        "select {} from unnest($1::text[], $2::text[], $3::bigint[]) as asked (tenant, user_id, seq) cross join lateral \
         (select * from inbox where inbox.tenant = asked.tenant and inbox.user_id = asked.user_id and inbox.seq = asked.seq \
         and inbox.snoozed_until <= clock_time() limit 1) as i order by i.snoozed_until",
        insert_at_head::COLUMNS
    ))
    .bind::<Array<Text>, _>(locked.iter().map(|item| item.tenant.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(locked.iter().map(|item| item.user_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(locked.iter().map(|item| item.seq).collect::<Vec<_>>())
    .load(conn)
    .await?;
    items.iter_mut().try_for_each(call_attention)?;
    let heads = insert_at_head::heads(insert_at_head::insert_at_head(conn, &items).await?);
    Ok(Ticked { done: heads.len(), heads, begins_fanout: false })
}
