//! Postgres restarts and crashes: publishes wait or are refused, streams stay or come back, nothing is lost.

use serde_json::json;

use crate::{
    checker::{Run, Shape},
    harness::{process::Signal, *},
};

#[tokio::test]
async fn nothing_is_lost_when_postgres_restarts() {
    restarts(cluster()).await;
}

pub(super) async fn restarts(plan: Plan) {
    restarts_of(plan.instances(3)).await;
}

pub(super) async fn restarts_of(plan: Plan) {
    let mut cluster = plan.start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let run = Run::start(vec![nginx.edge()], Shape::default()).await;
    cluster.postgres.stop().await;
    cluster.postgres.resume().await;
    run.flow().await;
    cluster.postgres.crash().await;
    cluster.postgres.resume().await;
    run.flow().await;
    run.judge().await;
}

#[tokio::test]
async fn open_streams_live_through_a_restart_of_postgres() {
    streams_live(cluster()).await;
}

pub(super) async fn streams_live(plan: Plan) {
    let mut cluster = plan.start().await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    cluster.postgres.crash().await;
    cluster.postgres.resume().await;
    let publisher = cluster.publisher();
    let body = json!({"users": ["u1"], "title": "after", "idempotencyKey": "k"});
    eventually("publishing works again", async || (publisher.publish(&body).await.status == 201).then_some(())).await;
    assert_eq!(stream.titles(1).await, ["after"]);
}

#[tokio::test]
async fn a_publish_without_a_database_is_refused_and_a_repeat_stores_it_once() {
    publish_is_refused(cluster()).await;
}

pub(super) async fn publish_is_refused(plan: Plan) {
    let mut cluster = plan.start().await;
    let publisher = cluster.publisher();
    let body = json!({"users": ["u1"], "title": "t", "idempotencyKey": "k"});
    cluster.postgres.stop().await;
    let refused = publisher.publish(&body).await;
    refused.problem(503);
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    assert!(!refused.text.contains("postgres"), "{}", refused.text);
    cluster.postgres.resume().await;
    eventually("publishing works again", async || (publisher.publish(&body).await.status == 201).then_some(())).await;
    publisher.publish(&body).await.expect(201);
    assert_eq!(cluster.user("u1").list("").await["total"], 1);
}

#[tokio::test]
async fn a_stream_without_a_database_is_asked_to_come_back_and_not_to_give_up() {
    stream_is_turned_away(cluster()).await;
}

pub(super) async fn stream_is_turned_away(plan: Plan) {
    let mut cluster = plan.start().await;
    let user = cluster.user("u1");
    let mut stream = user.stream().await;
    stream.hello().await;
    let cursor = stream.cursor.clone().unwrap();
    drop(stream);
    cluster.postgres.stop().await;
    let mut turned_away = user.resume(&cursor).await;
    let frames = turned_away.rest().await;
    assert!(frames.iter().any(|frame| frame.retry.is_some()), "{frames:?}");
    assert!(!frames.iter().any(|frame| frame.is("hello")), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.id.is_none()), "{frames:?}");
    cluster.postgres.resume().await;
    eventually("streams open again", async || {
        let mut stream = user.resume(&cursor).await;
        let first = stream.next_or_end().await?;
        first.is("hello").then(|| assert_eq!(first.json()["verdict"], "resumed"))
    })
    .await;
}

#[tokio::test]
async fn connections_that_hang_are_given_up_and_replaced() {
    hung_connections(cluster()).await;
}

pub(super) async fn hung_connections(plan: Plan) {
    let cluster = plan.set("TIDINGS_STATEMENT_TIMEOUT_SECONDS", "1").start().await;
    let publisher = cluster.publisher();
    publisher.notify("u1", "before").await;
    let stopped = pids_of_instances(&cluster.postgres).await;
    signal(&stopped, Signal::STOP);
    let body = json!({"users": ["u1"], "title": "meanwhile", "idempotencyKey": "k"});
    let served =
        eventually("fresh connections serve", async || (publisher.publish(&body).await.status == 201).then_some(()));
    in_time("a publish on a connection that hangs", served).await;
    signal(&stopped, Signal::CONT);
    assert_eq!(cluster.user("u1").list("").await["total"], 2);
}

async fn pids_of_instances(postgres: &Postgres) -> Vec<i32> {
    let pids = "select pid from pg_stat_activity where application_name = 'tidings'";
    postgres.connect().await.query(pids, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn signal(pids: &[i32], signal: Signal) {
    for pid in pids {
        rustix::process::kill_process(rustix::process::Pid::from_raw(*pid).unwrap(), signal).unwrap();
    }
}
