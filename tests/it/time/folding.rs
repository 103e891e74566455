//! Notifications that become part of an item: threads, and too many of a kind.

use serde_json::{Value, json};

use super::{is_sound, next, only, pass, subscribe, titles};
use crate::harness::*;

#[tokio::test]
async fn a_newer_notification_of_a_thread_updates_its_item() {
    let cluster = cluster().instances(2).start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    subscribe(&database, "team:7", &["u1", "u2"]).await;
    let user = cluster.edges()[1].user("u1");
    let mut stream = user.stream().await;
    stream.hello().await;
    let id = publisher.notify_with(json!({"users": ["u1"], "title": "one", "threadKey": "ticket-1"})).await;
    let (_, first) = next(&mut stream).await;
    assert_eq!((&first["id"], &first["threadKey"], first.get("count")), (&json!(id), &json!("ticket-1"), None));
    publisher.notify("u1", "between").await;
    next(&mut stream).await;
    user.touch(&format!("/api/notifications/{id}/read")).await.expect(200);
    next(&mut stream).await;
    let cursor = stream.cursor.clone().unwrap();
    let second = publisher.notify_with(json!({"topics": ["team:7"], "title": "two", "threadKey": "ticket-1"})).await;
    let (event, item) = next(&mut stream).await;
    assert_eq!((event.as_str(), &item["id"], &item["title"]), ("notification", &json!(id), &json!("two")));
    assert_eq!(
        (&item["count"], &item["readAt"], &item["unread"], &item["reason"]),
        (&json!(2), &Value::Null, &json!(2), &json!("topic"))
    );
    assert_eq!(titles(&user, "").await, ["two", "between"]);
    for name in [&id, &second] {
        assert_eq!(user.get(&format!("/api/notifications/{name}")).await.expect(200)["id"], json!(id));
    }
    let other = cluster.user("u2");
    eventually("the other subscriber has it", async || (other.list("").await["total"] == 1).then_some(())).await;
    assert_eq!(only(&other).await["id"], json!(second), "whose first one it is");

    publisher.notify_with(json!({"users": ["u1"], "title": "three", "threadKey": "ticket-1"})).await;
    next(&mut stream).await;
    let mut resumed = user.resume(&cursor).await;
    assert_eq!(resumed.hello().await["verdict"], "resumed");
    let (_, item) = next(&mut resumed).await;
    assert_eq!((&item["id"], &item["title"], &item["count"]), (&json!(id), &json!("three"), &json!(3)));

    user.delete(&format!("/api/notifications/{id}")).await.expect(200);
    next(&mut stream).await;
    let fresh = publisher.notify_with(json!({"users": ["u1"], "title": "four", "threadKey": "ticket-1"})).await;
    let (_, item) = next(&mut stream).await;
    assert_eq!((&item["id"], item.get("count")), (&json!(fresh), None), "a deleted item is not brought back");
    user.touch(&format!("/api/notifications/{fresh}/archive")).await.expect(200);
    next(&mut stream).await;
    publisher.notify_with(json!({"users": ["u1"], "title": "five", "threadKey": "ticket-1"})).await;
    assert_eq!(next(&mut stream).await.1["id"], json!(fresh), "an archived one is");
    assert_eq!(titles(&user, "").await, ["five", "between"]);
    is_sound(&database).await;
}

#[tokio::test]
async fn many_of_a_thread_in_one_transaction_are_one_item() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let of = |number: usize| json!({"users": ["u1", "u2"], "title": format!("{number}"), "threadKey": "t"});
    let bodies: Vec<_> = (1..=10).map(of).collect();
    for _ in 0..2 {
        publisher.post("/api/notifications/batch", &json!(bodies)).await.expect(200);
    }
    for user in ["u1", "u2"] {
        let item = only(&cluster.user(user)).await;
        assert_eq!((&item["title"], &item["count"]), (&json!("10"), &json!(20)));
    }
    is_sound(&database).await;
}

#[tokio::test]
async fn too_many_items_of_a_kind_become_one_and_critical_ones_do_not() {
    let cluster = cluster().instances(2).start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let admin = cluster.edge().caller(&Token::admin());
    admin.put("/api/kinds/chatty", &json!({"burst": {"most": 3, "windowSeconds": 60}})).await.expect(200);
    let known = async |edge: &Edge| {
        let kind = edge.caller(&Token::admin()).get("/api/kinds/chatty").await;
        (kind.status == 200 && kind.expect(200)["burst"]["most"] == 3).then_some(())
    };
    for edge in cluster.edges() {
        eventually("all instances know the kind", async || known(&edge).await).await;
    }
    let user = cluster.user("u1");
    for number in 1..=6 {
        let edges = cluster.edges();
        let body = json!({"users": ["u1"], "kind": "chatty", "title": format!("{number}")});
        edges[number % 2].publisher().notify_with(body).await;
    }
    assert_eq!(titles(&user, "").await, ["6", "3", "2", "1"]);
    assert_eq!(user.list("?limit=1").await["notifications"][0]["count"], 3);
    publisher
        .notify_with(json!({"users": ["u1"], "kind": "chatty", "priority": "critical", "title": "critical"}))
        .await;
    publisher.notify_with(json!({"users": ["u2"], "kind": "chatty", "title": "of another"})).await;
    assert_eq!(titles(&user, "").await, ["critical", "6", "3", "2", "1"]);
    pass(&database, 61.0).await;
    publisher.notify_with(json!({"users": ["u1"], "kind": "chatty", "title": "7"})).await;
    assert_eq!(titles(&user, "").await, ["7", "critical", "6", "3", "2", "1"]);
    is_sound(&database).await;
}
