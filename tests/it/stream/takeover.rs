//! Streams that leave the HTTP server and streams that stay its bodies: the same to a client, on any connection.
//!
//! `scripts/test` runs every test of streams and faults a second time without the takeover.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use crate::harness::*;

const TAKEOVER: &str = "TIDINGS_STREAM_TAKEOVER";

#[tokio::test]
async fn only_a_stream_that_stays_with_the_server_is_framed_by_it() {
    for (takeover, framing) in [("true", "connection: close"), ("false", "transfer-encoding: chunked")] {
        let cluster = cluster().set(TAKEOVER, takeover).start().await;
        let mut socket = connect(&cluster);
        ask_for_stream(&mut socket, "u1");
        let head = read_to(&mut socket, "\r\n\r\n");
        assert!(head.lines().any(|line| line == framing), "{head}");
        let hello = read_to(&mut socket, "\n\n");
        assert!(hello.contains("retry: "), "{hello}");
    }
}

#[tokio::test]
async fn a_stream_may_follow_other_requests_on_its_connection() {
    let cluster = cluster().start().await;
    let mut socket = connect(&cluster);
    for _ in 0..3 {
        socket.write_all(b"GET /health/live HTTP/1.1\r\nHost: t\r\n\r\n").unwrap();
        let head = read_to(&mut socket, "\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).expect("a length");
        socket.read_exact(&mut vec![0; length]).unwrap();
    }
    ask_for_stream(&mut socket, "u1");
    read_to(&mut socket, "event: hello\n");
    cluster.publisher().notify("u1", "after all").await;
    tokio::task::spawn_blocking(move || read_to(&mut socket, "after all")).await.unwrap();
}

#[tokio::test]
async fn a_hijacked_stream_ignores_a_few_bytes_and_ends_after_more() {
    let cluster = cluster().set(TAKEOVER, "true").start().await;
    let mut socket = connect(&cluster);
    ask_for_stream(&mut socket, "u1");
    read_to(&mut socket, "event: hello\n");
    socket.write_all(b"\r\n").unwrap();
    cluster.publisher().notify("u1", "still here").await;
    let mut socket = tokio::task::spawn_blocking(move || {
        read_to(&mut socket, "still here");
        socket
    })
    .await
    .unwrap();
    socket.write_all(&[b'x'; 4096]).unwrap();
    none_is_open(&cluster).await;
}

#[tokio::test]
async fn a_client_that_closes_its_side_has_left() {
    for takeover in ["true", "false"] {
        let cluster = cluster().set(TAKEOVER, takeover).start().await;
        let mut socket = connect(&cluster);
        ask_for_stream(&mut socket, "u1");
        read_to(&mut socket, "event: hello\n");
        socket.shutdown(Shutdown::Write).unwrap();
        none_is_open(&cluster).await;
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).expect("an end without a reset");
    }
}

#[tokio::test]
async fn streams_come_and_go_over_connections_that_nginx_keeps() {
    let cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let (user, publisher) = (nginx.edge().user("u1"), nginx.edge().publisher());
    for round in 0..20 {
        // Requests before and after leave connections to the instances open, which the streams then use.
        for _ in 0..4 {
            user.unread().await;
        }
        let mut streams = vec![user.stream().await, user.stream().await, user.stream().await];
        for stream in &mut streams {
            stream.hello().await;
        }
        publisher.notify("u1", &format!("n{round}")).await;
        for stream in &mut streams {
            assert_eq!(stream.titles(1).await, [format!("n{round}")]);
        }
    }
    for edge in cluster.edges() {
        eventually("no stream is left", async || (edge.metric("tidings_connections", &[]).await == 0).then_some(()))
            .await;
    }
}

fn connect(cluster: &Cluster) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", cluster.instances[0].port())).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

fn ask_for_stream(socket: &mut TcpStream, user: &str) {
    let token = Token::of(user).sign();
    let request = format!("GET /api/notifications/stream HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {token}\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
}

/// Reads byte by byte up to the first `end`.
fn read_to(socket: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(end.as_bytes()) {
        socket.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} before {end:?}"));
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("text")
}

async fn none_is_open(cluster: &Cluster) {
    let edge = cluster.edge();
    eventually("no stream is open", async || (edge.metric("tidings_connections", &[]).await == 0).then_some(())).await;
}
