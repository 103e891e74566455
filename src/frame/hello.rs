//! The first event of every stream: the verdict on its cursor.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{Blocks, EventType, Renderer};
use crate::domain::cursor::Cursor;

/// The verdict on a (re)connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// No cursor was given.
    Fresh,
    /// Every change after the cursor follows.
    Resumed,
    /// They cannot all follow: reload the list.
    Reset,
}

impl Verdict {
    /// As on the wire and as the metrics label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Resumed => "resumed",
            Self::Reset => "reset",
        }
    }
}

/// Why a cursor cannot be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ResetReason {
    /// Changes after the cursor were forgotten by retention.
    Pruned,
    /// The cursor is of another stream or of a former life of this one.
    Epoch,
    /// More changes were missed than are replayed.
    TooFar,
    /// Not a cursor, or one that lies ahead of the stream.
    Invalid,
}

/// The first event of every stream.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The verdict.
    pub verdict: Verdict,
    /// The stream's position at the snapshot.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, example = "k3f9a01b2c.1042")]
    pub cursor: Cursor,
    /// Changes since the client's cursor.
    pub missed: i64,
    /// The user's unread count.
    pub unread: i64,
    /// Names this connection, e.g. to extend it with a fresh token.
    pub connection_id: Uuid,
    /// Time between heartbeats.
    pub heartbeat_ms: u64,
    /// Why it is a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ResetReason>,
    /// The server's time: a client whose clock is wrong counts by it.
    pub timestamp: DateTime<Utc>,
}

fn as_text<S: serde::Serializer>(cursor: &Cursor, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cursor)
}

impl Hello {
    /// Renders it with the reconnect delay. Only a fresh or reset hello moves the client's cursor; on a resumed stream
    /// the replayed frames do.
    pub fn render(&self, retry: Duration) -> Blocks {
        let mut renderer = Renderer::after(format!("retry: {}\n\n", retry.as_millis()));
        let cursor = Some(&self.cursor).filter(|_| self.verdict != Verdict::Resumed);
        renderer.push(cursor, EventType::Hello, self);
        renderer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cursor::Epoch;

    #[test]
    fn a_resumed_hello_leaves_the_cursor_alone() {
        let hello = |verdict| Hello {
            verdict,
            cursor: Cursor { epoch: Epoch::from("e".to_owned()), seq: 4 },
            missed: 1,
            unread: 2,
            connection_id: Uuid::nil(),
            heartbeat_ms: 20_000,
            reason: None,
            timestamp: DateTime::UNIX_EPOCH,
        };
        let text = |verdict| String::from_utf8(hello(verdict).render(Duration::from_secs(2)).bytes().to_vec()).unwrap();
        assert!(!text(Verdict::Resumed).contains("id: "));
        assert!(text(Verdict::Fresh).starts_with("retry: 2000\n\nid: e.4\nevent: hello\n"));
    }

    #[test]
    fn a_hello_names_its_verdict_its_cursor_and_the_reason_of_a_reset() {
        for (verdict, name) in [(Verdict::Fresh, "fresh"), (Verdict::Resumed, "resumed"), (Verdict::Reset, "reset")] {
            assert_eq!((verdict.as_str(), serde_json::json!(verdict)), (name, name.into()));
        }
        let hello = Hello {
            verdict: Verdict::Reset,
            cursor: Cursor { epoch: Epoch::from("e".to_owned()), seq: 4 },
            missed: 0,
            unread: 2,
            connection_id: Uuid::nil(),
            heartbeat_ms: 20_000,
            reason: Some(ResetReason::TooFar),
            timestamp: DateTime::UNIX_EPOCH,
        };
        let json = concat!(
            r#"{"verdict":"reset","cursor":"e.4","missed":0,"unread":2,"#,
            r#""connectionId":"00000000-0000-0000-0000-000000000000","heartbeatMs":20000,"reason":"tooFar","#,
            r#""timestamp":"1970-01-01T00:00:00Z"}"#
        );
        assert_eq!(
            hello.render(Duration::from_secs(2)).bytes(),
            &format!("retry: 2000\n\nid: e.4\nevent: hello\ndata: {json}\n\n")
        );
    }
}
