//! The start and the end of a WebSocket: cursors, resume, tokens, revocation, drain, room.

use std::time::Duration;

use serde_json::json;

use super::calm;
use crate::harness::*;

/// Reads to the end, which a farewell must announce.
async fn ends(socket: &mut Socket, reason: &str, code: u16) {
    let (messages, closed) = socket.rest().await;
    let bye = messages.last().expect("a farewell");
    assert_eq!((&bye["type"], &bye["reason"]), (&json!("bye"), &json!(reason)), "{bye}");
    assert!(bye["retryMs"].is_u64(), "{bye}");
    assert_eq!(closed, Some(code));
}

#[tokio::test]
async fn a_websocket_resumes_by_query_and_by_message_on_any_instance() {
    let cluster = calm().instances(3).start().await;
    let edges = cluster.edges();
    let mut socket = edges[0].user("u1").socket("").await;
    socket.connected().await;
    cluster.publisher().notify("u1", "one").await;
    assert_eq!(socket.titles(1).await, ["one"]);
    let cursor = socket.cursor.clone().unwrap();
    drop(socket);
    cluster.publisher().notify("u1", "two").await;
    cluster.publisher().notify("u1", "three").await;

    let mut socket = edges[1].user("u1").socket(&format!("?cursor={cursor}")).await;
    let connected = socket.connected().await;
    assert_eq!((&connected["verdict"], &connected["missed"]), (&json!("resumed"), &json!(2)));
    assert_eq!(socket.cursor, None, "a resumed verdict moves no cursor");
    assert_eq!(socket.titles(2).await, ["two", "three"]);

    let mut socket = edges[2].user("u1").socket("").await;
    let first = socket.connected().await;
    let connected = socket.ask(json!({"type": "resume", "cursor": cursor})).await;
    assert_eq!((&connected["type"], &connected["verdict"]), (&json!("connected"), &json!("resumed")));
    assert_ne!(connected["clientId"], first["clientId"]);
    assert_eq!(socket.titles(2).await, ["two", "three"]);
    cluster.publisher().notify("u1", "four").await;
    assert_eq!(socket.titles(1).await, ["four"]);
    for (cursor, reason) in [("nonsense", "invalid"), ("foreign.1", "epoch")] {
        let connected = socket.ask(json!({"type": "resume", "cursor": cursor})).await;
        assert_eq!((&connected["verdict"], &connected["reason"]), (&json!("reset"), &json!(reason)));
    }
    cluster.publisher().notify("u1", "five").await;
    assert_eq!(socket.titles(1).await, ["five"]);
}

#[tokio::test]
async fn the_newest_items_are_sent_again_where_asked_for() {
    let cluster = calm().start().await;
    for number in 0..3 {
        cluster.publisher().notify("u1", &format!("n{number}")).await;
    }
    let mut socket = cluster.user("u1").socket("?replay=2").await;
    assert_eq!(socket.connected().await["verdict"], "fresh");
    assert_eq!(socket.titles(2).await, ["n1", "n2"]);
}

#[tokio::test]
async fn a_resume_needs_no_room_for_a_second_connection() {
    let cluster = calm().set("TIDINGS_MAX_CONNECTIONS_PER_USER", "1").start().await;
    let mut socket = cluster.user("u1").socket("").await;
    let cursor = socket.connected().await["cursor"].as_str().unwrap().to_owned();
    cluster.publisher().notify("u1", "one").await;
    assert_eq!(socket.titles(1).await, ["one"]);
    assert_eq!(socket.ask(json!({"type": "resume", "cursor": cursor})).await["missed"], 1);
    assert_eq!(socket.titles(1).await, ["one"]);
}

#[tokio::test]
async fn a_websocket_counts_as_a_stream_does() {
    let cluster = calm().set("TIDINGS_MAX_CONNECTIONS_PER_USER", "2").start().await;
    let (edge, user) = (cluster.edge(), cluster.user("u1"));
    let (mut socket, mut stream) = (user.socket("").await, user.stream().await);
    socket.connected().await;
    stream.hello().await;
    ends(&mut user.socket("").await, "overloaded", 1013).await;
    assert_eq!(edge.metric("tidings_connects_refused_total", &["per_user"]).await, 1);
    for transport in ["websocket", "sse"] {
        assert_eq!(edge.metric("tidings_connections", &[transport]).await, 1, "{transport}");
    }
    drop(socket);
    eventually("there is room again", async || {
        (edge.metric("tidings_connections", &["websocket"]).await == 0).then_some(())
    })
    .await;
    user.socket("").await.connected().await;
}

#[tokio::test]
async fn a_websocket_ends_with_its_token_unless_it_is_extended() {
    let cluster = calm().instances(2).set("TIDINGS_JWT_LEEWAY_SECONDS", "0").start().await;
    let [here, there] = [0, 1].map(|index| cluster.edges().swap_remove(index));
    let short = Token::of("u1").expires_in(6);
    let (mut socket, mut other) = (here.caller(&short).socket("").await, here.caller(&short).socket("").await);
    let client = socket.connected().await["clientId"].as_str().unwrap().to_owned();
    other.connected().await;
    let expiring = socket.next().await;
    assert_eq!(expiring["type"], "expiring", "less than a minute is left");
    assert!(expiring["payload"]["expiresInMs"].is_u64(), "{expiring}");
    assert_eq!(there.user("u1").touch(&format!("/api/streams/{client}/token")).await.status, 202);
    let end = async {
        ends(&mut other, "expired", 4003).await;
        cluster.publisher().notify("u1", "still open").await;
    };
    // Read meanwhile, for a client that answers no ping is dropped.
    let (titles, ()) = tokio::join!(socket.titles(1), end);
    assert_eq!(titles, ["still open"]);
    let cursor = socket.cursor.clone().unwrap();
    let connected = socket.ask(json!({"type": "resume", "cursor": cursor})).await;
    assert_eq!(connected["verdict"], "resumed", "the fresh token is the one that counts");
}

