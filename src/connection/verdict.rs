//! Where a stream starts: the client's cursor held against where its log stands.

use super::Request;
use crate::{
    config::StreamSettings,
    frame::{ResetReason, Verdict},
    notification::{Cursor, Seq, UserKey},
    store::{Ask, Page, Position, Store, Unavailable},
};

/// What the client's cursor turned out to be.
pub(super) enum Asked {
    Nothing,
    NewestAfter(Seq),
    After(Cursor),
    Malformed,
}

pub(super) async fn snapshot(
    store: &Store,
    settings: &StreamSettings,
    key: &UserKey,
    request: &Request,
) -> Result<(Asked, Page), Unavailable> {
    let asked = match (&request.cursor, request.replay) {
        (Some(text), _) => text.parse().map_or(Asked::Malformed, Asked::After),
        (None, Some(count)) => {
            Box::pin(store.before_newest(key, count)).await?.map_or(Asked::Nothing, Asked::NewestAfter)
        }
        (None, None) => Asked::Nothing,
    };
    let (after, max_rows) = match &asked {
        Asked::After(cursor) => (cursor.seq, settings.page_rows),
        Asked::NewestAfter(seq) => (*seq, settings.page_rows),
        Asked::Nothing | Asked::Malformed => (Seq::MAX, 0),
    };
    let page = store.page(Ask { key: key.clone(), after: Position::after(after), max_rows }).await?;
    Ok((asked, page))
}

/// Where a stream starts.
pub(super) struct Start {
    pub verdict: Verdict,
    pub reason: Option<ResetReason>,
    /// What the client has: what follows is sent.
    pub from: Seq,
    /// The cursor that the hello names.
    pub told: Seq,
}

impl Start {
    pub fn of(asked: &Asked, page: &Page, max_replay: u64) -> Self {
        let fresh = |from| Self { verdict: Verdict::Fresh, reason: None, from, told: from };
        let reset = |reason| Self { verdict: Verdict::Reset, reason: Some(reason), from: page.head, told: page.head };
        match asked {
            Asked::Nothing => fresh(page.head),
            Asked::NewestAfter(seq) => fresh((*seq).min(page.head)),
            Asked::Malformed => reset(ResetReason::Invalid),
            Asked::After(cursor) if cursor.epoch != page.epoch => reset(ResetReason::Epoch),
            Asked::After(cursor) if cursor.seq > page.head => reset(ResetReason::Invalid),
            Asked::After(cursor) if cursor.seq < page.pruned => reset(ResetReason::Pruned),
            Asked::After(cursor) if (page.head - cursor.seq).unsigned_abs() > max_replay => reset(ResetReason::TooFar),
            Asked::After(cursor) => Self { verdict: Verdict::Resumed, reason: None, from: cursor.seq, told: page.head },
        }
    }
}
