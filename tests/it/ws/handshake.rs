//! Handshakes: accepted callers, refused callers with their reason, and refusals before the handshake.

use std::fmt::Write as _;

use serde_json::json;
use tokio_tungstenite::tungstenite::{Error, http::HeaderValue};

use super::calm;
use crate::harness::{socket::request, *};

fn set(request: &mut tokio_tungstenite::tungstenite::handshake::client::Request, name: &'static str, value: &str) {
    request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
}

/// The reason and the code with which a WebSocket is closed.
async fn told(mut socket: Socket) -> (serde_json::Value, u16) {
    let (messages, closed) = socket.rest().await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    (messages[0].clone(), closed.expect("a close frame"))
}

#[tokio::test]
async fn every_way_to_bring_a_token_opens_a_websocket() {
    let cluster = calm().set("TIDINGS_QUERY_TOKEN", "true").start().await;
    let edge = cluster.edge();
    let (user, token) = (edge.user("u1"), Token::of("u1").sign());
    let ticket = user.touch("/api/stream-tickets").await.expect(200)["ticket"].as_str().unwrap().to_owned();

    let by_header = user.socket_request("");
    let by_ticket = request(edge.base(), &format!("?ticket={ticket}"));
    let by_query = request(edge.base(), &format!("?token={token}"));
    let mut by_cookie = request(edge.base(), "");
    set(&mut by_cookie, "Cookie", &format!("a=b; tidings_token={token}"));
    let mut by_protocol = request(edge.base(), "");
    set(&mut by_protocol, "Sec-WebSocket-Protocol", &format!("bearer, {token}"));
    for request in [by_header, by_ticket, by_query, by_cookie, by_protocol.clone()] {
        let mut socket = Socket::open(request).await.unwrap();
        socket.connected().await;
    }
    let socket = Socket::open(by_protocol).await.unwrap();
    assert_eq!(socket.response.headers()["sec-websocket-protocol"], "bearer");
    assert!(!cluster.instances[0].log().contains(&token));
}

#[tokio::test]
async fn a_refused_caller_gets_the_reason_as_a_code() {
    let cluster = calm().start().await;
    let edge = cluster.edge();
    let (error, code) = told(Socket::open(request(edge.base(), "")).await.unwrap()).await;
    assert_eq!((&error["type"], &error["detail"], code), (&json!("error"), &json!("a token is required"), 4001));

    for wrong in ["nonsense", &Token::of("u1").unsigned(), &Token::of("u1").claim("exp", json!(1)).sign()[3..]] {
        let mut by_protocol = request(edge.base(), "");
        set(&mut by_protocol, "Sec-WebSocket-Protocol", &format!("bearer, {wrong}"));
        let (error, code) = told(Socket::open(by_protocol).await.unwrap()).await;
        assert_eq!((&error["title"], code), (&json!("Token refused"), 4002));
        assert!(!error.to_string().contains(wrong));
    }
    let socket = edge.caller(&Token::of("u1").expires_in(-3600)).socket("").await;
    assert_eq!(told(socket).await.1, 4003);
    let mut alone = request(edge.base(), "");
    set(&mut alone, "Sec-WebSocket-Protocol", "bearer");
    assert_eq!(told(Socket::open(alone).await.unwrap()).await.1, 4001);

    let user = edge.user("u1");
    let ticket = user.touch("/api/stream-tickets").await.expect(200)["ticket"].as_str().unwrap().to_owned();
    let by_ticket = request(edge.base(), &format!("?ticket={ticket}"));
    Socket::open(by_ticket.clone()).await.unwrap().connected().await;
    assert_eq!(told(Socket::open(by_ticket).await.unwrap()).await.1, 4002, "a ticket works once");
}

#[tokio::test]
async fn a_token_in_the_query_is_refused_unless_configured() {
    let cluster = calm().start().await;
    let query = format!("?token={}", Token::of("u1").sign());
    assert_eq!(refused(request(cluster.edge().base(), &query)).await, 400);
}

