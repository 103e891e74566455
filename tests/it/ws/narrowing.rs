//! Filters and channels: events that are left out still move the cursor.

use serde_json::json;

use super::calm;
use crate::harness::*;

async fn publish(cluster: &Cluster, kind: &str, priority: &str, title: &str) {
    let body = json!({"users": ["u1"], "kind": kind, "priority": priority, "title": title});
    cluster.publisher().notify_with(body).await;
}

#[tokio::test]
async fn a_filter_leaves_out_notifications_and_moves_the_cursor_past_them() {
    let cluster = calm().start().await;
    let mut socket = cluster.user("u1").socket("?kinds=wanted,also&minPriority=high").await;
    socket.connected().await;
    publish(&cluster, "other", "critical", "wrong kind").await;
    let message = socket.next().await;
    assert_eq!(message["type"], "cursor", "{message}");
    assert!(message["cursor"].as_str().unwrap().ends_with(".1"), "{message}");
    publish(&cluster, "wanted", "medium", "too low").await;
    assert_eq!(socket.next().await["type"], "cursor");
    publish(&cluster, "wanted", "high", "first").await;
    assert_eq!(socket.titles(1).await, ["first"]);
    assert!(socket.cursor.as_deref().unwrap().ends_with(".3"));
}

#[tokio::test]
async fn channels_narrow_one_connection_to_kinds_and_topics() {
    let cluster = calm().start().await;
    let user = cluster.user("u1");
    let rules = json!({"access": "open", "presence": false});
    cluster.edge().admin().put("/api/topic-kinds/team", &rules).await.expect(200);
    assert!(user.set("/api/topics/team:7/subscription").await.status < 300);
    let (mut narrow, mut wide) = (user.socket("").await, user.socket("").await);
    narrow.connected().await;
    wide.connected().await;
    let now = narrow.ask(json!({"type": "subscribe", "channels": ["team:7", "wanted", "wanted"]})).await;
    assert_eq!((&now["type"], &now["channels"]), (&json!("subscribed"), &json!(["team:7", "wanted"])));

    publish(&cluster, "other", "high", "left out").await;
    let moved = narrow.next().await;
    let all = wide.next().await;
    assert_eq!(moved, json!({"type": "cursor", "cursor": all["payload"]["cursor"]}));
    publish(&cluster, "wanted", "high", "by kind").await;
    cluster.publisher().notify_with(json!({"topics": ["team:7"], "kind": "other", "title": "by topic"})).await;
    assert_eq!(narrow.titles(2).await, ["by kind", "by topic"]);
    assert_eq!(wide.titles(2).await, ["by kind", "by topic"]);

    let now = narrow.ask(json!({"type": "unsubscribe", "channels": ["wanted"]})).await;
    assert_eq!((&now["type"], &now["channels"]), (&json!("unsubscribed"), &json!(["team:7"])));
    let now = narrow.ask(json!({"type": "unsubscribe", "channels": ["team:7", "never"]})).await;
    assert_eq!(now["channels"], json!([]));
    publish(&cluster, "other", "high", "all again").await;
    assert_eq!(narrow.titles(1).await, ["all again"]);
}

#[tokio::test]
async fn changes_of_state_pass_all_channels_and_channels_outlive_a_resume() {
    let cluster = calm().start().await;
    let user = cluster.user("u1");
    let id = cluster.publisher().notify("u1", "one").await;
    let mut socket = user.socket("").await;
    let start = socket.connected().await["cursor"].as_str().unwrap().to_owned();
    socket.ask(json!({"type": "subscribe", "channels": ["nothing"]})).await;
    user.touch(&format!("/api/notifications/{id}/read")).await.expect(200);
    assert_eq!(socket.next().await["type"], "state");
    cluster.publisher().notify("u1", "left out").await;
    assert_eq!(socket.next().await["type"], "cursor");
    let connected = socket.ask(json!({"type": "resume", "cursor": start})).await;
    assert_eq!((&connected["type"], &connected["verdict"]), (&json!("connected"), &json!("resumed")));
    assert_eq!(connected["missed"], 2);
    assert_eq!(socket.next().await["type"], "state");
    let moved = socket.next().await;
    assert_eq!((&moved["type"], &moved["cursor"]), (&json!("cursor"), &connected["cursor"]));
}