#[tokio::test]
async fn a_revoked_user_is_cut_off_on_every_instance() {
    let cluster = calm().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let old = Token::of("u1").claim("iat", json!(token::now() - 5));
    let mut sockets = Vec::new();
    for edge in cluster.edges() {
        let mut socket = edge.caller(&old).socket("").await;
        socket.connected().await;
        sockets.push(socket);
    }
    let answer = cluster.edge().admin().post("/api/admin/revocations", &json!({"user": "u1"})).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    for socket in &mut sockets {
        ends(socket, "revoked", 4002).await;
    }
    let (messages, closed) = cluster.edge().caller(&old).socket("").await.rest().await;
    assert_eq!((&messages[0]["detail"], closed), (&json!("the token has been revoked"), Some(4002)));
}

#[tokio::test]
async fn a_websocket_is_rotated_at_its_greatest_age() {
    let cluster = calm().set("TIDINGS_MAX_LIFETIME_SECONDS", "1").start().await;
    let mut socket = cluster.user("u1").socket("").await;
    socket.connected().await;
    ends(&mut socket, "rotated", 1012).await;
}

#[tokio::test]
async fn a_draining_instance_ends_every_websocket_with_a_reason_and_succeeds() {
    let mut cluster = calm().set("TIDINGS_DRAIN_SECONDS", "20").start().await;
    let mut sockets = Vec::new();
    for index in 0..5 {
        let mut socket = cluster.user(&format!("u{index}")).socket("").await;
        socket.connected().await;
        sockets.push(socket);
    }
    cluster.instances[0].signal(process::Signal::TERM);
    for socket in &mut sockets {
        ends(socket, "draining", 1012).await;
    }
    assert_eq!(cluster.instances[0].exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_request_under_way_does_not_hold_up_a_drain() {
    let mut cluster = calm().set("TIDINGS_STATEMENT_TIMEOUT_SECONDS", "600").start().await;
    let id = cluster.publisher().notify("u1", "one").await;
    let mut socket = cluster.user("u1").socket("").await;
    socket.connected().await;
    let mut lock = cluster.postgres.connect().await;
    let held = lock.transaction().await.unwrap();
    held.execute("select 1 from streams for update", &[]).await.unwrap();
    socket.send(&json!({"type": "mark_read", "notificationId": id})).await;
    let watch = cluster.postgres.connect().await;
    eventually("the request waits for the lock", async || {
        let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
        let count: i64 = watch.query_one(waiting, &[]).await.unwrap().get(0);
        (count > 0).then_some(())
    })
    .await;
    cluster.instances[0].signal(process::Signal::TERM);
    ends(&mut socket, "draining", 1012).await;
    held.rollback().await.unwrap();
    assert_eq!(cluster.instances[0].exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_websocket_without_a_database_is_asked_to_come_back() {
    let mut cluster = calm().set("TIDINGS_STATEMENT_TIMEOUT_SECONDS", "1").start().await;
    let user = cluster.user("u1");
    let mut before = user.socket("").await;
    let cursor = before.connected().await["cursor"].as_str().unwrap().to_owned();
    cluster.postgres.crash().await;
    ends(&mut user.socket("").await, "overloaded", 1013).await;
    let error = before.ask(json!({"type": "get_history"})).await;
    assert_eq!((&error["type"], &error["title"]), (&json!("error"), &json!("Unavailable")), "{error}");
    cluster.postgres.resume().await;
    eventually("it is open again", async || {
        let mut socket = user.socket(&format!("?cursor={cursor}")).await;
        let first = socket.message().await.ok()?;
        (first["verdict"] == "resumed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_left_is_forgotten() {
    let cluster = calm().set("TIDINGS_HEARTBEAT_SECONDS", "30").start().await;
    let edge = cluster.edge();
    let mut sockets = Vec::new();
    for index in 0..4 {
        let mut socket = edge.user(&format!("u{index}")).socket("").await;
        socket.connected().await;
        sockets.push(socket);
    }
    let count = async || edge.metric("tidings_connections", &["websocket"]).await;
    assert_eq!(count().await, 4);
    let mut polite = sockets.pop().unwrap();
    polite.stream.close(None).await.unwrap();
    assert_eq!(polite.rest().await.1, None, "the close frame is answered");
    drop(sockets.pop());
    eventually("two have left", async || (count().await == 2).then_some(())).await;
    edge.publisher().notify("u0", "still here").await;
    assert_eq!(sockets[0].titles(1).await, ["still here"]);
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_dropped_and_one_that_does_is_not() {
    let cluster = calm().set("TIDINGS_HEARTBEAT_SECONDS", "0.2").start().await;
    let edge = cluster.edge();
    let (mut alive, mut dead) = (edge.user("u1").socket("").await, edge.user("u2").socket("").await);
    alive.connected().await;
    dead.connected().await;
    let count = async || edge.metric("tidings_connections", &["websocket"]).await;
    // The client that is read from answers; the one that is not does not.
    while count().await > 1 {
        alive.next_of("heartbeat").await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..20 {
        alive.next_of("heartbeat").await;
    }
    edge.publisher().notify("u1", "still here").await;
    assert_eq!(alive.titles(1).await, ["still here"]);
}
