//! One connection as a cursor over the user's log: verdict, replay, then live. It knows no transport.
//!
//! It queues nothing. What it sends next is found from its position: in the feed's ring when the position is near the
//! head, in the log when it is not. So a slow client costs no memory and misses nothing.

mod filter;
mod replay;
mod verdict;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use tokio::time::Instant;

pub use filter::Filter;

use self::verdict::{Start, snapshot};

use crate::{
    auth::Identity,
    config::StreamSettings,
    frame::{self, EndReason, Hello, Verdict},
    hub::{Delivery, Full, Hub, Read, Seat},
    metrics,
    notification::{Cursor, Epoch},
    store::{Ask, Page, Position, Store, Unavailable},
};

/// About how much is handed to the transport at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long before its end a token is said to expire.
const EXPIRY_NOTICE: Duration = Duration::from_mins(1);
/// Pause after a failed backfill; the feed and heartbeats go on meanwhile.
const BACKFILL_PAUSE: Duration = Duration::from_secs(1);

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The cursor as the client sent it.
    pub cursor: Option<String>,
    /// Without a cursor: how many of the newest items to send again.
    pub replay: Option<i64>,
    /// What to leave out.
    pub filter: Filter,
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

/// An open stream.
pub struct Connection {
    seat: Seat,
    store: Store,
    settings: StreamSettings,
    filter: Filter,
    epoch: Epoch,
    position: Position,
    hello: Option<Hello>,
    /// Read and not sent yet.
    page: Option<Page>,
    next_heartbeat: Instant,
    rotates_at: Instant,
    /// When the wheel is to ring next.
    wakes_at: Option<Instant>,
    backfill_from: Instant,
    /// The end of the token that the client was warned of.
    warned_of: Option<DateTime<Utc>>,
    ended: Option<EndReason>,
    /// When the transport last took something.
    handed_at: Instant,
}

impl Connection {
    /// Joins the hub, then looks where the stream stands: in this order nothing can fall between the two.
    ///
    /// # Errors
    /// When there is no room or no database.
    pub async fn open(
        hub: &Hub,
        store: &Store,
        settings: &StreamSettings,
        identity: Identity,
        request: Request,
    ) -> Result<Self, NotNow> {
        let key = identity.key.clone();
        let seat = hub.join(identity)?;
        seat.subscribed().await;
        let (asked, page) = snapshot(store, settings, &key, &request).await?;
        seat.feed().observe(&page.epoch, page.head);
        let start = Start::of(&asked, &page, settings.max_replay);
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
        Ok(Self {
            seat,
            store: store.clone(),
            filter: request.filter,
            epoch: page.epoch.clone(),
            position: Position::after(start.from),
            hello: Some(hello),
            page: (start.from < page.head).then_some(page),
            next_heartbeat: now + settings.heartbeat,
            rotates_at: now + settings.max_lifetime.mul_f64(rand::random_range(0.75..1.0)),
            wakes_at: None,
            backfill_from: now,
            warned_of: None,
            ended: None,
            handed_at: now,
            settings: settings.clone(),
        })
    }

