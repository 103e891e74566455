//! One connection as a cursor over the user's log: verdict, replay, then live. It knows no transport.
//!
//! It queues nothing. Its position says where the next changes are: in the feed's ring near the head, otherwise in the log. So a slow
//! client costs no memory and misses nothing. It waits for nothing either: a transport asks for its next [`Step`] each time the member
//! is rung, so an idle stream needs no task.

mod chunk;
mod filter;
mod last_values;
mod open;
mod poll;
mod replay;
#[cfg(test)]
mod tests;
mod verdict;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use smallvec::{SmallVec, smallvec};
use tokio::time::Instant;

pub use self::{
    chunk::{Chunk, Piece},
    filter::Filter,
    open::{NotNow, Request, Signals},
    poll::{Event, Polled},
    verdict::Asked,
};
use self::{last_values::LastValues, replay::Replay};
use crate::{
    domain::{
        cursor::{Cursor, Epoch},
        signal::Signal,
    },
    frame::{self, Blocks, EndReason, Hello},
    live::hub::{Delivery, GATHERED, Member, Membership, Read},
    metrics,
    store::{Ask, Page, Position, Store, Unavailable},
};

/// About how much is handed to the transport at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long before its end a token is said to expire.
const EXPIRY_NOTICE: Duration = Duration::from_mins(1);
/// Pause after a failed backfill; the feed and heartbeats go on meanwhile.
const BACKFILL_PAUSE: Duration = Duration::from_secs(1);

/// The next step of a transport.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a chunk lives on the stack for one write: a box would be an allocation")]
pub enum Step {
    /// Send this, then ask again.
    Send(Chunk),
    /// Read this from the log, pass the answer to [`Connection::take_in`], then ask again.
    Fetch(Ask),
    /// Ask again when the member is rung.
    Wait,
    /// Close: everything was sent.
    End,
}

/// An open stream.
pub struct Connection {
    membership: Membership,
    filter: Option<Box<Filter>>,
    epoch: Epoch,
    /// The end of the changes that were passed on; only [`Connection::advance`] moves it, and never back.
    position: Position,
    hello: Option<Box<Hello>>,
    /// Read and not sent yet.
    page: Option<Replay>,
    next_heartbeat: Instant,
    rotates_at: Instant,
    /// When the wheel rings next.
    wakes_at: Option<Instant>,
    backfill_from: Instant,
    /// The end of the token that the client was warned of.
    warned_of: Option<DateTime<Utc>>,
    ended: Option<EndReason>,
    /// Values that were signalled before it began, sent after the hello.
    last_values: Option<Box<LastValues>>,
    /// When the transport last took a chunk.
    handed_at: Instant,
}

/// The time and the connection's limits, read once for each step.
#[derive(Clone, Copy)]
struct Now {
    at: Instant,
    time: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Now {
    /// Time until the token's end.
    fn left(self) -> Duration {
        (self.expires_at - self.time).to_std().unwrap_or_default()
    }
}

impl Connection {
    /// The connection's handle within the hub.
    pub fn member(&self) -> &Member {
        self.membership.member()
    }

    /// Why it has ended, once the client was sent the reason.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.ended
    }

    /// The last whole change that was passed on.
    pub fn position(&self) -> Cursor {
        let Position { seq, .. } = self.position;
        Cursor { epoch: self.epoch.clone(), seq: if self.position.is_whole() { seq } else { seq - 1 } }
    }

    /// The next step. After `Wait` the wheel rings the member when its next time comes.
    pub fn step(&mut self) -> Step {
        if self.ended.is_some() {
            return Step::End;
        }
        let (expires_at, ordered) = self.member().limits();
        let now = Now { at: Instant::now(), time: Utc::now(), expires_at };
        let step = self.due(now, ordered);
        match &step {
            Step::Send(_) => self.handed_at = now.at,
            Step::Wait => self.schedule(now),
            Step::Fetch(_) | Step::End => {}
        }
        step
    }

