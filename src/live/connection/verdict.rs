//! The start of a stream: the client's cursor compared with the log.

use std::sync::Arc;

use super::Request;
use crate::{
    config::StreamSettings,
    domain::{
        cursor::{Cursor, Seq},
        user::UserKey,
    },
    frame::{ResetReason, Verdict},
    store::{Ask, Page, Position, Store, Unavailable, Witness},
};

/// The client's cursor, parsed.
pub enum Asked {
    /// There is none.
    Nothing,
    /// There is none, and the items after this are to be sent again.
    NewestAfter(Seq),
    /// A cursor of some stream.
    After(Cursor),
    /// Not a cursor.
    Malformed,
}

impl Asked {
    /// The question to the log whose answer gives the start of the stream.
    pub fn ask(&self, key: &UserKey, page_rows: usize) -> Ask {
        let (after, max_rows) = match self {
            Self::After(cursor) => (cursor.seq, page_rows),
            Self::NewestAfter(seq) => (*seq, page_rows),
            Self::Nothing | Self::Malformed => (Seq::MAX, 0),
        };
        Ask { key: key.clone(), after: Position::after(after), max_rows }
    }
}

pub(super) async fn snapshot(
    store: &Store,
    settings: &StreamSettings,
    key: &UserKey,
    request: &Request,
) -> Result<(Asked, Arc<Page>), Unavailable> {
    let asked = match (&request.cursor, request.replay) {
        (Some(text), _) => text.parse().map_or(Asked::Malformed, Asked::After),
        (None, Some(count)) => {
            Box::pin(store.before_newest(key, count)).await?.map_or(Asked::Nothing, Asked::NewestAfter)
        }
        (None, None) => Asked::Nothing,
    };
    let page = store.page(asked.ask(key, settings.page_rows)).await?;
    match &asked {
        // The client has a change that the database lacks. If the database forgot it, it forgot those of others too.
        Asked::After(cursor) if is_ahead(cursor, &page) => {
            store.accuse(key, cursor, Witness::Client).await?;
            // Whatever the answer was: another accuser may have raised the generation since the page was read.
            let page = store.page(asked.ask(key, settings.page_rows)).await?;
            Ok((asked, page))
        }
        _ => Ok((asked, page)),
    }
}

fn is_ahead(cursor: &Cursor, page: &Page) -> bool {
    cursor.epoch == page.epoch && cursor.seq > page.head
}

/// The start of a stream.
pub(super) struct Start {
    pub verdict: Verdict,
    pub reason: Option<ResetReason>,
    /// The client has the changes up to this one; the later ones are sent.
    pub from: Seq,
    /// The cursor that the hello names.
    pub cursor: Seq,
}

impl Start {
    pub fn of(asked: &Asked, page: &Page, max_replay: u64) -> Self {
        let fresh = |from| Self { verdict: Verdict::Fresh, reason: None, from, cursor: from };
        let reset = |reason| Self { verdict: Verdict::Reset, reason: Some(reason), from: page.head, cursor: page.head };
        match asked {
            Asked::Nothing => fresh(page.head),
            Asked::NewestAfter(seq) => fresh((*seq).min(page.head)),
            Asked::Malformed => reset(ResetReason::Invalid),
            // The epoch comes first: seqs of two epochs cannot be compared.
            Asked::After(cursor) if cursor.epoch != page.epoch => reset(ResetReason::Epoch),
            Asked::After(cursor) if is_ahead(cursor, page) => reset(ResetReason::Invalid),
            Asked::After(cursor) if cursor.seq < page.pruned => reset(ResetReason::Pruned),
            Asked::After(cursor) if (page.head - cursor.seq).unsigned_abs() > max_replay => reset(ResetReason::TooFar),
            Asked::After(cursor) => {
                Self { verdict: Verdict::Resumed, reason: None, from: cursor.seq, cursor: page.head }
            }
        }
    }
}
