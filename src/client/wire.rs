//! The events of a stream, with the fields that our own clients read.

use std::time::Duration;

use serde::Deserialize;

/// How a stream began: the data of `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// How the server took the cursor.
    pub verdict: Verdict,
    /// The position at which the stream starts.
    pub cursor: String,
    /// Changes that follow before the stream is live.
    #[serde(default)]
    pub missed: u64,
    /// Unread items of the inbox.
    #[serde(default)]
    pub unread: i64,
    /// Time between heartbeats.
    #[serde(default)]
    pub heartbeat_ms: u64,
    /// Why the cursor could not be resumed.
    pub reason: Option<String>,
}

/// The server's answer to a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No cursor was given.
    Fresh,
    /// Every change after the cursor follows.
    Resumed,
    /// They cannot all follow: reload the list.
    Reset,
}

/// The server is about to end the stream: the data of `bye`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bye {
    /// Why.
    pub reason: String,
    /// When to come back.
    retry_ms: Option<u64>,
}

impl Bye {
    /// How long the client is asked to stay away.
    pub fn retry(&self) -> Option<Duration> {
        self.retry_ms.map(Duration::from_millis)
    }
}

/// The fields of a notification that `tail` shows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Position in the user's log.
    pub seq: i64,
    /// The type of the notification.
    pub kind: String,
    /// low, medium, high or critical.
    pub priority: String,
    /// One line.
    pub title: String,
    /// The text below it.
    pub message: Option<String>,
    /// The address that a click opens.
    pub action_url: Option<String>,
    /// When it was published.
    pub created_at: String,
}

/// The problem of an answer, after RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The title of the problem.
    pub title: String,
    /// The detail of the problem.
    pub detail: Option<String>,
    /// Which parts of the body are wrong.
    pub errors: Vec<serde_json::Value>,
}

impl Problem {
    /// The problem of a response body; a body that is none is quoted, shortened.
    pub fn from_body(status: u16, body: &[u8]) -> Self {
        let parsed = serde_json::from_slice::<Self>(body).ok().filter(|problem| !problem.title.is_empty());
        parsed.unwrap_or_else(|| {
            let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
            Self {
                title: format!("status {status}"),
                detail: Some(text).filter(|text| !text.is_empty()),
                ..Self::default()
            }
        })
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.title)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        self.errors.iter().try_for_each(|error| match (error["pointer"].as_str(), error["detail"].as_str()) {
            (Some(pointer), Some(detail)) => write!(f, "\n  {pointer}: {detail}"),
            _ => write!(f, "\n  {error}"),
        })
    }
}