    /// Takes the log's answer to the last `Fetch`.
    pub fn take_in(&mut self, page: Result<Arc<Page>, Unavailable>) {
        match page {
            Ok(page) => self.page = Some(Replay::of(page)),
            Err(Unavailable) => self.backfill_from = Instant::now() + jittered(BACKFILL_PAUSE),
        }
    }

    /// The transport accepts no more for now. The page that was read ahead is dropped, and read again when there is room, so that a
    /// client that has stopped reading costs next to nothing.
    pub fn pause(&mut self) {
        self.page = None;
    }

    /// For transports that wait: the next chunk; none when the stream has ended. Cancel safe: a chunk is taken and returned in one
    /// poll, and a page that a dropped wait was reading is read again.
    pub async fn next(&mut self, store: &Store) -> Option<Chunk> {
        loop {
            match self.step() {
                Step::Send(chunk) => return Some(chunk),
                Step::Fetch(ask) => {
                    let page = store.page(ask).await;
                    self.take_in(page);
                }
                Step::Wait => self.member().rung().await,
                Step::End => return None,
            }
        }
    }

    /// The step that is due now, the most urgent first.
    fn due(&mut self, now: Now, ordered: Option<EndReason>) -> Step {
        let expired = (now.expires_at <= now.time).then_some(EndReason::Expired);
        let rotated = (now.at >= self.rotates_at).then_some(EndReason::Rotated);
        if let Some(reason) = ordered.or(expired).or(rotated) {
            return self.end(reason);
        }
        if let Some(hello) = self.hello.take() {
            return send(hello.render(self.retry()));
        }
        if now.left() <= EXPIRY_NOTICE && self.warned_of != Some(now.expires_at) {
            self.warned_of = Some(now.expires_at);
            return send(frame::expiring(now.left()));
        }
        match self.changes(now) {
            Step::Wait if now.at >= self.next_heartbeat => {
                self.next_heartbeat = now.at + self.membership.settings().heartbeat;
                self.last_values.take_if(|values| values.are_over(now.at));
                Step::Send(smallvec![Piece::Heartbeat])
            }
            // Signals come last of all: they may be late or lost.
            Step::Wait => self.signals(),
            step => step,
        }
    }

    /// The next signals that pass the filter and are newer than the last values.
    fn signals(&mut self) -> Step {
        if let Some(values) = self.last_values.as_mut().and_then(|values| values.take()) {
            return Step::Send(values);
        }
        while let Some(signals) = self.membership.take_signals(CHUNK_BYTES) {
            let passes = |signal: &Signal| {
                self.filter.as_ref().is_none_or(|filter| filter.passes_signal(&signal.subject.kind))
                    && self.last_values.as_ref().is_none_or(|values| !values.cover(signal))
            };
            let chunk: Chunk = signals.into_iter().filter(|signal| passes(signal)).map(Piece::Signal).collect();
            if !chunk.is_empty() {
                self.membership.meters().note_signals(chunk.len());
                return Step::Send(chunk);
            }
        }
        Step::Wait
    }

    fn end(&mut self, reason: EndReason) -> Step {
        self.ended = Some(reason);
        send(frame::bye(reason, self.retry()))
    }

    /// Each client gets another delay, so that clients that left together do not come back together.
    fn retry(&self) -> Duration {
        jittered(self.membership.settings().retry)
    }

    /// The changes after the position: from the page that was read, then from the ring, then from the log itself.
    fn changes(&mut self, now: Now) -> Step {
        // The page comes first. It was read at this position, so it continues without a gap. The ring may have moved past the position
        // meanwhile.
        if let Some(page) = self.page.take() {
            let before = self.position;
            let step = self.take_page(page);
            if !matches!(step, Step::Wait) {
                return step;
            }
            if self.position == before {
                // The page was empty although the head is ahead: the log is behind the announcements, as after a failover that lost
                // commits. Without a pause this would read the same page again at once.
                self.backfill_from = now.at + jittered(BACKFILL_PAUSE);
            }
        }
        // Within a change of many rows the ring is no help: its frame would repeat the rows that were sent.
        let read = if self.position.is_whole() {
            self.membership.feed().read(&self.epoch, self.position.seq, CHUNK_BYTES)
        } else {
            Read::Behind
        };
        match read {
            Read::Current => Step::Wait,
            Read::Frames(deliveries) => Step::Send(self.take_deliveries(deliveries, now)),
            Read::OtherEpoch => self.end(EndReason::Rotated),
            Read::Behind if now.at < self.backfill_from => Step::Wait,
            Read::Behind => {
                ::metrics::counter!(metrics::BACKFILLS).increment(1);
                let key = self.member().key().clone();
                Step::Fetch(Ask { key, after: self.position, max_rows: self.membership.settings().page_rows })
            }
        }
    }

