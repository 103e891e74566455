//! The state of a due item in its inboxes: the item returns to the top, or only takes the new state.

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{
    CONCERNED,
    steps::{Claim, Holder},
};
use crate::{
    domain::cursor::Seq,
    store::{
        database::stored,
        log::streams::Head,
        publish::insert_at_head::{self, COLUMNS, HeadInsert},
    },
};

#[derive(Debug, QueryableByName)]
struct Row {
    #[diesel(embed)]
    item: HeadInsert,
    #[diesel(sql_type = Bool)]
    snoozed: bool,
    /// Whether the user still is a recipient.
    #[diesel(sql_type = Bool)]
    concerned: bool,
}

/// Brings open items back to the top of their inboxes. Snoozed items, and those that are not open any more, only take the new
/// state. A user who has left the topics since gets no step, but still the end. The streams are locked, so nobody leaves meanwhile.
pub(crate) async fn apply(
    conn: &mut AsyncPgConnection,
    claims: &HashMap<Uuid, Claim>,
    holders: &[Holder],
) -> QueryResult<Vec<Head>> {
    let rows: Vec<Row> = sql_query(format!(
        "select {COLUMNS}, i.snoozed_until is not null as snoozed, {CONCERNED} as concerned \
         from unnest($1::uuid[], $2::text[], $3::text[]) as asked (id, tenant, user_id) cross join lateral \
         (select * from inbox where inbox.notification_id = asked.id and inbox.tenant = asked.tenant \
         and inbox.user_id = asked.user_id and inbox.deleted_at is null limit 1) as i",
    ))
    .bind::<Array<SqlUuid>, _>(holders.iter().map(|holder| holder.id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(holders.iter().map(|holder| holder.tenant.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(holders.iter().map(|holder| holder.user_id.as_str()).collect::<Vec<_>>())
    .load(conn)
    .await?;
    let (mut risen, mut marked) = (Vec::new(), Vec::new());
    for Row { mut item, snoozed, concerned } in rows {
        let Some(claim) = claims.get(&item.notification_id) else { continue };
        let is_news = item.due_state != Some(claim.state.code());
        item.due_state = Some(claim.state.code());
        match (claim.state.is_open(), snoozed) {
            (true, _) if !concerned => {}
            (true, false) => risen.push(HeadInsert { read_at: None, ..item }),
            _ if is_news => marked.push(item),
            _ => {}
        }
    }
    let mut heads = mark(conn, &marked).await?;
    heads.extend(insert_at_head::heads(insert_at_head::insert_at_head(conn, &risen).await?));
    Ok(heads)
}

#[derive(QueryableByName)]
struct Marked {
    #[diesel(sql_type = Text)]
    tenant: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    epoch: String,
    #[diesel(sql_type = BigInt)]
    seq: Seq,
}

async fn mark(conn: &mut AsyncPgConnection, items: &[HeadInsert]) -> QueryResult<Vec<Head>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Marked> = sql_query(include_str!("mark.sql"))
        .bind::<Array<Text>, _>(items.iter().map(|item| item.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(items.iter().map(|item| item.user_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(items.iter().map(|item| item.seq).collect::<Vec<_>>())
        .bind::<Array<Nullable<SmallInt>>, _>(items.iter().map(|item| item.due_state).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let head =
        |row: Marked| Ok(Head { key: stored::key(&row.tenant, &row.user_id)?, epoch: row.epoch.into(), seq: row.seq });
    rows.into_iter().map(head).collect()
}
