//! How a WebSocket ends: the codes of its close frame, and the bounds behind some of them.

use metrics::counter;
use tokio_tungstenite::tungstenite::{
    Error,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::{frame::EndReason, http::error::ApiError, metrics::LIMIT_HITS};

/// Most bytes of a client's message, however many frames it comes in; the reason of the close names it.
pub const MESSAGE_BYTES: usize = 16 * 1024;

/// Why a WebSocket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The client closed it.
    Left,
    /// The client is not there any more: no close frame reaches it.
    Gone,
    /// The server closes it, with this code and reason.
    Closed(u16, &'static str),
}

/// There is no token.
const NO_TOKEN: Ending = Ending::Closed(4001, "a token is required");
/// The token does not hold, or was revoked.
const BAD_TOKEN: Ending = Ending::Closed(4002, "the token is not valid");
/// The token has ended.
const EXPIRED: Ending = Ending::Closed(4003, "the token has expired");
/// The instance goes away, or the connection reached its greatest age: others will do.
const RESTART: Ending = Ending::Closed(1012, "come back with the cursor");
/// There is no room, or the database is away.
const LATER: Ending = Ending::Closed(1013, "try again later");

impl Ending {
    /// The client does not take the messages.
    pub fn too_slow() -> Self {
        Self::by_limit("write_stall", 4008, "what was sent was not read in time")
    }

    /// More messages than a client may send.
    pub fn too_many() -> Self {
        Self::by_limit("websocket_messages_per_second", 4008, "too many messages")
    }

    /// A message that is no text.
    pub fn binary() -> Self {
        Self::Closed(1003, "messages are text")
    }

    /// After an error of the protocol or the socket.
    pub fn of_error(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::by_limit("websocket_message_bytes", 1009, "a message has 16384 bytes at most"),
            Error::Utf8(_) => Self::Closed(1007, "a message is not UTF-8"),
            Error::Protocol(_) => Self::Closed(1002, "the WebSocket protocol was broken"),
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Left,
            _ => Self::Gone,
        }
    }

    /// For a caller without access.
    pub fn of_refusal(error: &ApiError) -> Self {
        match error {
            ApiError::NoToken => NO_TOKEN,
            ApiError::ExpiredToken | ApiError::BadTokens { expired: true, .. } => EXPIRED,
            _ => BAD_TOKEN,
        }
    }

    /// The close frame, if a client is there to read it.
    pub fn frame(self) -> Option<CloseFrame> {
        match self {
            Self::Closed(code, reason) => Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() }),
            Self::Left | Self::Gone => None,
        }
    }

    fn by_limit(limit: &'static str, code: u16, reason: &'static str) -> Self {
        counter!(LIMIT_HITS, "limit" => limit).increment(1);
        Self::Closed(code, reason)
    }
}

impl From<EndReason> for Ending {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Draining | EndReason::Rotated => RESTART,
            EndReason::Expired => EXPIRED,
            EndReason::Revoked => BAD_TOKEN,
            EndReason::Overloaded => LATER,
        }
    }
}