    /// What to send next; none when the stream has ended. Cancel safe: nothing is lost when a wait is dropped.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.ended.is_some() {
                return None;
            }
            if let Some(bytes) = self.due().await {
                self.handed_at = Instant::now();
                return Some(bytes);
            }
            self.schedule();
            self.seat.member().rung().await;
        }
    }

    /// What is due now, the most urgent first.
    async fn due(&mut self) -> Option<Bytes> {
        if let Some(reason) = self.must_end() {
            return Some(self.end(reason));
        }
        if let Some(hello) = self.hello.take() {
            return Some(hello.render(self.retry()).into());
        }
        if let Some(warning) = self.warning() {
            return Some(warning);
        }
        if let Some(bytes) = self.news().await {
            return Some(bytes);
        }
        if self.ended.is_none() && Instant::now() >= self.next_heartbeat {
            self.next_heartbeat = Instant::now() + self.settings.heartbeat;
            return Some(Bytes::from_static(frame::HEARTBEAT));
        }
        None
    }

    fn must_end(&self) -> Option<EndReason> {
        let expired = self.expires_at() <= Utc::now();
        self.seat
            .member()
            .ending()
            .or_else(|| expired.then_some(EndReason::Expired))
            .or_else(|| (Instant::now() >= self.rotates_at).then_some(EndReason::Rotated))
    }

    fn end(&mut self, reason: EndReason) -> Bytes {
        self.ended = Some(reason);
        frame::bye(reason, self.retry()).into()
    }

    /// Each client is told another delay, so that those who left together do not come back together.
    fn retry(&self) -> Duration {
        jittered(self.settings.retry)
    }

    fn expires_at(&self) -> DateTime<Utc> {
        self.seat.member().expires_at()
    }

    fn warning(&mut self) -> Option<Bytes> {
        let expires_at = self.expires_at();
        let left = (expires_at - Utc::now()).to_std().unwrap_or_default();
        if left > EXPIRY_NOTICE || self.warned_of == Some(expires_at) {
            return None;
        }
        self.warned_of = Some(expires_at);
        Some(frame::expiring(left).into())
    }

    /// What follows the position: from the snapshot, the ring or the log.
    async fn news(&mut self) -> Option<Bytes> {
        loop {
            if let Some(page) = self.page.take() {
                let before = self.position;
                let bytes = self.take_page(page);
                if bytes.is_some() {
                    return bytes;
                }
                if self.position == before {
                    // The log is behind what was announced, as after a failover that lost commits: do not spin.
                    self.backfill_from = Instant::now() + jittered(BACKFILL_PAUSE);
                }
                continue;
            }
            let read = if self.position.is_whole() {
                self.seat.feed().read(&self.epoch, self.position.seq, CHUNK_BYTES)
            } else {
                Read::Behind
            };
            match read {
                Read::Current => return None,
                Read::Frames(deliveries) => return Some(self.take_deliveries(&deliveries)),
                Read::OtherEpoch => return Some(self.end(EndReason::Rotated)),
                Read::Behind if Instant::now() < self.backfill_from => return None,
                Read::Behind => {
                    if let Ok(page) = self.backfill().await {
                        self.page = Some(page);
                    } else {
                        self.backfill_from = Instant::now() + jittered(BACKFILL_PAUSE);
                        return None;
                    }
                }
            }
        }
    }

    async fn backfill(&self) -> Result<Page, Unavailable> {
        ::metrics::counter!(metrics::BACKFILLS).increment(1);
        let key = self.seat.member().key().clone();
        self.store.page(Ask { key, after: self.position, max_rows: self.settings.page_rows }).await
    }

    /// Renders a page and moves on; none when nothing of it is to be sent.
    fn take_page(&mut self, page: Page) -> Option<Bytes> {
        if page.epoch != self.epoch || self.position.seq < page.pruned {
            // The rest cannot follow whole: the client comes back and is told so by a reset.
            return Some(self.end(EndReason::Rotated));
        }
        ::metrics::counter!(metrics::FRAMES, "from" => "backfill").increment(page.rows.len() as u64);
        let text = replay::render(&page, self.position, &self.filter);
        self.position = page.end.max(self.position);
        (!text.is_empty()).then(|| text.into())
    }

    fn take_deliveries(&mut self, deliveries: &[Delivery]) -> Bytes {
        let now = micros_now();
        let mut moved_by_frame = false;
        let mut chunk = BytesMut::new();
        for delivery in deliveries {
            self.position = Position::after(delivery.frame.seq);
            moved_by_frame = self.filter.passes(&delivery.frame.subject);
            if !moved_by_frame {
                continue;
            }
            observe_lag(delivery, now);
            if deliveries.len() == 1 {
                return delivery.frame.bytes.clone();
            }
            chunk.extend_from_slice(&delivery.frame.bytes);
        }
        if !moved_by_frame {
            let cursor = Cursor { epoch: self.epoch.clone(), seq: self.position.seq };
            chunk.extend_from_slice(frame::bare_cursor(&cursor).as_bytes());
        }
        chunk.freeze()
    }

    /// Has the wheel ring at the next time at which something is due by itself.
    fn schedule(&mut self) {
        let now = Instant::now();
        let mut at = self.next_heartbeat.min(self.rotates_at);
        let left = (self.expires_at() - Utc::now()).to_std().unwrap_or_default();
        let warned = self.warned_of == Some(self.expires_at());
        // A token may outlive the clock's range: what lies beyond the next heartbeat is looked at again then.
        if let Some(expiry) = now.checked_add(if warned { left } else { left.saturating_sub(EXPIRY_NOTICE) }) {
            at = at.min(expiry);
        }
        if self.backfill_from > now {
            at = at.min(self.backfill_from);
        }
        if self.wakes_at.is_none_or(|wakes_at| wakes_at <= now || at < wakes_at) {
            self.wakes_at = Some(at);
            self.seat.wake_at(at);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let stalled = self.seat.member().is_unheard() && self.handed_at.elapsed() >= self.settings.write_stall / 2;
        let reason = self.ended.map_or(if stalled { "stalled" } else { "left" }, EndReason::as_str);
        ::metrics::counter!(metrics::ENDS, "reason" => reason).increment(1);
    }
}

/// Between once and twice as long.
pub fn jittered(least: Duration) -> Duration {
    least.mul_f64(rand::random_range(1.0..2.0))
}

fn micros_now() -> u64 {
    u64::try_from(Utc::now().timestamp_micros()).unwrap_or(0)
}

/// Records how long a publish took to get here; a clock that runs behind the publisher's instance counts as no time.
fn observe_lag(delivery: &Delivery, now: u64) {
    ::metrics::counter!(metrics::FRAMES, "from" => "ring").increment(1);
    if delivery.published_at > 0 {
        let lag = Duration::from_micros(now.saturating_sub(delivery.published_at));
        ::metrics::histogram!(metrics::LAG_SECONDS, "path" => delivery.origin.as_str()).record(lag);
    }
}
