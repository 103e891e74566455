//! A day at a desk over three instances: every step uses another instance than the one before.

use serde_json::{Value, json};

use super::{at, is_sound, pass, titles};
use crate::harness::*;

/// The same user at each instance.
fn everywhere(cluster: &Cluster) -> Vec<Caller> {
    cluster.edges().iter().map(|edge| edge.user("agent")).collect()
}

fn shown(summary: &Value) -> Vec<&str> {
    summary["notifications"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_four_lines_of_a_desk_are_the_same_on_every_instance() {
    let cluster = cluster().instances(3).start().await;
    let database = cluster.postgres.connect().await;
    let publishers: Vec<Caller> = cluster.edges().iter().map(Edge::publisher).collect();
    publishers[0].notify_with(json!({"users": ["agent"], "kind": "missed_call", "title": "missed"})).await;
    pass(&database, 45.0 * 60.0).await;
    let overdue = json!({"users": ["agent"], "kind": "callback_due", "title": "2h overdue", "dueAt": at(&database, -7200.0).await});
    publishers[1].notify_with(overdue).await;
    let soon = json!({"users": ["agent"], "kind": "callback_due", "title": "in 30 minutes", "dueAt": at(&database, 1800.0).await});
    publishers[2].notify_with(soon).await;
    publishers[0].notify("agent", "system").await;
    let mut tags = Vec::new();
    for user in everywhere(&cluster) {
        let answer = user.get("/api/notifications/summary").await;
        let summary = answer.expect(200);
        assert_eq!(shown(&summary), ["2h overdue", "in 30 minutes", "missed", "system"]);
        let breakdown = json!({"system": 1, "callbacks": 1, "overdueCallbacks": 1, "missedCalls": 1});
        assert_eq!((&summary["breakdown"], &summary["unreadCount"]), (&breakdown, &json!(4)));
        tags.push(answer.header("etag").to_owned());
        let due = user.get("/api/notifications/due-callbacks").await.expect(200);
        let first = &due["callbacks"][0];
        assert_eq!((&first["overdue"], first["minutesLate"].as_i64()), (&json!(true), Some(120)), "{due}");
    }
    assert!(tags.iter().all(|tag| *tag == tags[0]), "{tags:?}");
    let known = cluster.edges()[2].user("agent").request(reqwest::Method::GET, "/api/notifications/summary");
    assert_eq!(Answer::of(known.header("If-None-Match", &tags[0])).await.status, 304);
}

#[tokio::test]
async fn a_change_on_one_instance_shows_on_all() {
    let cluster = cluster().instances(3).start().await;
    let database = cluster.postgres.connect().await;
    let (users, publisher) = (everywhere(&cluster), cluster.publisher());
    let cursor = users[0].list("").await["cursor"].as_str().unwrap().to_owned();
    let first = publisher.notify_with(json!({"users": ["agent"], "title": "Ticket opened", "threadKey": "7"})).await;
    cluster.edges()[1]
        .publisher()
        .notify_with(json!({"users": ["agent"], "title": "Ticket answered", "threadKey": "7"}))
        .await;
    let other = cluster.edges()[2].publisher().notify("agent", "Payment received").await;
    let polled = users[1].get(&format!("/api/notifications/changes?cursor={cursor}&wait=30")).await.expect(200);
    let told: Vec<&str> =
        polled["events"].as_array().unwrap().iter().map(|event| event["data"]["title"].as_str().unwrap()).collect();
    assert_eq!((&polled["verdict"], told), (&json!("resumed"), vec!["Ticket answered", "Payment received"]));

    users[2].touch(&format!("/api/notifications/{first}/seen")).await.expect(200);
    let until = at(&database, 600.0).await;
    users[0].post(&format!("/api/notifications/{first}/snooze"), &json!({"until": until})).await.expect(200);
    for user in &users {
        assert_eq!(titles(user, "").await, ["Payment received"]);
        assert_eq!(titles(user, "?q=payment+rec").await, ["Payment received"]);
    }
    let before = users[1].list("").await["cursor"].clone();
    let bulk = json!({"filter": {"q": "payment"}, "before": before, "action": "read"});
    assert_eq!(users[2].post("/api/notifications/bulk", &bulk).await.expect(200)["ids"], json!([other]));
    let mut stream = users[1].stream().await;
    stream.hello().await;
    pass(&database, 601.0).await;
    let item = stream.next_of("notification").await.json();
    assert_eq!((&item["id"], &item["count"], &item["unread"]), (&json!(first), &json!(2), &json!(1)));
    for user in &users {
        assert_eq!(
            (titles(user, "").await, user.unread().await),
            (vec!["Ticket answered".to_owned(), "Payment received".to_owned()], 1)
        );
    }
    is_sound(&database).await;
}
