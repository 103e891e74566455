//! The few wire forms that messages are published in.

use std::io::Write as _;

/// `PUBLISH channel payload` of Redis.
pub fn redis_publish(channel: &str, payload: &[u8], out: &mut Vec<u8>) {
    let _ = write!(out, "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${}\r\n", channel.len(), payload.len());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// A POST on a connection that stays open.
pub fn http_post(path: &str, payload: &[u8], out: &mut Vec<u8>) {
    let _ = write!(out, "POST {path} HTTP/1.1\r\nHost: load\r\nContent-Length: {}\r\n\r\n", payload.len());
    out.extend_from_slice(payload);
}

/// Begins a session with a Postgres server that trusts this user.
pub fn postgres_startup(user: &str, database: &str) -> Vec<u8> {
    const VERSION_3: u32 = 3 << 16;
    let mut body = VERSION_3.to_be_bytes().to_vec();
    for text in ["user", user, "database", database, ""] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    [&length(body.len()), &body[..]].concat()
}

/// `NOTIFY` of Postgres in a transaction of its own; the payload must hold no single quote.
pub fn postgres_notify(channel: &str, payload: &str, out: &mut Vec<u8>) {
    let query = format!("select pg_notify('{channel}','{payload}')\0");
    out.push(b'Q');
    out.extend_from_slice(&length(query.len()));
    out.extend_from_slice(query.as_bytes());
}

/// A message's length as Postgres counts it: with the length itself.
fn length(bytes: usize) -> [u8; 4] {
    (bytes as u32 + 4).to_be_bytes()
}

/// What Socket.IO's Redis adapter tells the others when one of them emits to a room, as `MessagePack`:
/// `[sender, {type: 2, data: [event, text], nsp: "/"}, {rooms: [room], except: [], flags: {}}]`.
pub fn socketio_emit(room: &str, text: &str, out: &mut Vec<u8>) {
    out.push(0x93); // an array of three
    pack("load", out);
    out.push(0x83); // a map of three
    pack("type", out);
    out.push(2); // the number itself
    pack("data", out);
    out.push(0x92);
    pack("m", out);
    pack(text, out);
    pack("nsp", out);
    pack("/", out);
    out.push(0x83);
    pack("rooms", out);
    out.push(0x91);
    pack(room, out);
    pack("except", out);
    out.push(0x90);
    pack("flags", out);
    out.push(0x80);
}

/// A text of less than 64 KiB.
fn pack(text: &str, out: &mut Vec<u8>) {
    let length = text.len() as u16;
    if length < 32 {
        out.push(0xa0 | length as u8);
    } else {
        out.push(0xda);
        out.extend_from_slice(&length.to_be_bytes());
    }
    out.extend_from_slice(text.as_bytes());
}

/// A text frame of a WebSocket client, masked with zeros, of less than 126 bytes.
pub fn client_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_what_each_protocol_counts() {
        let mut redis = Vec::new();
        redis_publish("u1", b"hello", &mut redis);
        assert_eq!(redis, b"*3\r\n$7\r\nPUBLISH\r\n$2\r\nu1\r\n$5\r\nhello\r\n");
        assert_eq!(postgres_startup("a", "b"), b"\0\0\0\x1b\0\x03\0\0user\0a\0database\0b\0\0");
        let mut notify = Vec::new();
        postgres_notify("c", "p", &mut notify);
        assert_eq!(notify, b"Q\0\0\0\x1eselect pg_notify('c','p')\0");
    }

    #[test]
    fn long_texts_are_packed_with_their_length() {
        let mut out = Vec::new();
        pack(&"x".repeat(300), &mut out);
        assert_eq!(out[..3], [0xda, 1, 44]);
        assert_eq!(out.len(), 303);
    }
}