async fn refused(request: tokio_tungstenite::tungstenite::handshake::client::Request) -> u16 {
    match Socket::open(request).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn a_foreign_page_is_refused_before_the_upgrade() {
    let cluster = calm().set("TIDINGS_CORS_ORIGINS", "https://app.example.com").start().await;
    let user = cluster.user("u1");
    let own = cluster.edge().base().to_owned();
    for (origin, status) in [
        (own.as_str(), 101),
        ("https://app.example.com", 101),
        ("https://evil.example.com", 403),
        ("https://app.example.com.evil.com", 403),
        ("http://app.example.com", 403),
        ("null", 403),
    ] {
        let mut request = user.socket_request("");
        set(&mut request, "Origin", origin);
        if status == 101 {
            Socket::open(request).await.unwrap().connected().await;
        } else {
            assert_eq!(refused(request).await, status, "{origin}");
        }
    }
}

#[tokio::test]
async fn any_page_may_come_with_a_token_of_its_own_and_none_with_a_cookie() {
    let cluster = calm().set("TIDINGS_CORS_ORIGINS", "*").start().await;
    let user = cluster.user("u1");
    let mut request = user.socket_request("");
    set(&mut request, "Origin", "https://evil.example.com");
    Socket::open(request).await.unwrap().connected().await;
    let mut by_cookie = socket::request(cluster.edge().base(), "");
    set(&mut by_cookie, "Cookie", &format!("tidings_token={}", user.token()));
    Socket::open(by_cookie.clone()).await.unwrap().connected().await;
    set(&mut by_cookie, "Origin", "https://evil.example.com");
    assert_eq!(refused(by_cookie).await, 403);
}

#[tokio::test]
async fn a_request_that_is_no_handshake_gets_a_problem() {
    let cluster = calm().start().await;
    let user = cluster.user("u1");
    let answer = user.get("/ws/notifications").await;
    assert_eq!((answer.header("upgrade"), answer.header("sec-websocket-version")), ("websocket", "13"));
    answer.problem(426);
    let ask = async |changes: &[(&'static str, &str)], query: &str| {
        let mut request = user.socket_request(query);
        changes.iter().for_each(|(name, value)| set(&mut request, name, value));
        raw(&request).await
    };
    assert_eq!(ask(&[("Sec-WebSocket-Version", "8")], "").await, 426);
    assert_eq!(ask(&[("Upgrade", "h2c")], "").await, 426);
    assert_eq!(ask(&[("Connection", "close")], "").await, 426);
    assert_eq!(ask(&[("Sec-WebSocket-Key", "short")], "").await, 400);
    assert_eq!(ask(&[], "?kinds=").await, 400);
    assert_eq!(ask(&[], "?surprise=1").await, 400);
    assert_eq!(ask(&[], "?minPriority=high&kinds=a&signals=last&replay=2").await, 101);
}

/// The status of the answer to a request that a careful client would not send.
async fn raw(request: &tokio_tungstenite::tungstenite::handshake::client::Request) -> u16 {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let authority = request.uri().authority().unwrap().as_str();
    let mut head = format!("GET {} HTTP/1.1\r\n", request.uri().path_and_query().unwrap());
    for (name, value) in request.headers() {
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap());
    }
    let mut tcp = tokio::net::TcpStream::connect(authority).await.unwrap();
    tcp.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    BufReader::new(&mut tcp).read_line(&mut line).await.unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_log_names_a_refused_origin_once_with_the_setting_that_lets_it_in() {
    let cluster = calm().start().await;
    let refused = async |origin: &str| {
        let mut request = cluster.user("u1").socket_request("");
        set(&mut request, "Origin", origin);
        let Err(Error::Http(answer)) = Socket::open(request).await else { panic!("{origin} was let in") };
        assert_eq!(answer.status(), 403);
    };
    for origin in ["https://app.example", "https://app.example", "https://other.example", "https://app.example"] {
        refused(origin).await;
    }
    let log = || cluster.instances[0].log();
    eventually("the log names the origins", async || log().contains("https://other.example").then_some(())).await;
    let lines: Vec<_> = log().lines().filter(|line| line.contains(".example")).map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("TIDINGS_CORS_ORIGINS") && line.contains("WARN")), "{lines:?}");
}
