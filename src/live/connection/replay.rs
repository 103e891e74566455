//! A page of the log as the stream's text.

use std::sync::Arc;

use crate::{
    domain::{
        cursor::{Cursor, Seq},
        notification::InboxItem,
    },
    frame::{Frame, bare_cursor, item_json::Item, state_blocks},
    live::connection::Filter,
    store::{AccountChange, Page, Position, Row},
};

/// A slice of a page is at least so long, if the page is: what a socket that accepts no more makes a connection keep.
const SLICE_BYTES: usize = 16 * 1024;

/// A page of the log that is being told. Connections of a user that are at the same place share it.
pub(super) struct Telling {
    page: Arc<Page>,
    /// How many of its rows were told.
    told: usize,
}

impl Telling {
    pub(super) fn of(page: Arc<Page>) -> Self {
        Self { page, told: 0 }
    }

    pub(super) fn page(&self) -> &Page {
        &self.page
    }

    /// How many rows are left to tell.
    pub(super) fn left(&self) -> usize {
        self.page.rows.len() - self.told
    }

    /// Tells a slice that follows `from`; answers the place after it. The text leaves the client's cursor at that place,
    /// by a bare `id:` block if no frame does; within a change that goes on on the next page the cursor stays before it.
    pub(super) fn slice(&mut self, from: Position, filter: Option<&Filter>) -> (String, Position) {
        let (text, end, rows) = render(&self.page, &self.page.rows[self.told..], from, filter);
        self.told += rows;
        (text, end)
    }
}

/// The text of the first of the rows left, the place after it, and how many rows it took.
fn render(page: &Page, left: &[Row], from: Position, filter: Option<&Filter>) -> (String, Position, usize) {
    let wants = |item: &InboxItem| filter.is_none_or(|filter| filter.wants(&item.content.kind, item.content.priority));
    let mut text = String::new();
    let mut told = from.seq;
    let mut end = page.end;
    let mut rows = left.iter().peekable();
    while let Some(row) = rows.next() {
        let seq = row.at().seq;
        match row {
            Row::Arrived { item: Some(item), .. } if wants(item) => {
                let frame = Frame::notification(&page.epoch, &Item::from(&**item), page.unread);
                push(&mut text, &frame);
                told = seq;
            }
            Row::Arrived { .. } => {}
            Row::Changed { state, .. } => {
                let mut states = vec![*state];
                while let Some(Row::Changed { state, .. }) = rows.next_if(|next| shares(next, seq)) {
                    states.push(*state);
                }
                let whole = rows.peek().is_some() || page.end.is_whole();
                let cursor = Cursor { epoch: page.epoch.clone(), seq };
                text.push_str(&state_blocks(whole.then_some(&cursor), &states, page.unread));
                told = if whole { seq } else { told };
            }
            Row::Account { change, .. } => {
                let cursor = Cursor { epoch: page.epoch.clone(), seq };
                push(&mut text, &account(&cursor, change, page.unread));
                told = seq;
            }
        }
        if text.len() >= SLICE_BYTES && rows.peek().is_some() {
            end = Position::after(seq);
            break;
        }
    }
    let taken = left.len() - rows.len();
    if end.is_whole() && end.seq > told {
        text.push_str(&bare_cursor(&Cursor { epoch: page.epoch.clone(), seq: end.seq }));
    }
    (text, end, taken)
}

fn push(text: &mut String, frame: &Frame) {
    // Frames are made of text, so the bytes are UTF-8.
    text.push_str(std::str::from_utf8(&frame.bytes).unwrap_or_default());
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

    fn telling(rows: Vec<Row>, end: Position) -> Telling {
        Telling::of(Arc::new(Page { epoch: "e".to_owned().into(), head: 9, pruned: 0, unread: 0, rows, end }))
    }

    #[test]
    fn a_change_that_goes_on_leaves_the_cursor_before_it() {
        let mut telling = telling(vec![changed(5, 1), changed(9, 2), changed(9, 3)], Position { seq: 9, row: 3 });
        let (text, _) = telling.slice(Position::after(4), None);
        assert!(text.contains("id: e.5\n"));
        assert!(!text.contains("id: e.9"));
    }

    #[test]
    fn what_is_left_out_still_moves_the_cursor() {
        let gone = Row::Arrived { item: None, at: Position::after(8) };
        let (text, _) = telling(vec![gone], Position::after(9)).slice(Position::after(7), None);
        assert_eq!(text, "id: e.9\n\n");
    }

    #[test]
    fn a_long_page_is_told_in_slices_that_end_between_changes() {
        let rows: Vec<_> = (1..=400).flat_map(|seq| [changed(seq, 2 * seq), changed(seq, 2 * seq + 1)]).collect();
        let mut telling = telling(rows, Position::after(400));
        let (mut from, mut slices, mut text) = (Position::after(0), 0, String::new());
        while telling.left() > 0 {
            let (slice, end) = telling.slice(from, None);
            assert!(slice.ends_with("\n\n") && slice.len() < SLICE_BYTES + 1_024);
            assert!(end.is_whole() && end > from);
            assert!(slice.contains(&format!("id: e.{}\n", end.seq)));
            (from, slices) = (end, slices + 1);
            text.push_str(&slice);
        }
        assert!(slices > 1);
        assert_eq!((from, text.matches("\nid: ").count() + 1), (Position::after(400), 400));
    }
}
