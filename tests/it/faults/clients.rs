//! Clients that read nothing for a while, and clients that leave without a word.

use std::{io::Read, net::TcpStream, time::Duration};

use serde_json::json;

use crate::harness::*;

/// Publishes of one test, each large enough that they overflow every buffer on the way.
const LARGE: usize = 400;

#[tokio::test]
async fn a_client_that_reads_nothing_for_a_while_gets_everything_in_order() {
    let cluster = cluster().start().await;
    let mut slow = raw_stream(&cluster, "u1");
    publish_large(&cluster, "u1").await;
    let titles = tokio::task::spawn_blocking(move || read_titles(&mut slow, LARGE)).await.unwrap();
    assert_eq!(titles, (0..LARGE).map(|number| format!("n{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_too_long_is_dropped_and_resumes_exactly() {
    let cluster = cluster().set("TIDINGS_WRITE_STALL_SECONDS", "0.5").start().await;
    let edge = cluster.edge();
    let mut slow = raw_stream(&cluster, "u1");
    publish_large(&cluster, "u1").await;
    gone(&edge).await;

    let received = tokio::task::spawn_blocking(move || read_to_end(&mut slow)).await.unwrap();
    let cursor = last_whole_id(&received).expect("a cursor before the drop");
    let seen: usize = cursor.rsplit('.').next().unwrap().parse().unwrap();
    assert!(seen < LARGE);
    let mut stream = edge.user("u1").resume(&cursor).await;
    assert_eq!(stream.hello().await["verdict"], "resumed");
    let expected: Vec<_> = (seen..LARGE).map(|number| format!("n{number}")).collect();
    assert_eq!(stream.titles(LARGE - seen).await, expected);
}

#[tokio::test]
async fn a_client_that_reads_nothing_delays_no_other() {
    let cluster = cluster().start().await;
    let _slow = raw_stream(&cluster, "u1");
    let mut quick = cluster.user("u1").stream().await;
    quick.hello().await;
    publish_large(&cluster, "u1").await;
    assert_eq!(quick.titles(LARGE).await.len(), LARGE);
}

#[tokio::test]
async fn a_stream_whose_client_left_is_dropped_on_http_1() {
    let cluster = cluster().start().await;
    leave(&cluster.edge(), cluster.edge()).await;
}

#[tokio::test]
async fn a_stream_whose_client_left_is_dropped_on_http_2() {
    let cluster = cluster().start().await;
    leave(&cluster.edge(), Edge::http2(cluster.edge().base())).await;
}

/// Several streams over one connection or many; one after the other leaves.
async fn leave(watch: &Edge, edge: Edge) {
    let mut streams = Vec::new();
    for index in 0..4 {
        let mut stream = edge.user(&format!("u{index}")).stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    assert_eq!(watch.metric("tidings_connections", &[]).await, 4);
    streams.truncate(1);
    eventually("three have left", async || (watch.metric("tidings_connections", &[]).await == 1).then_some(())).await;
    edge.publisher().notify("u0", "still here").await;
    assert_eq!(streams[0].titles(1).await, ["still here"]);
    drop((streams, edge));
    gone(watch).await;
}

async fn gone(edge: &Edge) {
    eventually("no stream is open", async || (edge.metric("tidings_connections", &[]).await == 0).then_some(())).await;
}

/// A stream from which only the first byte was read: the kernel's buffer for it does not grow until more is.
fn raw_stream(cluster: &Cluster, user: &str) -> TcpStream {
    use std::io::Write;
    let mut socket = TcpStream::connect(("127.0.0.1", cluster.instances[0].port())).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let token = Token::of(user).sign();
    write!(socket, "GET /api/notifications/stream HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {token}\r\n\r\n")
        .unwrap();
    let mut byte = [0];
    socket.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"H");
    socket
}

async fn publish_large(cluster: &Cluster, user: &str) {
    let publisher = cluster.publisher();
    let text = "x".repeat(9_000);
    for batch in (0..LARGE).collect::<Vec<_>>().chunks(50) {
        let bodies: Vec<_> = batch
            .iter()
            .map(|number| json!({"users": [user], "title": format!("n{number}"), "message": text, "data": {"pad": text}}))
            .collect();
        publisher.post("/api/notifications/batch", &json!(bodies)).await.expect(200);
    }
}

fn read_titles(socket: &mut TcpStream, count: usize) -> Vec<String> {
    let last = format!(r#""title":"n{}""#, count - 1);
    let mut text = String::new();
    let mut chunk = vec![0; 65536];
    loop {
        // Only new bytes are searched, and the end of the last read, which may hold half a title.
        let from = text.len().saturating_sub(last.len());
        let length = socket.read(&mut chunk).expect("more of the stream");
        assert_ne!(length, 0, "the stream ended after {} of {count}", titles(&text).len());
        text.push_str(std::str::from_utf8(&chunk[..length]).expect("ASCII"));
        if text[from..].contains(&last) {
            return titles(&text);
        }
    }
}

/// Chunk headers fall between blocks or within long ones; the titles are at the head of each block, before the text.
fn titles(text: &str) -> Vec<String> {
    let found = text.match_indices(r#""title":""#).filter_map(|(at, key)| {
        let (title, _) = text[at + key.len()..].split_once('"')?;
        Some(title.to_owned())
    });
    found.collect()
}

fn read_to_end(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // A reset is an end as well.
    let _ = socket.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The id of the last block that arrived whole.
fn last_whole_id(text: &str) -> Option<String> {
    let whole = &text[..text.rfind("\n\n")?];
    let (_, rest) = whole.rsplit_once("id: ")?;
    Some(rest.lines().next()?.trim().to_owned())
}
