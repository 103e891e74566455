//! The verdict, notifications, state changes and heartbeats as they are on the wire.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::*;

#[tokio::test]
async fn a_fresh_stream_greets_with_its_cursor_and_replays_nothing() {
    let cluster = cluster().start().await;
    cluster.publisher().notify("u1", "before").await;
    let mut stream = cluster.user("u1").stream().await;
    assert_eq!(stream.headers()["cache-control"], "no-cache, no-transform");
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    let retry = stream.block().await.unwrap();
    assert!(retry.retry.is_some_and(|wait| (20..=40).contains(&wait)), "{retry:?}");
    let frame = stream.next().await;
    let hello = frame.json();
    assert_eq!(frame.id.as_deref(), hello["cursor"].as_str());
    assert_eq!(hello["verdict"], "fresh");
    assert_eq!((&hello["missed"], &hello["unread"]), (&json!(0), &json!(1)));
    assert_eq!(hello["heartbeatMs"], 1000);
    assert!(hello["connectionId"].is_string() && hello["reason"].is_null(), "{hello}");
    cluster.publisher().notify("u1", "after").await;
    assert_eq!(stream.titles(1).await, ["after"]);
}

#[tokio::test]
async fn a_notification_carries_everything_that_was_published() {
    let cluster = cluster().start().await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    let body = json!({
        "users": ["u1"], "kind": "payment_received", "category": "payments", "priority": "high", "title": "Paid",
        "message": "120.00", "data": {"amount": 12000, "list": [1, null, "x"]}, "actionUrl": "/payment-history",
        "imageUrl": "/payment.png",
    });
    let id = cluster.publisher().notify_with(body).await;
    let frame = stream.next().await;
    let data = frame.json();
    assert_eq!(data["id"], id);
    assert!(frame.id.unwrap().ends_with(".1"));
    for (field, value) in [
        ("seq", json!(1)),
        ("kind", json!("payment_received")),
        ("category", json!("payments")),
        ("priority", json!("high")),
        ("title", json!("Paid")),
        ("message", json!("120.00")),
        ("data", json!({"amount": 12000, "list": [1, null, "x"]})),
        ("actionUrl", json!("/payment-history")),
        ("imageUrl", json!("/payment.png")),
        ("readAt", json!(null)),
        ("unread", json!(1)),
    ] {
        assert_eq!(data[field], value, "{field}");
    }
    assert!(data["createdAt"].as_str().is_some_and(|at| at.starts_with("20")), "{data}");
    let listed = cluster.user("u1").list("").await;
    let mut listed = listed["notifications"][0].clone();
    listed["unread"] = json!(1);
    assert_eq!(listed, data, "the list tells the same as the stream");
}

#[tokio::test]
async fn missing_fields_have_their_defaults() {
    let cluster = cluster().start().await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    cluster.publisher().notify("u1", "only a title").await;
    let data = stream.next().await.json();
    assert_eq!((&data["kind"], &data["category"]), (&json!("system_alert"), &json!("system")));
    assert_eq!((&data["priority"], &data["channels"]), (&json!("medium"), &json!(["inbox", "toast"])));
    for absent in ["message", "data", "actionUrl"] {
        assert!(data[absent].is_null(), "{absent}");
    }
}

#[tokio::test]
async fn a_second_tab_sees_a_read_at_once_on_another_instance() {
    let cluster = cluster().instances(2).start().await;
    let ids = [cluster.publisher().notify("u1", "one").await, cluster.publisher().notify("u1", "two").await];
    let mut tab = cluster.instances[1].edge().user("u1").stream().await;
    assert_eq!(tab.hello().await["unread"], 2);
    let user = cluster.user("u1");
    let path = format!("/api/notifications/{}", ids[0]);
    let state = |read, archived, unread| json!({"read": read, "archived": archived, "deleted": false, "seen": true, "snoozedUntil": null, "unread": unread});
    let steps =
        [("read", state(true, false, 1)), ("unread", state(false, false, 2)), ("archive", state(false, true, 1))];
    for (action, expected) in steps {
        let answer = user.touch(&format!("{path}/{action}")).await.expect(200);
        assert_eq!(answer["unread"], expected["unread"]);
        let frame = tab.next().await;
        assert!(frame.is("state"), "{frame:?}");
        assert_eq!(frame.id.as_deref(), answer["cursor"].as_str());
        let mut data = frame.json();
        assert_eq!(data.as_object_mut().unwrap().remove("ids").unwrap(), json!([ids[0]]));
        assert_eq!(data, expected);
    }
    user.delete(&path).await.expect(200);
    let data = tab.next().await.json();
    assert_eq!((&data["deleted"], &data["unread"]), (&json!(true), &json!(1)));
}

#[tokio::test]
async fn reading_everything_is_one_group_whose_last_frame_alone_carries_the_cursor() {
    let cluster = cluster().start().await;
    let publisher = cluster.publisher();
    let bodies: Vec<_> = (0..1000).map(|index| json!({"users": ["u1"], "title": format!("n{index}")})).collect();
    publisher.post("/api/notifications/batch", &json!(bodies)).await.expect(200);
    publisher.notify("u1", "last").await;
    let user = cluster.user("u1");
    let mut live = user.stream().await;
    let before = live.hello().await["cursor"].as_str().unwrap().to_owned();
    let answer = user.touch("/api/notifications/read-all").await.expect(200);
    assert_eq!((&answer["unread"], answer["ids"].as_array().unwrap().len()), (&json!(0), 1001));

    let mut resumed = user.resume(&before).await;
    assert_eq!(resumed.hello().await["verdict"], "resumed");
    for stream in [&mut live, &mut resumed] {
        let mut ids = Vec::new();
        let mut last = None;
        while ids.len() < 1001 {
            let frame = stream.next().await;
            assert!(frame.is("state"), "{frame:?}");
            let data = frame.json();
            assert_eq!((&data["read"], &data["unread"]), (&json!(true), &json!(0)));
            ids.extend(data["ids"].as_array().unwrap().clone());
            assert_eq!(frame.id.is_some(), ids.len() == 1001, "only the last frame moves the cursor");
            last = frame.id;
        }
        assert_eq!(ids, *answer["ids"].as_array().unwrap());
        assert_eq!(last.as_deref(), answer["cursor"].as_str());
    }
}

