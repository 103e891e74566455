//! The protocol as bytes: frames that no careful client sends, and frames that every proxy must let through.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::harness::*;

/// A client's frame, masked with zeros: its payload is as it is written.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// An open WebSocket without a library.
struct Raw(TcpStream);

impl Raw {
    fn open(port: u16) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let token = Token::of("u1").sign();
        write!(
            socket,
            "GET /ws/notifications HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {token}\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .unwrap();
        let mut raw = Self(socket);
        let head = raw.read_until(b"\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // The nonce and its answer are those of RFC 6455, 1.3.
        assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        raw
    }

    fn read_until(&mut self, end: &[u8]) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            bytes.push(byte[0]);
        }
        String::from_utf8(bytes).unwrap()
    }

    /// The next frame: its first byte and its payload.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        assert_eq!(head[1] & 0x80, 0, "a server masks nothing");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length).unwrap();
                u16::from_be_bytes(length).into()
            }
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }

    /// The next frame of this kind; earlier frames are skipped.
    fn frame_of(&mut self, first: u8) -> Vec<u8> {
        loop {
            let (found, payload) = self.frame();
            if found == first {
                return payload;
            }
        }
    }

    /// The code of the close frame, after which the server closes its side.
    fn close_code(mut self) -> u16 {
        let payload = self.frame_of(0x88);
        let _ = self.0.read_to_end(&mut Vec::new());
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;

#[tokio::test]
async fn frames_are_as_the_standard_has_them() {
    let cluster = cluster().start().await;
    let found = tokio::task::spawn_blocking(move || {
        let mut raw = Raw::open(cluster.instances[0].port());
        assert!(raw.frame_of(TEXT).starts_with(br#"{"type":"connected""#));
        raw.0.write_all(&frame(PING, b"echo")).unwrap();
        assert_eq!(raw.frame_of(0x8A), b"echo");
        assert_eq!(raw.frame_of(PING), b"", "the server pings with the heartbeat");
        raw.0.write_all(&frame(0x8A, b"")).unwrap();
        for (first, part) in [(0x01, &br#"{"type""#[..]), (PING, b"in between"), (0x00, b":"), (0x80, br#""ping"}"#)] {
            raw.0.write_all(&frame(first, part)).unwrap();
        }
        assert_eq!(raw.frame_of(0x8A), b"in between");
        loop {
            let text = raw.frame_of(TEXT);
            if text.starts_with(br#"{"type":"pong""#) {
                break;
            }
        }
        raw.0.write_all(&frame(0x88, &1000_u16.to_be_bytes())).unwrap();
        raw.close_code()
    });
    assert_eq!(found.await.unwrap(), 1000, "a close frame is answered with its code");
}

#[tokio::test]
async fn a_fault_of_the_protocol_closes_with_its_code() {
    let cluster = cluster().start().await;
    let cases: [(&str, Vec<u8>, u16); 6] = [
        ("not masked", vec![TEXT, 2, b'{', b'}'], 1002),
        ("reserved bits", frame(0xC1, b"{}"), 1002),
        ("an unknown opcode", frame(0x83, b"{}"), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("not UTF-8", frame(TEXT, b"\xff\xfe"), 1007),
        // A frame that announces 1 GB is refused by its head.
        ("a huge frame", vec![TEXT, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0], 1009),
    ];
    tokio::task::spawn_blocking(move || {
        for (what, bytes, code) in cases {
            let mut raw = Raw::open(cluster.instances[0].port());
            raw.0.write_all(&bytes).unwrap();
            assert_eq!(raw.close_code(), code, "{what}");
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_long_message_comes_in_frames_of_8_kb_at_most() {
    let cluster = cluster().set("TIDINGS_HEARTBEAT_SECONDS", "30").start().await;
    let text = "\u{1f600}".repeat(8_000);
    let body = serde_json::json!({"users": ["u1"], "title": "long", "message": text});
    let instance = cluster.instances[0].port();
    let mut raw = tokio::task::spawn_blocking(move || {
        let mut raw = Raw::open(instance);
        assert!(raw.frame_of(TEXT).starts_with(br#"{"type":"connected""#));
        raw
    })
    .await
    .unwrap();
    cluster.publisher().notify_with(body).await;
    let message = tokio::task::spawn_blocking(move || {
        let (first, mut message) = raw.frame();
        assert_eq!(first, 0x01, "a text that goes on");
        loop {
            let (first, part) = raw.frame();
            assert!(part.len() <= 8 * 1024);
            message.extend_from_slice(&part);
            if first == 0x80 {
                return message;
            }
            assert_eq!(first, 0x00);
        }
    });
    let message: serde_json::Value = serde_json::from_slice(&message.await.unwrap()).unwrap();
    assert_eq!(message["payload"]["message"], text);
}

#[tokio::test]
async fn nginx_as_shipped_lets_websockets_through() {
    let cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let user = nginx.edge().user("u1");
    let ticket = user.touch("/api/stream-tickets").await.expect(200)["ticket"].as_str().unwrap().to_owned();
    let mut request = socket::request(nginx.edge().base(), &format!("?ticket={ticket}"));
    let page = nginx.edge().base().parse().unwrap();
    request.headers_mut().insert("Origin", page);
    let mut socket = Socket::open(request).await.unwrap();
    socket.connected().await;
    cluster.publisher().notify("u1", "through").await;
    assert_eq!(socket.titles(1).await, ["through"]);
    assert_eq!(socket.ask(serde_json::json!({"type": "ping"})).await["type"], "pong");
    let foreign = "https://evil.example.com".parse().unwrap();
    let mut request = user.socket_request("");
    request.headers_mut().insert("Origin", foreign);
    assert!(Socket::open(request).await.is_err());
    assert!(!nginx.log().contains(&ticket));
}
