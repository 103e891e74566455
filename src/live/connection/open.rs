//! How a stream begins: it joins the hub, reads the head of the log, and gets a verdict.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Connection, Filter,
    last_values::LastValues,
    replay::Replay,
    verdict::{Asked, Start, snapshot},
};
use crate::{
    auth::Identity,
    domain::{
        cursor::Cursor,
        signal::{Signal, TopicKey},
    },
    frame::{Hello, Verdict},
    live::hub::{Full, Hub, Membership, Transport},
    metrics,
    store::{Page, Position, Store, Unavailable},
};

/// The request of a client.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The cursor as the client sent it.
    pub cursor: Option<String>,
    /// Without a cursor: how many of the newest items to send again.
    pub replay: Option<i64>,
    /// Which changes and signals to leave out.
    pub filter: Filter,
    /// Which signals to send.
    pub signals: Signals,
    /// The transport of the connection.
    pub transport: Transport,
}

/// Which signals a client wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signals {
    /// The signals to come.
    #[default]
    All,
    /// First the last value of each subject of the user's topics.
    Last,
    /// None.
    None,
}

/// Why a stream cannot be opened now; the client is to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// No room.
    #[error(transparent)]
    Full(#[from] Full),
    /// The database is away.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl NotNow {
    /// The metrics label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full(Full::Instance) => "per_instance",
            Self::Full(Full::User) => "per_user",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl Connection {
    /// Joins the hub, then reads the head of the log. In this order a change that commits meanwhile is in the log's answer or in an
    /// announcement that reaches the feed; the other way round it could be in neither.
    ///
    /// # Errors
    /// When there is no room or no database.
    pub async fn open(hub: &Hub, store: &Store, identity: Identity, request: Request) -> Result<Self, NotNow> {
        let key = identity.key.clone();
        let membership = hub.join(identity, request.transport)?;
        membership.subscribed().await;
        if request.signals == Signals::None {
            membership.refuse_signals();
        }
        let (asked, page) = snapshot(store, membership.settings(), &key, &request).await?;
        Ok(Self::at(membership, &asked, page, request.filter))
    }

    /// The user's topics, once signals to them reach the connection.
    pub async fn topics(&self) -> Vec<TopicKey> {
        self.membership.topics().await
    }

    /// Sends the last values of subjects after the hello, without those that the client does not want.
    pub fn send_last_values(&mut self, signals: Vec<Signal>) {
        let passes = |kind: &str| self.filter.as_ref().is_none_or(|filter| filter.passes_signal(kind));
        self.last_values = LastValues::of(signals.into_iter().filter(|signal| passes(&signal.subject.kind)));
    }

    /// The stream of a member, by the log's answer to [`Asked::ask`] after it joined.
    pub fn at(membership: Membership, asked: &Asked, page: Arc<Page>, filter: Filter) -> Self {
        membership.feed().observe(&page.epoch, page.head);
        let settings = membership.settings();
        let start = Start::of(asked, &page, settings.max_replay);
        ::metrics::counter!(metrics::CONNECTS, "verdict" => start.verdict.as_str()).increment(1);
        let now = Instant::now();
        let hello = Hello {
            verdict: start.verdict,
            cursor: Cursor { epoch: page.epoch.clone(), seq: start.cursor },
            missed: if start.verdict == Verdict::Resumed { page.head - start.from } else { 0 },
            unread: page.unread,
            connection_id: membership.member().id(),
            heartbeat_ms: u64::try_from(settings.heartbeat.as_millis()).unwrap_or(u64::MAX),
            reason: start.reason,
            timestamp: page.time,
        };
        Self {
            filter: (filter != Filter::default()).then(|| Box::new(filter)),
            epoch: page.epoch.clone(),
            position: Position::after(start.from),
            hello: Some(Box::new(hello)),
            page: (start.from < page.head).then(|| Replay::of(page)),
            // Streams that open together must not beat together: so many writes at once would delay the changes of others.
            next_heartbeat: now + settings.heartbeat.mul_f64(rand::random_range(0.5..1.0)),
            rotates_at: now + settings.max_lifetime.mul_f64(rand::random_range(0.75..1.0)),
            wakes_at: None,
            backfill_from: now,
            warned_of: None,
            ended: None,
            last_values: None,
            handed_at: now,
            membership,
        }
    }
}
