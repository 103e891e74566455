//! Redis dies, comes back empty and stops answering: delivery may become slower, never silent.

use std::time::Duration;

use crate::{
    checker::{Run, Shape},
    harness::*,
};

#[tokio::test]
async fn nothing_is_lost_while_redis_is_away_and_when_it_comes_back_empty() {
    let mut cluster = cluster().instances(2).start().await;
    let run = Run::start(cluster.edges(), Shape::default()).await;
    cluster.redis().kill();
    run.flow().await;
    cluster.redis().start_empty().await;
    run.flow().await;
    run.judge().await;
}

#[tokio::test]
async fn nothing_is_lost_when_redis_restarts_again_and_again() {
    let mut cluster = cluster().instances(2).start().await;
    let run = Run::start(cluster.edges(), Shape::default()).await;
    for _ in 0..4 {
        cluster.redis().kill();
        cluster.redis().start_empty().await;
        run.flow().await;
    }
    run.judge().await;
}

#[tokio::test]
async fn nothing_is_lost_while_redis_stops_answering_for_ten_seconds() {
    let cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let run = Run::start(vec![nginx.edge()], Shape::default()).await;
    let redis = cluster.redis.as_ref().unwrap();
    redis.pause();
    // The pause is the fault itself, not a wait for something.
    tokio::time::sleep(Duration::from_secs(10)).await;
    run.flow().await;
    redis.resume();
    run.flow().await;
    run.judge().await;
}

#[tokio::test]
async fn a_stream_of_another_instance_is_reached_without_redis() {
    let mut cluster = cluster().instances(2).start().await;
    let mut stream = cluster.instances[1].edge().user("u1").stream().await;
    stream.hello().await;
    cluster.redis().kill();
    cluster.publisher().notify("u1", "slow but sure").await;
    assert_eq!(stream.titles(1).await, ["slow but sure"]);
}

#[tokio::test]
async fn a_stream_opened_without_redis_receives_by_redis_when_it_is_back() {
    let mut cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    cluster.redis().kill();
    let other = cluster.instances[1].edge();
    eventually("the bus is down", async || (other.metric("tidings_bus_up", &[]).await == 0).then_some(())).await;
    let mut stream = other.user("u1").stream().await;
    stream.hello().await;
    cluster.redis().start_empty().await;
    for edge in cluster.edges() {
        eventually("the bus is up", async || (edge.metric("tidings_bus_up", &[]).await == 1).then_some(())).await;
    }
    let found = other.metric("tidings_head_check_finds_total", &[]).await;
    cluster.publisher().notify("u1", "by redis").await;
    assert_eq!(stream.titles(1).await, ["by redis"]);
    assert_eq!(other.metric("tidings_head_check_finds_total", &[]).await, found);
}
