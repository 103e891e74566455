//! What differs between the systems: how a stream is asked for, when it is open, and how a message reaches it.
//!
//! Messages go in where another instance's would: the channel that the system's own instances tell each other by. nchan has
//! no such way in, so it is published to over HTTP.

use std::io::Write as _;

use clap::ValueEnum;
use memchr::memmem;

use super::{
    marker::{self, PAYLOAD_BYTES},
    token::Signer,
    wire,
};

/// A system under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// The cheapest server, `load floor`.
    Floor,
    /// nginx with nchan, however it stores.
    Nchan,
    /// Socket.IO with its Redis adapter.
    Socketio,
    /// notifyd, through the NOTIFY by which its replicas hear of each other's messages.
    Notifyd,
    /// Tidings, through its bus.
    Tidings,
}

/// Where a user's log stands; only Tidings tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The log's life.
    pub epoch: String,
    /// Its newest change.
    pub head: u64,
}

/// How far a stream's opening has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// More bytes are needed.
    Waiting,
    /// The server wants these bytes first.
    Answer(Vec<u8>),
    /// Open.
    Open(Cursor),
    /// Refused.
    Refused,
}

/// A user's name, in paths, channels and tokens.
pub fn user_name(user: u64) -> String {
    format!("u{user}")
}

impl System {
    /// The bytes with which a client asks for the stream of a user.
    pub fn request(self, user: u64, signer: &Signer, now: u64) -> Vec<u8> {
        let name = user_name(user);
        let (issued, expires) = (now - 1, now + 7_200);
        let get = |path: String, headers: String| {
            format!("GET {path} HTTP/1.1\r\nHost: load\r\nAccept: text/event-stream\r\n{headers}\r\n").into_bytes()
        };
        let bearer = |claims: String| format!("Authorization: Bearer {}\r\n", signer.sign(&claims));
        match self {
            Self::Floor | Self::Nchan => get(format!("/sub/{name}"), String::new()),
            Self::Tidings => get(
                "/api/notifications/stream".to_owned(),
                bearer(format!(r#"{{"sub":"{name}","iat":{issued},"exp":{expires}}}"#)),
            ),
            Self::Notifyd => get(
                format!("/v1/inbox/{name}/stream"),
                bearer(format!(
                    r#"{{"sub":"{name}","project":"bench","aud":"notifyd:inbox","iat":{issued},"exp":{expires}}}"#
                )),
            ),
            Self::Socketio => format!(
                "GET /socket.io/?EIO=4&transport=websocket&user={name} HTTP/1.1\r\nHost: load\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            .into_bytes(),
        }
    }

    /// How far these bytes, all that came so far, have opened the stream; `answered` when the server had its answer.
    pub fn opening(self, bytes: &[u8], answered: bool) -> Opening {
        const FIRST_LINE: &str = "HTTP/1.1 ";
        let status = bytes.get(FIRST_LINE.len()..FIRST_LINE.len() + 3);
        let Some(status) = status else { return Opening::Waiting };
        if status != b"200" && status != b"101" {
            return Opening::Refused;
        }
        match self {
            Self::Floor | Self::Nchan | Self::Notifyd => match memmem::find(bytes, b"\r\n\r\n") {
                Some(_) => Opening::Open(Cursor::default()),
                None => Opening::Waiting,
            },
            Self::Socketio if !answered => match memmem::find(bytes, b"0{\"sid\"") {
                Some(_) => Opening::Answer(wire::client_frame("40")),
                None => Opening::Waiting,
            },
            Self::Socketio => match memmem::find(bytes, b"40{\"sid\"") {
                Some(_) => Opening::Open(Cursor::default()),
                None => Opening::Waiting,
            },
            Self::Tidings => told_cursor(bytes).map_or(Opening::Waiting, Opening::Open),
        }
    }

    /// Connections that messages are published on. One pipelined connection is enough for brokers; a web server answers one
    /// request of a connection after the other.
    pub fn publishing_connections(self) -> usize {
        if self == Self::Nchan { 64 } else { 1 }
    }

    /// What to say first on a publishing connection.
    pub fn greeting(self) -> Vec<u8> {
        if self == Self::Notifyd { wire::postgres_startup("tidings", "postgres") } else { Vec::new() }
    }

    /// Writes what publishes a message to a user: its number in the run, its place in the user's log, when it is due
    /// within its phase and by the calendar, in microseconds.
    pub fn publish(self, message: &Message, cursor: &Cursor, out: &mut Vec<u8>) {
        let name = user_name(message.user);
        match self {
            Self::Floor => wire::redis_publish(&name, message.text().as_bytes(), out),
            Self::Nchan => wire::http_post(&format!("/pub/{name}"), message.text().as_bytes(), out),
            Self::Socketio => {
                let mut packet = Vec::with_capacity(2 * PAYLOAD_BYTES);
                wire::socketio_emit(&name, &message.text(), &mut packet);
                wire::redis_publish(&format!("socket.io#/#{name}#"), &packet, out);
            }
            Self::Notifyd => {
                let event = message.notifyd_event().replace('"', "\\\"");
                let payload = format!(r#"{{"k":"bench:{name}","d":"{event}"}}"#);
                wire::postgres_notify("notifyd_sse", &payload, out);
            }
            Self::Tidings => {
                let announcement = message.announcement(cursor);
                wire::redis_publish(&format!("tidings:{{default:{name}}}"), &announcement, out);
            }
        }
    }
}

/// The cursor of the hello, once it has come.
fn told_cursor(bytes: &[u8]) -> Option<Cursor> {
    const KEY: &[u8] = b"\"cursor\":\"";
    let rest = &bytes[memmem::find(bytes, KEY)? + KEY.len()..];
    let text = str::from_utf8(&rest[..memchr::memchr(b'"', rest)?]).ok()?;
    let (epoch, head) = text.split_once('.')?;
    Some(Cursor { epoch: epoch.to_owned(), head: head.parse().ok()? })
}

/// A message to one user.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// The recipient.
    pub user: u64,
    /// Its number within the run.
    pub number: u64,
    /// How many the user was sent before it.
    pub before: u64,
    /// When it is due, in microseconds since the phase began.
    pub due: u64,
    /// The same by the calendar, in microseconds since 1970.
    pub due_at: u64,
}

impl Message {
    /// The text with the marker, as long as the payload.
    fn text(&self) -> String {
        self.text_of(PAYLOAD_BYTES)
    }

    fn text_of(&self, bytes: usize) -> String {
        let mut text = Vec::with_capacity(bytes);
        marker::write(self.number, self.due, bytes, &mut text);
        String::from_utf8(text).unwrap_or_default() // it is ASCII
    }

    /// What notifyd writes on its stream for a new inbox message, as long as the payload.
    fn notifyd_event(&self) -> String {
        let event = |body: &str| {
            format!(
                r#"{{"notification":{{"body":"{body}","created_at":"2026-01-01T00:00:00.000001Z","icon":"bell","id":"00000000-0000-7000-8000-{:012x}","is_read":false,"is_todo":false,"url":null}},"type":"new_notification"}}"#,
                self.number
            )
        };
        event(&self.text_of(PAYLOAD_BYTES.saturating_sub(event("").len())))
    }

    /// What an instance of Tidings tells the others after the commit: `src/bus/redis/wire.rs` with a frame of `src/frame.rs`.
    fn announcement(&self, cursor: &Cursor) -> Vec<u8> {
        let (epoch, seq) = (&cursor.epoch, cursor.head + self.before + 1);
        let frame = format!("id: {epoch}.{seq}\nevent: notification\ndata: {}\n\n", self.item(seq, &self.text_of(0)));
        let mut out = Vec::with_capacity(64 + frame.len());
        // Writing to memory cannot fail; 1 is the rank of the priority.
        let _ = write!(out, "T1 {epoch} {seq} {} {seq},{},1,bench\n{frame}", self.due_at, frame.len());
        out
    }

    /// A notification on the stream, whose row `store.sql` writes.
    fn item(&self, seq: u64, title: &str) -> String {
        format!(
            r#"{{"id":"00000000-0000-7000-8000-{:012x}","seq":{seq},"kind":"bench","category":null,"priority":"medium","title":"{title}","message":null,"data":null,"actionUrl":null,"createdAt":"2026-01-01T00:00:00.000001Z","expiresAt":"2099-01-01T00:00:00.000001Z","readAt":null,"archivedAt":null,"unread":{}}}"#,
            self.number,
            self.before + 1
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Message = Message { user: 3, number: 10_003, before: 1, due: 77, due_at: 1_000_077 };

    #[test]
    fn every_text_on_the_stream_is_about_as_long() {
        assert_eq!(MESSAGE.text().len(), 300);
        assert_eq!(MESSAGE.notifyd_event().len(), 300);
    }

    #[test]
    fn an_announcement_names_the_frame_that_follows() {
        let cursor = Cursor { epoch: "abc".to_owned(), head: 4 };
        let text = String::from_utf8(MESSAGE.announcement(&cursor)).unwrap();
        let (header, frame) = text.split_once('\n').unwrap();
        assert_eq!(header, format!("T1 abc 6 1000077 6,{},1,bench", frame.len()));
        assert!(frame.starts_with("id: abc.6\nevent: notification\ndata: {") && frame.contains("~10003~77~"));
    }

    #[test]
    fn a_stream_is_open_when_its_system_says_so() {
        let hello = b"HTTP/1.1 200 OK\r\n\r\nid: e.4\nevent: hello\ndata: {\"cursor\":\"e.4\",";
        let open = Opening::Open(Cursor { epoch: "e".to_owned(), head: 4 });
        assert_eq!(System::Tidings.opening(hello, false), open);
        assert_eq!(System::Tidings.opening(&hello[..hello.len() - 2], false), Opening::Waiting);
        assert_eq!(System::Nchan.opening(b"HTTP/1.1 503 Busy\r\n", false), Opening::Refused);
        assert!(matches!(System::Socketio.opening(b"HTTP/1.1 101 S\r\n\r\n..0{\"sid\"", false), Opening::Answer(_)));
    }
}
