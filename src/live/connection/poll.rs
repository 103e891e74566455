//! Long polling: the changes after a cursor, gathered for one answer.
//!
//! It runs the stream's own steps, so verdicts, replay, order and filters are the stream's.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::{Chunk, Connection, Piece, Step};
use crate::{
    domain::cursor::Cursor,
    frame::{Block, EventType, Hello, Verdict},
    store::Store,
};

/// Most events of one answer, and most bytes of their data. A change of several events is never cut, because no cursor leads into it:
/// with such a change an answer may be longer.
const MOST_EVENTS: usize = 500;
const MOST_BYTES: usize = 1024 * 1024;

/// One answer.
#[derive(Debug)]
pub struct Polled {
    /// The verdict on the cursor.
    pub hello: Hello,
    /// The position at which the answer ends: later changes come with the next one.
    pub cursor: String,
    /// The changes after the cursor of the request, in order.
    pub events: Vec<Event>,
    /// Whether more follows already.
    pub has_more: bool,
    /// Whether it has changes that came after the verdict, whose counts are older then.
    pub outlived_hello: bool,
}

/// An event as the stream sends it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangesEvent)]
pub struct Event {
    /// The cursor after it; none within a change that the next event continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "k3f9.1042")]
    pub id: Option<String>,
    /// `notification`, `state`, `subscription` or `settings`.
    #[schema(example = "notification")]
    pub event: &'static str,
    /// As on the stream.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
}

impl Connection {
    /// Gathers the changes after the cursor and ends the stream; while there are none, waits so long. It answers sooner when the stream
    /// must end. None for a stream whose hello was sent.
    pub async fn poll(mut self, store: &Store, wait: Duration) -> Option<Polled> {
        let hello = *self.hello.take()?;
        let start = Cursor { epoch: self.epoch.clone(), seq: self.position.seq };
        let mut gathered = Gathered::from(start.to_string());
        if hello.verdict == Verdict::Resumed {
            self.gather(store, Instant::now() + wait, &mut gathered).await;
        }
        // A change whose end did not come is sent whole the next time.
        gathered.events.truncate(gathered.whole);
        Some(Polled {
            has_more: gathered.is_cut || self.position.seq < hello.cursor.seq,
            outlived_hello: self.position.seq > hello.cursor.seq,
            cursor: gathered.cursor,
            events: gathered.events,
            hello,
        })
    }

    async fn gather(&mut self, store: &Store, until: Instant, gathered: &mut Gathered) {
        while !gathered.is_cut {
            match self.step() {
                Step::Send(chunk) => gathered.take(&chunk),
                Step::Fetch(ask) => {
                    let page = store.page(ask).await;
                    self.take_in(page);
                }
                Step::Wait if gathered.whole > 0 => return,
                Step::Wait if timeout_at(until, self.member().rung()).await.is_err() => return,
                Step::Wait => {}
                Step::End => return,
            }
        }
    }
}

/// The events that were gathered so far.
struct Gathered {
    cursor: String,
    events: Vec<Event>,
    bytes: usize,
    /// How many of the events are of whole changes: as many as the cursor covers.
    whole: usize,
    is_cut: bool,
}

impl Gathered {
    fn from(cursor: String) -> Self {
        Self { cursor, events: Vec::new(), bytes: 0, whole: 0, is_cut: false }
    }

    /// Takes the events that the stream would send, up to the bounds.
    fn take(&mut self, chunk: &Chunk) {
        for block in chunk.iter().flat_map(Piece::blocks) {
            if let Some(event) = block.event.filter(|event| event.is_change()) {
                if self.is_full(block.data.len()) {
                    self.is_cut = true;
                    return;
                }
                self.push(event, &block);
            }
            if let Some(cursor) = block.cursor {
                cursor.clone_into(&mut self.cursor);
                self.whole = self.events.len();
            }
        }
    }

    /// Whether the answer ends before an event of so many bytes.
    fn is_full(&self, bytes: usize) -> bool {
        let between_changes = self.whole == self.events.len();
        let over = self.events.len() >= MOST_EVENTS || self.bytes + bytes > MOST_BYTES;
        between_changes && over && !self.events.is_empty()
    }

    fn push(&mut self, event: EventType, block: &Block<'_>) {
        // Every event's data is a line of JSON.
        let Ok(data) = RawValue::from_string(block.data.to_owned()) else { return };
        self.bytes += block.data.len();
        self.events.push(Event { id: block.cursor.map(str::to_owned), event: event.as_str(), data });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{cursor::Epoch, notification::ItemState},
        frame::{Blocks, EndReason, Frame, Renderer, STATE_IDS, bye},
    };
    use uuid::Uuid;

