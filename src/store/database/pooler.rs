//! A pooler between Tidings and Postgres that gives each transaction another session.
//!
//! Statements here are prepared, settings of the session are relied on, and messages are listened for: all of them belong to a session.
//! In the mode `transaction` of `PgBouncer` a part of the publishes would fail, and the settings would stay in sessions of others. So Tidings
//! finds that out before it begins.

use std::time::Duration;

use diesel::{
    ConnectionError, QueryableByName,
    result::{Error, QueryResult},
    sql_query,
    sql_types::Integer,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;

use super::{
    server::Server,
    sqlstate,
    tls::{self, Target},
};
use crate::config::DatabaseSettings;

/// Longest time of a round.
const ANSWER: Duration = Duration::from_secs(3);
/// Pause before a server is asked again that could not be asked.
const AGAIN: Duration = Duration::from_secs(1);
/// Other clients of the pooler take sessions as well, so the first round need not show it.
const ROUNDS: usize = 5;

/// The cure.
const REFUSAL: &str = "a pooler gives every transaction another session, and Tidings needs its own: \
     let DATABASE_URL lead to the server itself, or to a pool in session mode (PgBouncer: pool_mode = session)";

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

/// Fails, with the cure, when there is such a pooler. A server that cannot be asked may be one: see [`found`].
pub(crate) async fn refuse(database: &DatabaseSettings) -> anyhow::Result<()> {
    let between = is_between(&Server::of(database)?.target()).await;
    anyhow::ensure!(between != Some(true), REFUSAL);
    Ok(())
}

/// Asks until the server answers. Ends, with the cure in the log, when there is such a pooler.
pub(crate) async fn found(server: &Server) {
    loop {
        match is_between(&server.target()).await {
            Some(true) => return log::error!("{REFUSAL}"),
            Some(false) => std::future::pending().await,
            None => sleep(AGAIN).await,
        }
    }
}

/// Whether sessions change between transactions; none when the server cannot be asked.
async fn is_between(target: &Target) -> Option<bool> {
    let connections = async { Ok::<_, ConnectionError>((tls::connect(target).await?, tls::connect(target).await?)) };
    let (mut one, mut other) = timeout(ANSWER, connections).await.ok()?.ok()?;
    for _ in 0..ROUNDS {
        match timeout(ANSWER, changes(&mut one, &mut other)).await.ok()? {
            Ok(false) => {}
            // The session that has the connection now lacks a statement, has one of that name already, or answers another one.
            Ok(true) | Err(Error::DeserializationError(_)) => return Some(true),
            Err(error) => {
                let prepared = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT];
                return sqlstate::of(&error).filter(|code| prepared.contains(code)).map(|_| true);
            }
        }
    }
    Some(false)
}

/// Whether one of two connections changes its session, or both have the same. The first is asked twice in a row, so that neither sessions
/// in turn nor the last one first give the same answers as sessions of their own.
async fn changes(one: &mut AsyncPgConnection, other: &mut AsyncPgConnection) -> QueryResult<bool> {
    let (first, second) = (session(one).await?, session(one).await?);
    let others = session(other).await?;
    Ok(first != second || first == others || first != session(one).await? || others != session(other).await?)
}

async fn session(conn: &mut AsyncPgConnection) -> Result<i32, Error> {
    let session: Session = sql_query("select pg_backend_pid() as pid").get_result(conn).await?;
    Ok(session.pid)
}
