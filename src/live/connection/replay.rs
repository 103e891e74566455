//! A page of the log as the stream's events.

use std::sync::Arc;

use crate::{
    domain::{
        cursor::{Cursor, Seq},
        notification::InboxItem,
    },
    frame::{Blocks, Frame, Renderer, item_json::Item},
    live::connection::Filter,
    store::{AccountChange, Page, Position, Row},
};

/// A slice of a page is at least so long, if the page is. It is the most that a connection keeps for a socket that accepts no more,
/// and enough for one write to be worth its system call.
const SLICE_BYTES: usize = 16 * 1024;

/// A page of the log that is being sent. Connections of a user at the same position share the page.
pub(super) struct Replay {
    page: Arc<Page>,
    /// How many of its rows were rendered.
    rendered: usize,
}

impl Replay {
    pub(super) fn of(page: Arc<Page>) -> Self {
        Self { page, rendered: 0 }
    }

    pub(super) fn page(&self) -> &Page {
        &self.page
    }

    /// How many rows are left to render.
    pub(super) fn left(&self) -> usize {
        self.page.rows.len() - self.rendered
    }

    /// Renders a slice that follows `from`; answers the position after it. The events leave the client's cursor at that position,
    /// by a bare `id:` block if no frame does. Within a change that continues on the next page the cursor stays before the change.
    pub(super) fn slice(&mut self, from: Position, filter: Option<&Filter>) -> (Blocks, Position) {
        let (blocks, end, rows) = render(&self.page, &self.page.rows[self.rendered..], from, filter);
        self.rendered += rows;
        (blocks, end)
    }
}

/// The events of the first of the rows left, the position after them, and how many rows they took.
fn render(page: &Page, left: &[Row], from: Position, filter: Option<&Filter>) -> (Blocks, Position, usize) {
    let wants = |item: &InboxItem| filter.is_none_or(|filter| filter.wants(&item.content.kind, item.content.priority));
    let mut events = Renderer::default();
    // The cursor that the client has after the events so far.
    let mut cursor_at = from.seq;
    let mut end = page.end;
    let mut rows = left.iter().peekable();
    while let Some(row) = rows.next() {
        let seq = row.at().seq;
        match row {
            Row::Arrived { item: Some(item), .. } if wants(item) => {
                let frame = Frame::notification(&page.epoch, &Item::from(&**item), page.unread);
                events.append(&frame.blocks);
                cursor_at = seq;
            }
            Row::Arrived { .. } => {}
            Row::Changed { state, .. } => {
                let mut states = vec![*state];
                while let Some(Row::Changed { state, .. }) = rows.next_if(|next| shares(next, seq)) {
                    states.push(*state);
                }
                // With a cursor here, a client that comes back would miss the change's rows on the next page.
                let whole = rows.peek().is_some() || page.end.is_whole();
                let cursor = Cursor { epoch: page.epoch.clone(), seq };
                events.push_states(whole.then_some(&cursor), &states, page.unread);
                cursor_at = if whole { seq } else { cursor_at };
            }
            Row::Account { change, .. } => {
                let cursor = Cursor { epoch: page.epoch.clone(), seq };
                events.append(&account(&cursor, change, page.unread).blocks);
                cursor_at = seq;
            }
        }
        if events.len() >= SLICE_BYTES && rows.peek().is_some() {
            end = Position::after(seq);
            break;
        }
    }
    let taken = left.len() - rows.len();
    // Rows that the filter leaves out, or that are gone, must not be read again on every reconnect.
    if end.is_whole() && end.seq > cursor_at {
        events.push_cursor(&Cursor { epoch: page.epoch.clone(), seq: end.seq });
    }
    (events.finish(), end, taken)
}

fn account(cursor: &Cursor, change: &AccountChange, unread: i64) -> Frame {
    match change {
        AccountChange::Settings => Frame::settings(cursor, unread),
        AccountChange::Subscription(subscription) => Frame::subscription(cursor, subscription, unread),
    }
}

fn shares(row: &Row, seq: Seq) -> bool {
    matches!(row, Row::Changed { at, .. } if at.seq == seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::ItemState;
    use uuid::Uuid;

    fn changed(seq: Seq, row: Seq) -> Row {
        let state = ItemState {
            id: Uuid::from_u128(row.unsigned_abs().into()),
            seq: row,
            read: true,
            archived: false,
            deleted: false,
            seen: false,
            snoozed_until: None,
            due: None,
        };
        Row::Changed { state, at: Position { seq, row } }
    }

    fn replay(rows: Vec<Row>, end: Position) -> Replay {
        let (epoch, time) = ("e".to_owned().into(), chrono::DateTime::UNIX_EPOCH);
        Replay::of(Arc::new(Page { epoch, head: 9, pruned: 0, unread: 0, rows, end, time }))
    }

    /// A slice as SSE sends it.
    fn slice(replay: &mut Replay, from: Position) -> (String, Position) {
        let (blocks, end) = replay.slice(from, None);
        (String::from_utf8(blocks.bytes().to_vec()).unwrap(), end)
    }

    #[test]
    fn a_change_that_continues_leaves_the_cursor_before_it() {
        let mut replay = replay(vec![changed(5, 1), changed(9, 2), changed(9, 3)], Position { seq: 9, row: 3 });
        let (text, _) = slice(&mut replay, Position::after(4));
        assert!(text.contains("id: e.5\n"));
        assert!(!text.contains("id: e.9"));
    }

    #[test]
    fn changes_that_are_left_out_still_move_the_cursor() {
        let gone = Row::Arrived { item: None, at: Position::after(8) };
        let (text, _) = slice(&mut replay(vec![gone], Position::after(9)), Position::after(7));
        assert_eq!(text, "id: e.9\n\n");
    }

    #[test]
    fn a_long_page_is_sent_in_slices_that_end_between_changes() {
        let rows: Vec<_> = (1..=400).flat_map(|seq| [changed(seq, 2 * seq), changed(seq, 2 * seq + 1)]).collect();
        let mut replay = replay(rows, Position::after(400));
        let (mut from, mut slices, mut text) = (Position::after(0), 0, String::new());
        while replay.left() > 0 {
            let (part, end) = slice(&mut replay, from);
            assert!(part.ends_with("\n\n") && part.len() < SLICE_BYTES + 1_024);
            assert!(end.is_whole() && end > from);
            assert!(part.contains(&format!("id: e.{}\n", end.seq)));
            (from, slices) = (end, slices + 1);
            text.push_str(&part);
        }
        assert!(slices > 1);
        assert_eq!((from, text.matches("\nid: ").count() + 1), (Position::after(400), 400));
    }
}
