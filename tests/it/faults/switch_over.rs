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
    let run = Run::start(edges.clone(), Shape::default()).await;
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
