//! The server's time, as clients learn it.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::{pass, time};
use crate::harness::*;

const DAY: f64 = 24.0 * 60.0 * 60.0;

#[tokio::test]
async fn lists_and_beginnings_of_streams_say_the_time_of_the_database() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    pass(&cluster.postgres.connect().await, DAY).await;
    let list = user.list("").await;
    let hello = user.stream().await.hello().await;
    let changes = user.get("/api/notifications/changes").await.expect(200);
    let mut socket = user.socket("").await;
    let connected = socket.next().await;
    let history = socket.ask(json!({"type": "get_history"})).await;
    assert_eq!((&connected["type"], &history["type"]), (&json!("connected"), &json!("history")));
    for answer in [list, hello, changes, connected, history] {
        let ahead = time(&answer["timestamp"]) - Utc::now();
        assert!(ahead > TimeDelta::hours(23) && ahead < TimeDelta::hours(25), "{answer}");
    }
}

#[tokio::test]
async fn a_long_poll_says_the_time_of_its_end() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let asked_at = Utc::now();
    let answer = user.get(&format!("/api/notifications/changes?cursor={cursor}&wait=1")).await.expect(200);
    assert_eq!(answer["events"], json!([]));
    assert!(time(&answer["timestamp"]) >= asked_at + TimeDelta::seconds(1), "{answer}");
}
