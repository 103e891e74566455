//! The generation: which history of the database this is.
//!
//! A database that forgets changes which it had acknowledged is noticed in three ways. A new connection finds another server, timeline,
//! database or table than the one before it. An instance, or a client, knows a change that the database does not have. Or an operator
//! says so. Each raises the generation, whose mark is part of every epoch: all cursors of the past are reset, and no row of a user is
//! touched.

use diesel::{
    OptionalExtension as _, QueryableByName,
    expression::SqlLiteral,
    result::QueryResult,
    sql_query,
    sql_types::{BigInt, Bool, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use tokio_postgres::error::SqlState;

use super::sqlstate;
use crate::domain::{cursor::Cursor, user::UserKey};

/// Where the database is. Dropping and creating a database, or its tables, changes their numbers.
const IDENTITY: &str = "(select concat_ws('/', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), \
     (select oid from pg_database where datname = current_database()), 'streams'::regclass::oid) from pg_control_system())";

/// A mark that no other generation has.
const NEW_MARK: &str = "'g' || substr(md5(random()::text || clock_timestamp()::text || pg_backend_pid()::text), 1, 8)";

/// Who knows a change that the database lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// An instance: it was announced here.
    Instance,
    /// A client, whose word may be made up: it raises the generation once in an hour at most.
    Client,
}

#[derive(QueryableByName)]
struct Raised {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

/// The epoch of a row of `streams`, as cursors have it.
pub(crate) fn epoch() -> SqlLiteral<Text> {
    diesel::dsl::sql("streams.epoch || (select mark from generation where id = 1)")
}

/// Compares the database with the one that the last connection found. The first connection of all only notes it.
///
/// A database without the table is not migrated yet. A server that keeps its identity to itself is trusted, and a warning says so.
pub(crate) async fn recognize(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    let differs = format!("select value from generation where id = 1 and identity is distinct from {IDENTITY}");
    let differs = sql_query(differs).get_result::<Raised>(conn).await.optional();
    match differs {
        Ok(None) => Ok(()),
        Ok(Some(_)) => adopt(conn).await,
        Err(error) => match sqlstate::of(&error) {
            Some(SqlState::UNDEFINED_TABLE) => Ok(()),
            Some(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::UNDEFINED_FUNCTION | SqlState::FEATURE_NOT_SUPPORTED) => {
                log::warn!(
                    "the database does not say which server and timeline it is ({error}): after a restore or a fail-over that lost \
                     commits, run `tidings restored`"
                );
                Ok(())
            }
            _ => Err(error),
        },
    }
}

/// Notes the identity; of several connections that find a new one, the first raises the generation.
async fn adopt(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    let adopt = format!(
        "update generation set value = value + (generation.identity is not null)::int, identity = now.identity, \
         mark = case when generation.identity is null then mark else {NEW_MARK} end \
         from (select {IDENTITY} as identity) as now \
         where id = 1 and generation.identity is distinct from now.identity returning value"
    );
    let raised = sql_query(adopt).get_result::<Raised>(conn).await.optional()?;
    if let Some(Raised { value }) = raised.filter(|raised| raised.value > 0) {
        log::error!(
            "the database is not the one of before (restored, or failed over): generation {value}, all clients are reset"
        );
    }
    Ok(())
}

/// Raises the generation at an operator's word; answers the new one.
pub(crate) async fn raise(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    let raise = format!("update generation set value = value + 1, mark = {NEW_MARK} where id = 1 returning value");
    let raised: Raised = sql_query(raise).get_result(conn).await?;
    Ok(raised.value)
}

/// Raises the generation if the stream lacks the change of a cursor of its epoch; true when it was raised.
pub(crate) async fn accuse(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    cursor: &Cursor,
    witness: Witness,
) -> QueryResult<bool> {
    let accuse = sql_query(format!(
        "update generation set value = value + 1, mark = {NEW_MARK}, \
         accused_at = case when $5 then accused_at else now() end where id = 1 \
         and ($5 or accused_at is null or accused_at < now() - interval '1 hour') and exists ( \
             select from streams as s where s.tenant = $1 and s.user_id = $2 and s.epoch || mark = $3 and s.head_seq < $4 \
             and not exists (select from inbox as i where i.tenant = $1 and i.user_id = $2 and i.seq = $4) \
         ) returning value",
    ));
    let raised = accuse
        .bind::<Text, _>(key.tenant.as_str())
        .bind::<Text, _>(key.user.as_str())
        .bind::<Text, _>(cursor.epoch.as_str())
        .bind::<BigInt, _>(cursor.seq)
        .bind::<Bool, _>(witness == Witness::Instance)
        .get_result::<Raised>(conn)
        .await
        .optional()?;
    if let Some(Raised { value }) = &raised {
        log::error!(
            "the database lacks a change of user {} of tenant {} ({witness:?} knows it): generation {value}, all clients are reset",
            key.user.as_str(),
            key.tenant
        );
    }
    Ok(raised.is_some())
}