#[tokio::test]
async fn a_change_that_changes_nothing_takes_no_seq_and_sends_nothing() {
    let cluster = cluster().start().await;
    let id = cluster.publisher().notify("u1", "one").await;
    let user = cluster.user("u1");
    let mut stream = user.stream().await;
    stream.hello().await;
    let path = format!("/api/notifications/{id}/read");
    let first = user.touch(&path).await.expect(200);
    assert!(stream.next().await.is("state"));
    let again = user.touch(&path).await.expect(200);
    assert_eq!((&again["cursor"], &again["ids"]), (&first["cursor"], &json!([])));
    user.touch("/api/notifications/read-all").await.expect(200);
    cluster.publisher().notify("u1", "marker").await;
    assert_eq!(stream.titles(1).await, ["marker"]);
}

#[tokio::test]
async fn heartbeats_are_events_that_leave_the_cursor_alone() {
    let cluster = cluster().set("TIDINGS_HEARTBEAT_SECONDS", "0.2").start().await;
    let mut stream = cluster.user("u1").stream().await;
    assert_eq!(stream.hello().await["heartbeatMs"], 200);
    for _ in 0..3 {
        let frame = stream.block().await.unwrap();
        assert_eq!((frame.event.as_deref(), frame.data.as_deref(), frame.id), (Some("heartbeat"), Some("{}"), None));
    }
}

#[tokio::test]
async fn the_stream_works_on_http_2_without_a_connection_header() {
    let cluster = cluster().start().await;
    let edge = Edge::http2(cluster.edge().base());
    let mut stream = edge.user("u1").stream().await;
    assert!(!stream.headers().contains_key("connection"));
    stream.hello().await;
    edge.publisher().notify("u1", "over h2").await;
    assert_eq!(stream.titles(1).await, ["over h2"]);
}

/// Line breaks of Unicode that JSON may hold raw.
const BREAKS: &str = "a\u{85}b\u{2028}c\u{2029}d";

/// The text of the next message of this type that has them.
async fn text_of(socket: &mut Socket, kind: &str) -> String {
    in_time(kind, async {
        loop {
            let message = socket.stream.next().await.expect("an open WebSocket").expect("a message");
            let Message::Text(text) = message else { continue };
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["type"] == kind && value.to_string().contains(BREAKS) {
                return text.to_string();
            }
        }
    })
    .await
}

#[tokio::test]
async fn no_frame_has_a_line_break_of_unicode_that_json_leaves_raw() {
    let cluster = cluster().start().await;
    let (publisher, user) = (cluster.publisher(), cluster.user("u1"));
    let (mut stream, mut socket) = (user.stream().await, user.socket("").await);
    stream.hello().await;
    socket.connected().await;
    let start = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let body = json!({"users": ["u1"], "title": BREAKS, "message": BREAKS, "data": {BREAKS: [BREAKS]}});
    let id = publisher.notify_with(body).await;
    publisher.post("/api/signals", &json!({"user": "u1", "kind": "k", "data": {"text": BREAKS}})).await.expect(202);
    // A signal has no place among the notifications: it may be the first to come.
    let (first, second) = (stream.next().await, stream.next().await);
    let (notification, signal) =
        if first.event.as_deref() == Some("signal") { (second, first) } else { (first, second) };
    assert_eq!(
        (notification.json()["title"].as_str(), signal.json()["data"]["text"].as_str()),
        (Some(BREAKS), Some(BREAKS))
    );
    let poll = user.get(&format!("/api/notifications/changes?cursor={start}")).await;
    assert_eq!(poll.expect(200)["events"][0]["data"]["title"], BREAKS);
    let mut resumed = user.resume(&start).await;
    resumed.hello().await;
    let replayed = resumed.next().await;

    let mut texts = vec![("poll", poll.text)];
    texts.extend([notification, signal, replayed].map(|frame| ("event", frame.data.unwrap())));
    for kind in ["notification", "signal"] {
        texts.push((kind, text_of(&mut socket, kind).await));
    }
    for (ask, kind) in [
        (json!({"type": "get_history", "id": BREAKS}), "history"),
        (json!({"type": "shout", "id": BREAKS}), "error"),
        (json!({"type": "mark_read", "id": BREAKS, "notificationId": id}), "marked_read"),
        (json!({"type": "resume", "id": BREAKS, "cursor": start}), "connected"),
    ] {
        socket.send(&ask).await;
        texts.push((kind, text_of(&mut socket, kind).await));
    }
    for (place, text) in texts {
        assert!(!text.contains(['\u{85}', '\u{2028}', '\u{2029}']), "{place}: {text:?}");
        assert!(text.contains(r"a\u0085b\u2028c\u2029d"), "{place}: {text}");
    }
}
