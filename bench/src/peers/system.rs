//! The differences between the systems: how a stream is asked for, when it is open, and how a message reaches it.
//!
//! Messages enter at the same point as those of another instance: the channel between the system's own instances. nchan has
//! no such channel, so messages reach it over HTTP.

use anyhow::Context;
use clap::ValueEnum;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{socketio, wire};
use crate::{
    load::announcer::{Greeting, redis_publish},
    marker::Marker,
    target::Users,
};

/// Bytes of a message's text.
const PAYLOAD_BYTES: usize = 300;

/// A system under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum System {
    /// The cheapest server, `peers floor`.
    Floor,
    /// nginx with nchan, however it stores.
    Nchan,
    /// Socket.IO with its Redis adapter.
    Socketio,
    /// notifyd, through the NOTIFY between its replicas.
    Notifyd,
    /// Tidings, through its bus.
    Tidings,
}

impl System {
    /// The path of a user's stream.
    pub fn path(self, user: &str) -> String {
        match self {
            Self::Floor | Self::Nchan => format!("/sub/{user}"),
            Self::Tidings => "/api/notifications/stream".to_owned(),
            Self::Notifyd => format!("/v1/inbox/{user}/stream"),
            Self::Socketio => format!("/socket.io/?EIO=4&transport=websocket&user={user}"),
        }
    }

    /// The lines of the head of a request for a user's stream.
    ///
    /// # Errors
    /// When no token can be signed.
    pub fn headers(self, users: &Users, user: usize) -> anyhow::Result<String> {
        const EVENTS: &str = "Accept: text/event-stream\r\n";
        Ok(match self {
            Self::Floor | Self::Nchan => EVENTS.to_owned(),
            Self::Tidings => format!("{EVENTS}Authorization: Bearer {}\r\n", users.user_token(user)?),
            Self::Notifyd => format!("{EVENTS}Authorization: Bearer {}\r\n", notifyd_token(users, user)?),
            Self::Socketio => "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                .to_owned(),
        })
    }

    /// Whether a stream begins with a greeting; other streams are open as soon as the server answers.
    pub fn greets(self) -> bool {
        matches!(self, Self::Tidings | Self::Socketio)
    }

    /// Whether clients read frames of a WebSocket instead of server-sent events.
    pub fn is_framed(self) -> bool {
        self == Self::Socketio
    }

    /// Connections that messages are published on. One pipelined connection is enough for brokers; a web server answers one
    /// request of a connection after the other.
    pub fn connections(self) -> usize {
        if self == Self::Nchan { 64 } else { 1 }
    }

    /// The first bytes of a publishing connection.
    pub fn greeting(self) -> Greeting {
        match self {
            Self::Floor | Self::Socketio | Self::Tidings => Greeting::redis(),
            Self::Nchan => Greeting::default(),
            Self::Notifyd => wire::postgres_startup("tidings", "postgres"),
        }
    }

    /// Writes the publish of a message to a user; nothing for Tidings, whose messages depend on the positions of the users' logs.
    pub fn publish(self, user: &str, marker: Marker, out: &mut Vec<u8>) {
        match self {
            Self::Floor => redis_publish(user, marker.padded(PAYLOAD_BYTES).as_bytes(), out),
            Self::Nchan => wire::http_post(&format!("/pub/{user}"), marker.padded(PAYLOAD_BYTES).as_bytes(), out),
            Self::Socketio => {
                let packet = socketio::emit(user, &marker.padded(PAYLOAD_BYTES));
                redis_publish(&format!("socket.io#/#{user}#"), &packet, out);
            }
            Self::Notifyd => {
                let event = notifyd_event(marker).replace('"', "\\\"");
                let payload = format!(r#"{{"k":"bench:{user}","d":"{event}"}}"#);
                wire::postgres_notify("notifyd_sse", &payload, out);
            }
            Self::Tidings => {}
        }
    }
}

fn notifyd_token(users: &Users, user: usize) -> anyhow::Result<String> {
    let now = chrono::Utc::now().timestamp();
    let claims = json!({
        "sub": users.name(user), "project": "bench", "aud": "notifyd:inbox", "iat": now - 1, "exp": now + 7_200,
    });
    let key = EncodingKey::from_secret(users.secret().as_bytes());
    encode(&Header::new(Algorithm::HS256), &claims, &key).context("the secret cannot be a key")
}

/// The event that notifyd writes on its stream for a new inbox message, as long as the payload.
fn notifyd_event(marker: Marker) -> String {
    let event = |body: &str| {
        format!(
            r#"{{"notification":{{"body":"{body}","created_at":"2026-01-01T00:00:00.000001Z","icon":"bell","id":"00000000-0000-7000-8000-{:012x}","is_read":false,"is_todo":false,"url":null}},"type":"new_notification"}}"#,
            marker.n
        )
    };
    event(&marker.padded(PAYLOAD_BYTES.saturating_sub(event("").len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker = Marker { n: 10_003, t: 77 };

    #[test]
    fn every_text_on_the_stream_is_about_as_long() {
        assert_eq!(notifyd_event(MARKER).len(), PAYLOAD_BYTES);
        let mut post = Vec::new();
        System::Nchan.publish("u3", MARKER, &mut post);
        let post = String::from_utf8(post).unwrap();
        assert_eq!(post.split_once("\r\n\r\n").unwrap().1.len(), PAYLOAD_BYTES);
        assert!(post.starts_with("POST /pub/u3 HTTP/1.1\r\n"), "{post}");
    }
}