    fn cursor(seq: i64) -> Cursor {
        Cursor { epoch: Epoch::from("e".to_owned()), seq }
    }

    fn states(count: usize) -> Vec<ItemState> {
        let state = ItemState {
            id: Uuid::nil(),
            seq: 1,
            read: true,
            archived: false,
            deleted: false,
            seen: false,
            snoozed_until: None,
            due: None,
        };
        vec![state; count]
    }

    fn gathered(pieces: impl IntoIterator<Item = Blocks>) -> Gathered {
        let mut gathered = Gathered::from("e.0".to_owned());
        gathered.take(&[Piece::Heartbeat].into_iter().chain(pieces.into_iter().map(Piece::from)).collect());
        gathered
    }

    #[test]
    fn only_changes_are_events_and_the_cursor_ends_after_the_last() {
        let (bare, bye) = (Blocks::of_cursor(&cursor(3)), bye(EndReason::Draining, Duration::ZERO));
        let state = Frame::state(&cursor(2), &states(1), 0).blocks;
        let gathered = gathered([Frame::settings(&cursor(1), 0).blocks, state, bare, bye]);
        let changes: Vec<_> = gathered.events.iter().map(|one| (one.event, one.id.as_deref().unwrap())).collect();
        assert_eq!(changes, [("settings", "e.1"), ("state", "e.2")]);
        assert_eq!((gathered.cursor.as_str(), gathered.whole, gathered.is_cut), ("e.3", 2, false));
    }

    #[test]
    fn an_answer_is_cut_between_changes_and_never_within_one() {
        let before = (1..=499).map(|seq| Frame::settings(&cursor(seq), 0).blocks);
        let long = Frame::state(&cursor(500), &states(3 * STATE_IDS), 0).blocks;
        let gathered = gathered(before.chain([long, Frame::settings(&cursor(501), 0).blocks]));
        assert_eq!((gathered.events.len(), gathered.whole), (502, 502));
        assert_eq!((gathered.cursor.as_str(), gathered.is_cut), ("e.500", true));
    }

    #[test]
    fn a_change_without_its_end_is_not_covered() {
        let mut half = Renderer::default();
        half.push_states(None, &states(STATE_IDS), 0);
        let gathered = gathered([Frame::settings(&cursor(1), 0).blocks, half.finish()]);
        assert_eq!((gathered.events.len(), gathered.whole, gathered.cursor.as_str()), (2, 1, "e.1"));
    }

    #[test]
    fn an_answer_is_cut_before_it_is_too_long() {
        let frame = |seq| Frame::state(&cursor(seq), &states(STATE_IDS), 0).blocks;
        let length = frame(1).bytes().len();
        let gathered = gathered((1..200).map(frame));
        assert!(gathered.is_cut && gathered.bytes <= MOST_BYTES && gathered.bytes > MOST_BYTES - length);
    }

    /// A change whose data has so many bytes.
    fn change(seq: i64, bytes: usize) -> Blocks {
        let mut renderer = Renderer::default();
        renderer.push(Some(&cursor(seq)), EventType::Settings, &"x".repeat(bytes - 2));
        renderer.finish()
    }

    #[test]
    fn an_answer_takes_as_many_events_and_bytes_as_it_may() {
        let settings = |seq| Frame::settings(&cursor(seq), 0).blocks;
        let many = gathered((1..=500).map(settings));
        assert_eq!((many.events.len(), many.is_cut), (500, false));
        let more = gathered((1..=501).map(settings));
        assert_eq!((more.events.len(), more.cursor.as_str(), more.is_cut), (500, "e.500", true));
        let half = MOST_BYTES / 2;
        let full = gathered([change(1, half), change(2, half)]);
        assert_eq!((full.events.len(), full.bytes, full.is_cut), (2, MOST_BYTES, false));
        let over = gathered([change(1, half), change(2, half + 1)]);
        assert_eq!((over.events.len(), over.cursor.as_str(), over.is_cut), (1, "e.1", true));
    }

    #[test]
    fn an_answer_takes_one_change_however_long_it_is() {
        let gathered = gathered([change(1, MOST_BYTES + 1), change(2, 2)]);
        assert_eq!((gathered.events.len(), gathered.cursor.as_str(), gathered.is_cut), (1, "e.1", true));
    }
}
