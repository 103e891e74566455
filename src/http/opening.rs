//! Opens a connection for every transport, and names the reasons not to.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    auth::{Identity, Rejected},
    frame::EndReason,
    health::Phase,
    live::{
        connection::{Connection, NotNow, Request, Signals, jittered},
        hub::Full,
    },
    metrics,
};

use super::{Parts, error::ApiError};

/// How long a stream that asks for last values waits for the user's subscriptions.
const SETTLING: Duration = Duration::from_secs(2);

/// Why a connection is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// The caller was revoked.
    Revoked,
    /// The instance is going away.
    Draining,
    /// There is no room, or the database is away.
    NotNow(NotNow),
}

/// Opens a connection.
///
/// # Errors
/// When it cannot be opened, which is counted.
pub async fn open(parts: &Parts, identity: Identity, asked: Request) -> Result<Connection, NotOpened> {
    let wants_last_values = asked.signals == Signals::Last;
    let opened = Connection::open(&parts.hub, &parts.store, identity.clone(), asked).await;
    // From here on a revocation or a drain reaches the connection through the hub. One that came while it opened may have missed it,
    // so both are checked again.
    let opened = if parts.authenticator.revocations().refuses(&identity) {
        Err(NotOpened::Revoked)
    } else if parts.health.phase() == Phase::Draining {
        Err(NotOpened::Draining)
    } else {
        opened.map_err(NotOpened::NotNow)
    };
    let mut connection = opened.inspect_err(|reason| count_refused(reason.as_str()))?;
    if wants_last_values {
        Box::pin(send_last_values(parts, &mut connection)).await;
    }
    Ok(connection)
}

/// Sends the last values of the user's topics first. The connection receives the topics' signals before the values are read, so no signal
/// falls between; without the database or the bus there are no values.
async fn send_last_values(parts: &Parts, connection: &mut Connection) {
    let Ok(topics) = timeout(SETTLING, connection.topics()).await else { return };
    let key = connection.member().key().clone();
    connection.send_last_values(parts.signals.last(&key, &topics).await);
}

/// Counts a connection that is not opened.
pub fn count_refused(label: &'static str) {
    ::metrics::counter!(metrics::CONNECTS_REFUSED, "reason" => label).increment(1);
}

impl NotOpened {
    /// The reason on a stream.
    pub fn end(self) -> EndReason {
        match self {
            Self::Revoked => EndReason::Revoked,
            Self::Draining => EndReason::Draining,
            Self::NotNow(_) => EndReason::Overloaded,
        }
    }

    /// The reason as an ordinary response.
    pub fn refusal(self, parts: &Parts) -> ApiError {
        let stream = &parts.settings.stream;
        let (limit, most) = match self {
            Self::Revoked => return Rejected::Revoked.into(),
            Self::Draining | Self::NotNow(NotNow::Unavailable(_)) => return ApiError::Unavailable,
            Self::NotNow(NotNow::Full(Full::Instance)) => ("max_connections", stream.per_instance),
            Self::NotNow(NotNow::Full(Full::User)) => ("max_connections_per_user", stream.per_user),
        };
        ApiError::NoRoom { limit, most, retry_after: jittered(stream.retry) }
    }

    /// The metrics label.
    fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Draining => "draining",
            Self::NotNow(reason) => reason.as_str(),
        }
    }
}
