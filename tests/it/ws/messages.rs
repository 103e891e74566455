//! The messages of a WebSocket, both ways.

use serde_json::{Value, json};

use super::calm;

#[tokio::test]
async fn a_notification_arrives_with_the_fields_of_the_stream_and_those_of_messages() {
    let cluster = calm().start().await;
    let user = cluster.user("u1");
    let (mut socket, mut stream) = (user.socket("").await, user.stream().await);
    let connected = socket.connected().await;
    assert_eq!((&connected["verdict"], &connected["unread"]), (&json!("fresh"), &json!(0)));
    assert!(connected["clientId"].is_string() && connected["timestamp"].is_string(), "{connected}");
    stream.hello().await;
    let body = json!({"users": ["u1"], "title": "t \"1\"\nx", "message": "m", "kind": "k", "priority": "high",
        "data": {"type": 7, "deep": [1]}, "actionUrl": "/a"});
    let id = cluster.publisher().notify_with(body).await;
    let message = socket.next().await;
    let frame = stream.next().await;
    let mut due = frame.json();
    due["type"] = json!("k");
    due["timestamp"] = due["createdAt"].clone();
    due["read"] = json!(false);
    due["cursor"] = json!(frame.id);
    assert_eq!(message, json!({"type": "notification", "payload": due}));

    user.touch(&format!("/api/notifications/{id}/read")).await.expect(200);
    let (message, frame) = (socket.next().await, stream.next().await);
    assert_eq!(message, json!({"type": "state", "payload": frame.json(), "cursor": frame.id}));
}

#[tokio::test]
async fn a_read_over_one_websocket_reaches_all_others() {
    let cluster = calm().instances(2).start().await;
    let [here, there] = [0, 1].map(|index| cluster.edges().swap_remove(index).user("u1"));
    let (mut socket, mut other) = (here.socket("").await, there.socket("").await);
    socket.connected().await;
    other.connected().await;
    let id = cluster.publisher().notify("u1", "one").await;
    let marked = socket.ask(json!({"type": "mark_read", "notificationId": id})).await;
    assert_eq!((&marked["type"], &marked["notificationId"]), (&json!("marked_read"), &json!(id)));
    assert_eq!(marked["unread"], 0);
    let state = other.next_of("state").await;
    assert_eq!((&state["payload"]["ids"], &state["payload"]["read"]), (&json!([id]), &json!(true)));
    assert_eq!(state["cursor"], marked["cursor"]);
    let foreign = cluster.publisher().notify("u2", "not yours").await;
    for id in [foreign, "0192f0c1-d8e7-7c4b-9a3e-5f6071829304".to_owned()] {
        let error = socket.ask(json!({"type": "mark_read", "notificationId": id})).await;
        assert_eq!((&error["type"], &error["message"]), (&json!("error"), &json!("mark_read")), "{error}");
        assert_eq!(error["detail"], "there is no such notification");
    }
    assert_eq!(cluster.user("u2").unread().await, 1);
}

#[tokio::test]
async fn history_is_the_list_in_parts() {
    let cluster = calm().start().await;
    for number in 0..5 {
        cluster.publisher().notify("u1", &format!("n{number}")).await;
    }
    let mut socket = cluster.user("u1").socket("").await;
    socket.connected().await;
    let history = socket.ask(json!({"type": "get_history", "limit": 2, "offset": 1})).await;
    assert_eq!(
        (&history["type"], &history["total"], &history["hasMore"]),
        (&json!("history"), &json!(5), &json!(true))
    );
    let list = cluster.user("u1").list("?limit=2&offset=1").await;
    let mut due = list["notifications"].clone();
    for item in due.as_array_mut().unwrap() {
        item["type"] = item["kind"].clone();
        item["timestamp"] = item["createdAt"].clone();
        item["read"] = json!(false);
    }
    assert_eq!(history["notifications"], due);
    let end = socket.ask(json!({"type": "get_history", "offset": 4})).await;
    assert_eq!((end["notifications"].as_array().unwrap().len(), &end["hasMore"]), (1, &json!(false)));
}

