//! A page of the log as the stream's text.

use crate::{
    connection::Filter,
    frame::{Frame, bare_cursor, state_blocks},
    notification::{Cursor, InboxItem, Seq},
    store::{Page, Position, Row},
    wire::Item,
};

/// Renders a page that follows `from`. The text leaves the client's cursor at the page's end, by a bare `id:` block if
/// no frame does; within a change that goes on on the next page the cursor stays before it.
pub(super) fn render(page: &Page, from: Position, filter: Option<&Filter>) -> String {
    let wants = |item: &InboxItem| filter.is_none_or(|filter| filter.wants(&item.content.kind, item.content.priority));
    let mut text = String::new();
    let mut told = from.seq;
    let mut rows = page.rows.iter().peekable();
    while let Some(row) = rows.next() {
        match row {
            Row::Arrived { item: Some(item), at } if wants(item) => {
                let frame = Frame::notification(&page.epoch, &Item::from(&**item), page.unread);
                // Frames are made of text, so the bytes are UTF-8.
                text.push_str(std::str::from_utf8(&frame.bytes).unwrap_or_default());
                told = at.seq;
            }
            Row::Arrived { .. } => {}
            Row::Changed { state, at } => {
                let mut states = vec![state.clone()];
                while let Some(Row::Changed { state, .. }) = rows.next_if(|next| shares(next, at.seq)) {
                    states.push(state.clone());
                }
                let whole = rows.peek().is_some() || page.end.is_whole();
                let cursor = Cursor { epoch: page.epoch.clone(), seq: at.seq };
                text.push_str(&state_blocks(whole.then_some(&cursor), &states, page.unread));
                told = if whole { at.seq } else { told };
            }
        }
    }
    if page.end.is_whole() && page.end.seq > told {
        text.push_str(&bare_cursor(&Cursor { epoch: page.epoch.clone(), seq: page.end.seq }));
    }
    text
}

fn shares(row: &Row, seq: Seq) -> bool {
    matches!(row, Row::Changed { at, .. } if at.seq == seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::ItemState;
    use uuid::Uuid;

    fn changed(seq: Seq, row: Seq) -> Row {
        let state = ItemState {
            id: Uuid::from_u128(row.unsigned_abs().into()),
            seq: row,
            read: true,
            archived: false,
            deleted: false,
        };
        Row::Changed { state, at: Position { seq, row } }
    }

    fn page(rows: Vec<Row>, end: Position) -> Page {
        Page { epoch: "e".to_owned().into(), head: 9, pruned: 0, unread: 0, rows, end }
    }

    #[test]
    fn a_change_that_goes_on_leaves_the_cursor_before_it() {
        let page = page(vec![changed(5, 1), changed(9, 2), changed(9, 3)], Position { seq: 9, row: 3 });
        let text = render(&page, Position::after(4), None);
        assert!(text.contains("id: e.5\n"));
        assert!(!text.contains("id: e.9"));
    }

    #[test]
    fn what_is_left_out_still_moves_the_cursor() {
        let gone = Row::Arrived { item: None, at: Position::after(8) };
        let text = render(&page(vec![gone], Position::after(9)), Position::after(7), None);
        assert_eq!(text, "id: e.9\n\n");
    }
}
