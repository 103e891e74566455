//! The tables of what clocks show: the database decides about quiet hours by the time zones of the binary.

use diesel::{
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Integer, Text},
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};

use crate::{
    domain::zones::{self, RELEASE},
    store::schema::zone_release,
};

/// Writes them, unless they are of the same release of the zones or of a later one: during an upgrade instances have different ones.
pub(crate) async fn write(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    let present = || zone_release::table.select(zone_release::release).find(1);
    if present().first::<String>(conn).await?.as_str() >= RELEASE {
        return Ok(());
    }
    conn.transaction(async |conn| {
        // Instances that start together take turns.
        let present = present().for_update().first::<String>(conn).await?;
        if present.as_str() >= RELEASE { Ok(()) } else { replace(conn).await }
    })
    .await
}

async fn replace(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    let clocks = zones::clocks();
    let numbered = || (0_i32..).zip(&clocks);
    let names = || numbered().flat_map(|(number, clocks)| clocks.names.iter().map(move |name| (number, *name)));
    let changes = || numbered().flat_map(|(number, clocks)| clocks.changes.iter().map(move |change| (number, change)));
    for table in ["zone_names", "zone_offsets"] {
        sql_query(format!("delete from {table}")).execute(conn).await?;
    }
    sql_query("insert into zone_names (clocks, name) select * from unnest($1::integer[], $2::text[])")
        .bind::<Array<Integer>, _>(names().map(|(number, _)| number).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(names().map(|(_, name)| name).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    sql_query(
        "insert into zone_offsets (clocks, starts, seconds) select clocks, to_timestamp(starts), seconds \
         from unnest($1::integer[], $2::bigint[], $3::integer[]) as written (clocks, starts, seconds)",
    )
    .bind::<Array<Integer>, _>(changes().map(|(number, _)| number).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(changes().map(|(_, change)| change.starts).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(changes().map(|(_, change)| change.offset_seconds).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    let release = zone_release::table.find(1);
    diesel::update(release).set(zone_release::release.eq(RELEASE)).execute(conn).await.map(drop)
}