#[tokio::test]
async fn a_long_history_comes_in_more_parts_than_were_asked_for() {
    let cluster = calm().start().await;
    let text = "x".repeat(60_000);
    for number in 0..25 {
        let body = json!({"users": ["u1"], "title": format!("n{number}"), "data": {"pad": text}});
        cluster.publisher().notify_with(body).await;
    }
    let mut socket = cluster.user("u1").socket("").await;
    socket.connected().await;
    let (mut titles, mut parts) = (Vec::new(), 0);
    loop {
        let part = socket.ask(json!({"type": "get_history", "limit": 100, "offset": titles.len()})).await;
        let items = part["notifications"].as_array().unwrap().iter();
        titles.extend(items.map(|item| item["title"].as_str().unwrap().to_owned()));
        parts += 1;
        if part["hasMore"] == false {
            break;
        }
    }
    assert_eq!(titles, (0..25).rev().map(|number| format!("n{number}")).collect::<Vec<_>>());
    assert_eq!(parts, 2);
}

#[tokio::test]
async fn a_ping_is_answered_and_ids_are_repeated() {
    let cluster = calm().start().await;
    let mut socket = cluster.user("u1").socket("").await;
    socket.connected().await;
    for id in [json!("m-1"), json!(7), json!(-7), json!("x".repeat(64))] {
        socket.send(&json!({"type": "ping", "id": id})).await;
        let pong = socket.next().await;
        assert_eq!((&pong["type"], &pong["replyTo"]), (&json!("pong"), &id));
        assert!(pong["timestamp"].is_string());
    }
    socket.send(&json!({"type": "ping"})).await;
    assert_eq!(socket.next().await["replyTo"], Value::Null);
}

#[tokio::test]
async fn a_malformed_message_is_answered_and_the_connection_continues() {
    let cluster = calm().set("TIDINGS_WEBSOCKET_MESSAGES_PER_SECOND", "1000").start().await;
    let mut socket = cluster.user("u1").socket("").await;
    socket.connected().await;
    let many: Vec<_> = (0..51).map(|number| number.to_string()).collect();
    for (message, pointer) in [
        (json!({"type": "shout"}), "/type"),
        (json!({"kind": "ping"}), "/type"),
        (json!({"type": "ping", "extra": true}), "/extra"),
        (json!({"type": "subscribe"}), ""),
        (json!({"type": "subscribe", "channels": []}), "/channels"),
        (json!({"type": "subscribe", "channels": many}), "/channels"),
        (json!({"type": "subscribe", "channels": ["a", ""]}), "/channels/1"),
        (json!({"type": "unsubscribe", "channels": ["x".repeat(201)]}), "/channels/0"),
        (json!({"type": "mark_read", "notificationId": "x"}), "/notificationId"),
        (json!({"type": "get_history", "limit": 101}), "/limit"),
        (json!({"type": "get_history", "offset": 10_001}), "/offset"),
        (json!({"type": "resume", "cursor": "x".repeat(128)}), "/cursor"),
    ] {
        let error = socket.ask(message.clone()).await;
        assert_eq!((&error["type"], &error["errors"][0]["pointer"]), (&json!("error"), &json!(pointer)), "{error}");
        assert!(error["errors"][0]["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        let known = !["shout", ""].contains(&message["type"].as_str().unwrap_or_default());
        assert_eq!(error["message"], if known { message["type"].clone() } else { Value::Null });
    }
    for text in ["", "{", "[]", "7", "nonsense", r#"{"type":"ping","id":{}}"#] {
        use futures_util::SinkExt as _;
        use tokio_tungstenite::tungstenite::Message;
        socket.stream.send(Message::text(text)).await.unwrap();
        let error = socket.next().await;
        assert_eq!((&error["type"], &error["replyTo"]), (&json!("error"), &Value::Null), "{error}");
    }
    cluster.publisher().notify("u1", "still here").await;
    assert_eq!(socket.titles(1).await, ["still here"]);
}
