//! The primary becomes a standby of its standby, and its address moves to the other server.

use serde_json::json;

use crate::{
    checker::{Run, Shape},
    harness::*,
};

/// Instances that know Postgres by an address.
async fn instances(count: usize, settings: &[(&str, &str)]) -> Vec<Instance> {
    let mut instances: Vec<_> = (0..count).map(|_| Instance::new(settings)).collect();
    instances.iter_mut().for_each(Instance::launch);
    for instance in &mut instances {
        instance.ready().await;
    }
    instances
}

async fn health(edge: &Edge) -> String {
    edge.nobody().get("/health").await.expect(200)["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_switch_over_is_followed_and_nothing_is_lost() {
    let mut old = Postgres::start().await;
    let new = old.standby().await;
    let address = Address::of(old.port()).await;
    let instances = instances(2, &[("DATABASE_URL", &address.url()), ("TIDINGS_HEAD_CHECK_SECONDS", "2")]).await;
    let edges: Vec<_> = instances.iter().map(Instance::edge).collect();
    let run = Run::start(edges.clone(), Shape { moves: true, ..Shape::default() }).await;
    // The primary ends in order: a standby has everything that it had.
    old.stop().await;
    new.promote().await;
    // The old primary comes back in its old place as a standby, while the address still leads there.
    let again = new.standby().await;
    address.move_to(again.port());
    let body = json!({"users": ["other"], "title": "t", "idempotencyKey": "k"});
    edges[0].publisher().publish(&body).await.problem(503);
    eventually("health says that nothing is stored", async || (health(&edges[0]).await == "degraded").then_some(()))
        .await;
    address.move_to(new.port());
    run.flow().await;
    eventually("all is well", async || (health(&edges[1]).await == "ok").then_some(())).await;
    run.judge().await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_left_though_it_answers_reads() {
    let cluster = cluster().start().await;
    let (publisher, client) = (cluster.publisher(), cluster.postgres.connect().await);
    publisher.notify("u1", "before").await;
    let read_only = |value: &str| format!("alter system set default_transaction_read_only = {value}");
    for (value, status, health_is) in [("on", 503, "degraded"), ("off", 201, "ok")] {
        client.batch_execute(&read_only(value)).await.unwrap();
        client.batch_execute("select pg_reload_conf()").await.unwrap();
        eventually(value, async || {
            (publisher.publish(&json!({"users": ["u1"], "title": "t"})).await.status == status).then_some(())
        })
        .await;
        eventually(health_is, async || (health(&cluster.edge()).await == health_is).then_some(())).await;
    }
}

#[tokio::test]
async fn a_redis_that_became_a_replica_is_left_though_it_answers() {
    let (postgres, old, new) = tokio::join!(Postgres::start(), Redis::start(), Redis::start());
    let address = Address::of(old.port()).await;
    let (database, redis) = (postgres.url(), address.redis());
    let settings = [("DATABASE_URL", database.as_str()), ("REDIS_URL", &redis), ("TIDINGS_HEAD_CHECK_SECONDS", "3600")];
    let before = instances(2, &settings).await;
    let mut admin = old.connect().await;
    let replica = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(new.port()).to_owned();
    replica.query_async::<()>(&mut admin).await.unwrap();
    address.move_to(new.port());
    // An instance that starts now knows the new primary only.
    let after = instances(1, &settings).await;
    let mut stream = after[0].edge().user("u1").stream().await;
    stream.hello().await;
    for instance in &before {
        let edge = instance.edge();
        eventually("it has followed", async || {
            (edge.metric("tidings_bus_reconnects_total", &[]).await > 1).then_some(())
        })
        .await;
        eventually("all is well", async || (health(&edge).await == "ok").then_some(())).await;
        edge.publisher().notify("u1", "over the new primary").await;
        assert_eq!(stream.titles(1).await, ["over the new primary"]);
    }
    let mut client = new.connect().await;
    let body = json!({"title": "by a channel"}).to_string();
    eventually("the channel is heard on the new primary", async || {
        let heard: i64 = redis::cmd("PUBLISH")
            .arg("tidings:publish:default:user:u1")
            .arg(&body)
            .query_async(&mut client)
            .await
            .unwrap();
        (heard == 3).then_some(())
    })
    .await;
    assert_eq!(stream.titles(1).await, ["by a channel"]);
}
