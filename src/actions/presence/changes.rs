//! The users who joined and left a topic, as a signal to the topic.

use std::collections::BTreeSet;

use serde_json::json;

use crate::domain::user::UserId;

/// Most names in a signal, of either sort: beyond, there are only counts.
const NAMES: usize = 50;

/// Users who joined and left.
#[derive(Debug, Default)]
pub(super) struct PresenceChanges {
    joined: BTreeSet<UserId>,
    left: BTreeSet<UserId>,
}

impl PresenceChanges {
    pub(super) fn joined(&mut self, user: UserId) {
        self.joined.insert(user);
    }

    pub(super) fn left(&mut self, user: UserId) {
        self.left.insert(user);
    }

    /// The data of a presence signal, in one line; `online` is how many are present now.
    pub(super) fn render(&self, online: i64) -> String {
        json!({
            "joined": some(&self.joined),
            "left": some(&self.left),
            "joinedCount": self.joined.len(),
            "leftCount": self.left.len(),
            "online": online,
        })
        .to_string()
    }
}

fn some(users: &BTreeSet<UserId>) -> Vec<&str> {
    users.iter().take(NAMES).map(UserId::as_str).collect()
}
