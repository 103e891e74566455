//! How a stream begins: a seat in the hub, a look at the log, a verdict.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Connection, Filter, Telling,
    recalled::Recalled,
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

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The cursor as the client sent it.
    pub cursor: Option<String>,
    /// Without a cursor: how many of the newest items to send again.
    pub replay: Option<i64>,
    /// What to leave out.
    pub filter: Filter,
    /// Which signals to send.
    pub signals: Signals,
    /// What carries the connection.
    pub transport: Transport,
}

/// Which signals a client wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signals {
    /// Those to come.
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
    /// Joins the hub, then looks where the stream stands: in this order nothing can fall between the two.
    ///
    /// # Errors
    /// When there is no room or no database.
    pub async fn open(hub: &Hub, store: &Store, identity: Identity, request: Request) -> Result<Self, NotNow> {
        let key = identity.key.clone();
        let seat = hub.join(identity, request.transport)?;
        seat.subscribed().await;
        if request.signals == Signals::None {
            seat.refuse_signals();
        }
        let (asked, page) = snapshot(store, seat.settings(), &key, &request).await?;
        Ok(Self::at(seat, &asked, page, request.filter))
    }

    /// The user's topics, once signals to them reach the connection.
    pub async fn topics(&self) -> Vec<TopicKey> {
        self.seat.topics().await
    }

    /// Has values that were signalled before sent after the hello, but for those that the client does not want.
    pub fn recall(&mut self, signals: Vec<Signal>) {
        let passes = |kind: &str| self.filter.as_ref().is_none_or(|filter| filter.passes_signal(kind));
        self.recalled = Recalled::of(signals.into_iter().filter(|signal| passes(&signal.subject.kind)));
    }

    /// The stream of a seat by what the log said to [`Asked::ask`] after the seat was taken.
    pub fn at(seat: Membership, asked: &Asked, page: Arc<Page>, filter: Filter) -> Self {
        seat.feed().observe(&page.epoch, page.head);
        let settings = seat.settings();
        let start = Start::of(asked, &page, settings.max_replay);
        ::metrics::counter!(metrics::CONNECTS, "verdict" => start.verdict.as_str()).increment(1);
        let now = Instant::now();
        let hello = Hello {
            verdict: start.verdict,
            cursor: Cursor { epoch: page.epoch.clone(), seq: start.told },
            missed: if start.verdict == Verdict::Resumed { page.head - start.from } else { 0 },
            unread: page.unread,
            connection_id: seat.member().id(),
            heartbeat_ms: u64::try_from(settings.heartbeat.as_millis()).unwrap_or(u64::MAX),
            reason: start.reason,
        };
        Self {
            filter: (filter != Filter::default()).then(|| Box::new(filter)),
            epoch: page.epoch.clone(),
            position: Position::after(start.from),
            hello: Some(Box::new(hello)),
            page: (start.from < page.head).then(|| Telling::of(page)),
            // Streams that open together must not beat together: that many writes at once would hold up the news of others.
            next_heartbeat: now + settings.heartbeat.mul_f64(rand::random_range(0.5..1.0)),
            rotates_at: now + settings.max_lifetime.mul_f64(rand::random_range(0.75..1.0)),
            wakes_at: None,
            backfill_from: now,
            warned_of: None,
            ended: None,
            recalled: None,
            handed_at: now,
            seat,
        }
    }
}
