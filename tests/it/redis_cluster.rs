//! Instances on a Redis Cluster: sharded channels between them, and the ways in.

use redis::AsyncCommands;
use serde_json::json;

use crate::harness::{instance::setting, *};

#[tokio::test]
async fn instances_on_a_redis_cluster_receive_from_each_other_and_ingest() {
    let (postgres, redis) = tokio::join!(Postgres::start(), RedisCluster::start());
    let (database, urls) = (postgres.url(), redis.urls());
    // The head check must not find changes that the bus has lost.
    let settings =
        [(setting::DATABASE, database.as_str()), (setting::REDIS, &urls), ("TIDINGS_HEAD_CHECK_SECONDS", "3600")];
    let (left, right) = (Instance::start(&settings).await, Instance::start(&settings).await);
    for edge in [left.edge(), right.edge()] {
        eventually("the bus is up", async || (edge.metric("tidings_bus_up", &[]).await == 1).then_some(())).await;
    }
    let users: Vec<_> = (0..12).map(|index| format!("u{index}")).collect();
    let mut streams = Vec::new();
    for user in &users {
        let mut stream = right.edge().user(user).stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    left.edge().publisher().notify_with(json!({"users": users, "title": "over all slots"})).await;
    for stream in &mut streams {
        assert_eq!(stream.titles(1).await, ["over all slots"]);
    }

    let mut connection = redis.connect().await;
    let body = json!({"users": ["u0"], "title": "by stream"}).to_string();
    let fields = [("tenant", "default"), ("message", body.as_str())];
    let _: String = connection.xadd("tidings:ingest", "*", &fields).await.unwrap();
    assert_eq!(streams[0].titles(1).await, ["by stream"]);
    let _: usize = connection.publish("tidings:publish:default:user:u0", r#"{"title":"by channel"}"#).await.unwrap();
    assert_eq!(streams[0].titles(1).await, ["by channel"]);
    assert_eq!(left.edge().user("u0").list("").await["total"], 3);
}
