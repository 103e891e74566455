//! A Postgres whose messages are in German: the server distinguishes failures by code, so its faults end as those of an English one.

use serde_json::json;
use tokio_postgres::{Client, Transaction};

use super::postgres::{hung_connections, publish_is_refused, restarts, stream_is_turned_away, streams_live};
use crate::harness::{instance::setting, *};

/// Longer than a test takes: the database must find a deadlock in the instance's session, not in the test's.
const NEVER_A_VICTIM: &str = "set deadlock_timeout = '5min'";

#[tokio::test]
async fn nothing_is_lost_when_a_german_postgres_restarts() {
    restarts(cluster().german()).await;
}

#[tokio::test]
async fn open_streams_live_through_a_restart_of_a_german_postgres() {
    streams_live(cluster().german()).await;
}

#[tokio::test]
async fn a_publish_is_refused_while_a_german_postgres_is_away() {
    publish_is_refused(cluster().german()).await;
}

#[tokio::test]
async fn a_stream_comes_back_after_a_german_postgres_was_away() {
    stream_is_turned_away(cluster().german()).await;
}

#[tokio::test]
async fn connections_of_a_german_postgres_that_hang_are_replaced() {
    hung_connections(cluster().german()).await;
}

#[tokio::test]
async fn a_german_database_without_tables_does_not_fit() {
    let postgres = Postgres::start_with(&[postgres::GERMAN]).await;
    let mut instance = Instance::new(&[(setting::DATABASE, &postgres.url_of("postgres"))]);
    instance.launch();
    eventually("it says what to do", async || instance.log().contains("run tidings migrate").then_some(())).await;
    let report = instance.edge().nobody().get("/health").await.expect(200);
    assert_eq!(report["parts"]["database"]["up"], false);
}

/// A plain publish is one statement without a transaction, so its caller sees the very error that ended the connection.
#[tokio::test]
async fn a_publish_is_tried_again_however_often_a_german_postgres_ends_its_connection() {
    let cluster = cluster().german().start().await;
    let publisher = cluster.publisher();
    publisher.notify("u1", "before").await;
    let (mut holder, observer) = (cluster.postgres.connect().await, cluster.postgres.connect().await);
    let holder_pid = pid(&holder).await;
    let held = held(&mut holder, "u1").await;
    let body = json!({"users": ["u1"], "title": "after"});
    let publish = async { publisher.publish(&body).await.expect(201) };
    let trouble = async {
        let mut ended = 0;
        for _ in 0..3 {
            ended = blocked(&observer, holder_pid, ended).await;
            observer.execute("select pg_terminate_backend($1)", &[&ended]).await.unwrap();
        }
        blocked(&observer, holder_pid, ended).await;
        held.commit().await.unwrap();
    };
    tokio::join!(publish, trouble);
    assert_eq!(cluster.user("u1").list("").await["total"], 2);
}

/// Two deadlocks in a row: the instance's session holds the stream of one user and waits for that of another.
#[tokio::test]
async fn a_publish_is_tried_again_after_each_deadlock_in_a_german_postgres() {
    let cluster = cluster().german().postgres("deadlock_timeout=2s").start().await;
    let publisher = cluster.publisher();
    for user in ["u1", "u2", "u3"] {
        publisher.notify(user, "before").await;
    }
    let observer = cluster.postgres.connect().await;
    let (mut first, mut second) = (cluster.postgres.connect().await, cluster.postgres.connect().await);
    let (first_pid, second_pid) = (pid(&first).await, pid(&second).await);
    let first = held(&mut first, "u2").await;
    let second = held(&mut second, "u3").await;
    let body = json!({"users": ["u1", "u2", "u3"], "title": "after", "idempotencyKey": "k"});
    let publish = async { publisher.publish(&body).await.expect(201) };
    let trouble = async {
        for (holder, pid) in [(first, first_pid), (second, second_pid)] {
            blocked(&observer, pid, 0).await;
            lock(&holder, "u1").await;
            holder.commit().await.unwrap();
        }
    };
    tokio::join!(publish, trouble);
    assert_eq!(cluster.postgres.log().matches("Verklemmung (Deadlock) entdeckt").count(), 2);
    assert_eq!(cluster.user("u3").list("").await["total"], 2);
}

async fn pid(client: &Client) -> i32 {
    client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0)
}

/// A transaction that holds the stream of `user`, and is never the victim of a deadlock.
async fn held<'a>(client: &'a mut Client, user: &str) -> Transaction<'a> {
    client.batch_execute(NEVER_A_VICTIM).await.unwrap();
    let transaction = client.transaction().await.unwrap();
    lock(&transaction, user).await;
    transaction
}

async fn lock(transaction: &Transaction<'_>, user: &str) {
    transaction.execute("select from streams where user_id = $1 for update", &[&user]).await.unwrap();
}

/// The session of an instance that waits for session `by`, once there is one besides `former`.
async fn blocked(observer: &Client, by: i32, former: i32) -> i32 {
    let waiting = "select pid from pg_stat_activity \
                   where application_name = 'tidings' and $1 = any(pg_blocking_pids(pid)) and pid <> $2";
    eventually("an instance waits for the lock", async || {
        observer.query(waiting, &[&by, &former]).await.unwrap().first().map(|row| row.get(0))
    })
    .await
}