    /// Renders a slice of a page and moves on; `Wait` when nothing of the page is to be sent.
    fn take_page(&mut self, mut replay: Replay) -> Step {
        let page = replay.page();
        if page.epoch != self.epoch || self.position < Position::after(page.pruned) {
            // The rest cannot follow whole. The client comes back with its cursor, and the verdict is a reset.
            return self.end(EndReason::Rotated);
        }
        let rows = replay.left();
        let (blocks, end) = replay.slice(self.position, self.filter.as_deref());
        ::metrics::counter!(metrics::FRAMES, "from" => "backfill").increment((rows - replay.left()) as u64);
        // A log that lost commits ends before the position.
        self.advance(end.max(self.position));
        self.page = (replay.left() > 0).then_some(replay);
        if blocks.is_empty() { Step::Wait } else { send(blocks) }
    }

    fn take_deliveries(&mut self, deliveries: SmallVec<[Arc<Delivery>; GATHERED]>, now: Now) -> Chunk {
        let micros = u64::try_from(now.time.timestamp_micros()).unwrap_or(0);
        let mut moved_by_frame = false;
        let mut chunk = Chunk::new();
        for delivery in deliveries {
            debug_assert_eq!(delivery.frame.seq, self.position.seq + 1, "the ring has no gaps");
            self.advance(Position::after(delivery.frame.seq));
            moved_by_frame = self.filter.as_ref().is_none_or(|filter| filter.passes(&delivery.frame.subject));
            if moved_by_frame {
                self.membership.meters().note(&delivery, micros);
                chunk.push(Piece::Frame(delivery));
            }
        }
        if !moved_by_frame {
            let cursor = Cursor { epoch: self.epoch.clone(), seq: self.position.seq };
            chunk.push(Blocks::of_cursor(&cursor).into());
        }
        chunk
    }

    fn advance(&mut self, to: Position) {
        debug_assert!(to >= self.position, "the position went back from {:?} to {to:?}", self.position);
        self.position = to;
    }

    /// Has the wheel ring at the next time at which something is due by itself.
    fn schedule(&mut self, now: Now) {
        let mut at = self.next_heartbeat.min(self.rotates_at);
        let warned = self.warned_of == Some(now.expires_at);
        // A token may outlive the clock's range; then the heartbeat before it computes the time again.
        let notice = if warned { now.left() } else { now.left().saturating_sub(EXPIRY_NOTICE) };
        if let Some(expiry) = now.at.checked_add(notice) {
            at = at.min(expiry);
        }
        if self.backfill_from > now.at {
            at = at.min(self.backfill_from);
        }
        if self.wakes_at.is_none_or(|wakes_at| wakes_at <= now.at || at < wakes_at) {
            self.wakes_at = Some(at);
            self.membership.wake_at(at);
        }
    }
}

fn send(blocks: Blocks) -> Step {
    Step::Send(smallvec![blocks.into()])
}

impl Drop for Connection {
    fn drop(&mut self) {
        let stalled =
            self.member().is_unheard() && self.handed_at.elapsed() >= self.membership.settings().write_stall / 2;
        let reason = self.ended.map_or(if stalled { "stalled" } else { "left" }, EndReason::as_str);
        ::metrics::counter!(metrics::ENDS, "reason" => reason).increment(1);
    }
}

/// Between once and twice as long.
pub fn jittered(least: Duration) -> Duration {
    least.mul_f64(rand::random_range(1.0..2.0))
}