#[tokio::test]
async fn at_most_fifty_channels_are_in_force() {
    let cluster = calm().start().await;
    let mut socket = cluster.user("u1").socket("").await;
    socket.connected().await;
    let names: Vec<_> = (0..50).map(|number| format!("k{number}")).collect();
    let now = socket.ask(json!({"type": "subscribe", "channels": names})).await;
    assert_eq!(now["channels"].as_array().unwrap().len(), 50);
    let error = socket.ask(json!({"type": "subscribe", "channels": ["one-more"]})).await;
    assert_eq!((&error["message"], &error["errors"][0]["pointer"]), (&json!("subscribe"), &json!("/channels")));
    socket.ask(json!({"type": "unsubscribe", "channels": ["k0"]})).await;
    let now = socket.ask(json!({"type": "subscribe", "channels": ["one-more"]})).await;
    assert_eq!(now["channels"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn signals_come_as_messages_and_pass_the_same_channels() {
    let cluster = calm().start().await;
    let user = cluster.user("u1");
    let (mut socket, mut none) = (user.socket("").await, user.socket("?signals=none").await);
    socket.connected().await;
    none.connected().await;
    socket.ask(json!({"type": "subscribe", "channels": ["wanted"]})).await;
    let signal = async |kind: &str| {
        let body = json!({"user": "u1", "kind": kind, "key": "k", "data": {"n": 1}});
        assert!(cluster.publisher().post("/api/signals", &body).await.status < 300);
    };
    signal("unwanted").await;
    signal("wanted").await;
    let message = socket.next().await;
    assert_eq!(message, json!({"type": "signal", "payload": {"kind": "wanted", "key": "k", "data": {"n": 1}}}));
    publish(&cluster, "k", "high", "after the signals").await;
    assert_eq!(none.titles(1).await, ["after the signals"]);
}

#[tokio::test]
async fn a_client_that_is_sent_only_a_part_marks_all_as_read_up_to_a_position_that_it_names() {
    let cluster = calm().start().await;
    let user = cluster.user("u1");
    let mut filtered = Vec::new();
    for query in ["?kinds=wanted", "?minPriority=high"] {
        filtered.push(user.socket(query).await);
    }
    let (mut channels, mut whole) = (user.socket("").await, user.socket("").await);
    for socket in filtered.iter_mut().chain([&mut channels, &mut whole]) {
        socket.connected().await;
    }
    channels.ask(json!({"type": "subscribe", "channels": ["wanted"]})).await;
    publish(&cluster, "other", "low", "left out").await;
    for socket in filtered.iter_mut().chain([&mut channels]) {
        assert_eq!(socket.next().await["type"], "cursor");
    }
    // The cursor has moved past the item, so lifted channels change nothing.
    channels.ask(json!({"type": "unsubscribe", "channels": ["wanted"]})).await;
    let everything = json!({"type": "mark_all_read"});
    for socket in filtered.iter_mut().chain([&mut channels]) {
        let error = socket.ask(everything.clone()).await;
        assert_eq!((&error["type"], &error["message"]), (&json!("error"), &json!("mark_all_read")), "{error}");
        assert_eq!(error["errors"][0]["pointer"], "/before", "{error}");
    }
    assert_eq!(user.unread().await, 1);
    assert_eq!(whole.titles(1).await, ["left out"]);
    assert_eq!(whole.ask(everything).await["unread"], 0);
    publish(&cluster, "other", "low", "next").await;
    let before = user.list("").await["cursor"].clone();
    assert_eq!(channels.ask(json!({"type": "mark_all_read", "before": before})).await["unread"], 0);
}
