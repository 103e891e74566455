//! Topics: who may join, joining and leaving on every instance, and the events of streams.

mod joining;
mod members;
mod publishing;
mod racing;
mod rules;

use serde_json::{Value, json};

use crate::harness::*;

/// Sets who may join topics of a kind that sends no presence signals.
async fn kind(edge: &Edge, kind: &str, access: &str) {
    let rules = json!({"access": access, "presence": false});
    edge.admin().put(&format!("/api/topic-kinds/{kind}"), &rules).await.expect(200);
}

fn subscription(topic: &str) -> String {
    format!("/api/topics/{topic}/subscription")
}

/// The next event but for signals, which must be of a subscription.
async fn told(stream: &mut Frames) -> Value {
    let mut frame = stream.next().await;
    while frame.is("signal") {
        frame = stream.next().await;
    }
    assert!(frame.is("subscription") && frame.id.is_some(), "{frame:?}");
    frame.json()
}

/// The names of the caller's topics.
async fn joined(caller: &Caller) -> Vec<String> {
    let topics = caller.get("/api/topics").await.expect(200);
    topics["topics"].as_array().unwrap().iter().map(|each| each["topic"].as_str().unwrap().to_owned()).collect()
}

/// How many rows of a table a condition holds for.
async fn rows(cluster: &Cluster, query: &str) -> i64 {
    cluster.postgres.connect().await.query_one(&format!("select count(*) from {query}"), &[]).await.unwrap().get(0)
}

/// How far a fan-out came, once it is finished.
async fn finished(cluster: &Cluster, id: &str) -> Value {
    let publisher = cluster.publisher();
    eventually("the fan-out is finished", async || {
        let progress = publisher.get(&format!("/api/fanouts/{id}")).await.expect(200);
        (progress["state"] == "finished").then_some(progress)
    })
    .await
}
