//! Bounds on messages of a client.

use futures_util::SinkExt as _;
use serde_json::json;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::calm;
use crate::harness::*;

async fn open(cluster: &Cluster) -> Socket {
    let mut socket = cluster.user("u1").socket("").await;
    socket.connected().await;
    socket
}

/// A ping of so many bytes: blanks are JSON.
fn padded(bytes: usize) -> String {
    let ping = r#"{"type":"ping"}"#;
    format!("{ping}{}", " ".repeat(bytes - ping.len()))
}

fn fragments(text: &str, size: usize) -> Vec<Message> {
    let parts: Vec<_> = text.as_bytes().chunks(size).collect();
    let frame = |(index, part): (usize, &&[u8])| {
        let code = OpCode::Data(if index == 0 { Data::Text } else { Data::Continue });
        Message::Frame(Frame::message(part.to_vec(), code, index + 1 == parts.len()))
    };
    parts.iter().enumerate().map(frame).collect()
}

#[tokio::test]
async fn a_message_of_the_greatest_size_is_read_and_a_longer_one_closes() {
    let cluster = calm().start().await;
    let mut socket = open(&cluster).await;
    socket.stream.send(Message::text(padded(16 * 1024))).await.unwrap();
    assert_eq!(socket.next().await["type"], "pong");
    socket.stream.send(Message::text(padded(16 * 1024 + 1))).await.unwrap();
    assert_eq!(socket.rest().await.1, Some(1009));
    assert_eq!(cluster.edge().metric("tidings_limit_hits_total", &["websocket_message_bytes"]).await, 1);
}

#[tokio::test]
async fn a_fragmented_message_is_read_whole_and_bounded_as_a_whole() {
    let cluster = calm().start().await;
    let mut socket = open(&cluster).await;
    for (index, frame) in fragments(&padded(16 * 1024), 1_000).into_iter().enumerate() {
        socket.stream.send(frame).await.unwrap();
        if index == 3 {
            socket.stream.send(Message::Ping("between".into())).await.unwrap();
        }
    }
    assert_eq!(socket.next().await["type"], "pong");
    for frame in fragments(&padded(64 * 1024), 1_000) {
        if socket.stream.feed(frame).await.is_err() {
            break;
        }
    }
    let _ = socket.stream.flush().await;
    assert_eq!(socket.rest().await.1, Some(1009));
}

#[tokio::test]
async fn a_binary_message_closes() {
    let cluster = calm().start().await;
    let mut socket = open(&cluster).await;
    socket.stream.send(Message::binary(br#"{"type":"ping"}"#.to_vec())).await.unwrap();
    assert_eq!(socket.rest().await.1, Some(1003));
}

#[tokio::test]
async fn too_many_messages_close_and_a_burst_does_not() {
    let cluster = calm().set("TIDINGS_WEBSOCKET_MESSAGES_PER_SECOND", "10").start().await;
    let mut socket = open(&cluster).await;
    for number in 0..20 {
        socket.send(&json!({"type": "ping", "id": number})).await;
    }
    for number in 0..20 {
        assert_eq!(socket.next().await["replyTo"], number);
    }
    let mut flood = open(&cluster).await;
    for _ in 0..500 {
        if flood.stream.feed(Message::text(r#"{"type":"ping"}"#)).await.is_err() {
            break;
        }
    }
    let _ = flood.stream.flush().await;
    let (messages, closed) = flood.rest().await;
    assert_eq!(closed, Some(4008));
    assert!((1..500).contains(&messages.len()));
    assert_eq!(cluster.edge().metric("tidings_limit_hits_total", &["websocket_messages_per_second"]).await, 1);
    cluster.publisher().notify("u1", "others go on").await;
    assert_eq!(socket.titles(1).await, ["others go on"]);
}

#[tokio::test]
async fn a_flood_of_pings_closes_as_one_of_messages_does() {
    let cluster = calm().set("TIDINGS_WEBSOCKET_MESSAGES_PER_SECOND", "10").start().await;
    let mut socket = open(&cluster).await;
    for _ in 0..500 {
        if socket.stream.feed(Message::Ping("x".into())).await.is_err() {
            break;
        }
    }
    let _ = socket.stream.flush().await;
    assert_eq!(socket.rest().await.1, Some(4008));
}
