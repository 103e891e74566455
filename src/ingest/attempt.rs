//! One attempt to store several notifications, with an outcome for each.

use super::Publish;
use crate::{actions::publish::Refused, domain::notification::NewNotification};

/// The outcome of one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is stored, now or before.
    Stored,
    /// It never will be, for this reason.
    Refused(String),
    /// There is too much work for the store, or for the tenant: later.
    Overloaded,
    /// The store did not take it this time.
    Unavailable,
}

/// Publishes in transactions of at most `commit_rows` inbox rows; answers in the order given.
pub(super) async fn together(publish: &Publish, items: &[NewNotification], commit_rows: usize) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(items.len());
    for chunk in chunks(items, commit_rows) {
        outcomes.extend(attempt(publish, chunk).await);
    }
    outcomes
}

/// Publishes each in a transaction of its own, so that none can spoil another's, for as long as it `works`.
pub(super) async fn singly(publish: &Publish, items: &[NewNotification], works: impl Fn() -> bool) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(items.len());
    for item in items {
        if !works() {
            break;
        }
        outcomes.extend(attempt(publish, std::slice::from_ref(item)).await);
    }
    outcomes.resize(items.len(), Outcome::Unavailable);
    outcomes
}

async fn attempt(publish: &Publish, chunk: &[NewNotification]) -> Vec<Outcome> {
    let outcomes: Vec<Outcome> = match publish(chunk.to_vec()).await {
        Ok(results) => results.iter().map(|result| result.as_ref().map_or_else(refused, |_| Outcome::Stored)).collect(),
        Err(reason) => vec![refused(&reason); chunk.len()],
    };
    debug_assert_eq!(outcomes.len(), chunk.len(), "one outcome for each notification");
    outcomes
}

fn refused(reason: &Refused) -> Outcome {
    match reason {
        Refused::KeyReused | Refused::UnknownTopic { .. } | Refused::Past | Refused::Unstorable => {
            Outcome::Refused(reason.to_string())
        }
        Refused::Overloaded { .. } => Outcome::Overloaded,
        Refused::Unavailable => Outcome::Unavailable,
    }
}

/// Cuts a list where the recipients of a part would exceed `rows`; a part has one item at least.
fn chunks(mut items: &[NewNotification], rows: usize) -> impl Iterator<Item = &[NewNotification]> {
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fitting = items.iter().take_while(|item| {
            sum += item.users.len().max(1);
            sum <= rows
        });
        let count = fitting.count().max(1);
        let (chunk, rest) = items.split_at_checked(count)?;
        items = rest;
        Some(chunk)
    })
}
