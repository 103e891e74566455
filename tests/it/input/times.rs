//! Times that do not exist, are out of bounds or out of order, by every way of publishing.

use redis::{AsyncCommands, streams::StreamRangeReply};
use serde_json::{Value, json};

use crate::harness::*;

/// The faulty bodies, with the reason in the dead letter of each.
fn wrong() -> Vec<(Value, &'static str)> {
    let due = "2150-07-01T12:00:00Z";
    vec![
        (
            json!({"dueAt": "2026-03-29T02:30", "timeZone": "Europe/Berlin"}),
            "/dueAt: 2026-03-29T02:30:00 does not exist in",
        ),
        (
            json!({"deliverAt": "2026-10-25T02:30", "timeZone": "Europe/Berlin"}),
            "/deliverAt: 2026-10-25T02:30:00 occurs twice",
        ),
        (json!({"expiresAt": "2150-01-01T00:00"}), "/expiresAt: a local time needs timeZone"),
        (json!({"dueAt": due, "timeZone": "Mars/Olympus"}), "/timeZone: must be the name of an IANA time zone"),
        (
            json!({"deliverAt": "9999-12-31T23:59:59Z"}),
            "/deliverAt: a time from the year 2000 on and at most 1,830 days ahead",
        ),
        (json!({"dueAt": "9999-12-31T23:59:59Z"}), "/dueAt: a time at most 366 days ago and before the year 2200"),
        (json!({"dueAt": due, "expiresAt": due}), "/expiresAt: must be after dueAt"),
        (json!({"remindBefore": [60]}), "/remindBefore: needs dueAt"),
        (
            json!({"dueAt": due, "escalation": [{"after": 60, "topic": "a"}, {"after": 90, "topic": "a"}]}),
            "/escalation/1/topic: leads back to a topic that has it already",
        ),
        (json!({"dueAt": due, "threadKey": "k"}), "/threadKey: cannot be combined with dueAt"),
    ]
}

#[tokio::test]
async fn a_wrong_time_is_refused_with_its_place_in_every_way_in() {
    let cluster = cluster().instances(2).start().await;
    let (publisher, mut redis) = (cluster.publisher(), cluster.redis.as_ref().unwrap().connect().await);
    let mut bodies = Vec::new();
    for (mut body, reason) in wrong() {
        body["title"] = "t".into();
        let _: usize = redis.publish("tidings:publish:default:user:u1", body.to_string()).await.unwrap();
        body["users"] = json!(["u1"]);
        let problem = publisher.publish(&body).await.problem(422);
        assert!(is(&problem, reason), "{reason}: {problem}");
        let entry = [("tenant", "default"), ("message", &body.to_string())];
        let _: String = redis.xadd("tidings:ingest", "*", &entry).await.unwrap();
        bodies.push(body);
    }
    let results = publisher.post("/api/notifications/batch", &json!(bodies)).await.expect(200);
    for (index, (_, reason)) in wrong().into_iter().enumerate() {
        assert!(is(&results["results"][index]["problem"], reason), "{reason}: {results}");
    }
    let reasons = eventually("all of them are dead letters, twice", async || {
        let dead: StreamRangeReply = redis.clone().xrange_all("tidings:ingest:dead").await.unwrap();
        let reasons: Vec<String> = dead.ids.iter().filter_map(|letter| letter.get("reason")).collect();
        (reasons.len() == 2 * bodies.len()).then_some(reasons)
    })
    .await;
    for (_, reason) in wrong() {
        assert_eq!(reasons.iter().filter(|told| told.starts_with(reason)).count(), 2, "{reason}: {reasons:?}");
    }
    assert_eq!(cluster.user("u1").list("").await["total"], 0);
}

/// Whether the first error has this pointer and the beginning of this text.
fn is(problem: &Value, reason: &str) -> bool {
    let error = &problem["errors"][0];
    format!("{}: {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap()).starts_with(reason)
}
