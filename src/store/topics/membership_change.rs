//! A change of the members or subscribers of a topic, as an administrator gives it.

use crate::domain::user::UserId;

/// Users to add to a topic and users to remove from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembershipChange {
    /// In order, none twice.
    pub(crate) add: Vec<UserId>,
    /// In order, none twice, none of them in `add`.
    pub(crate) remove: Vec<UserId>,
}

impl MembershipChange {
    /// Of users in any order; none when a user is in both lists.
    pub fn of(mut add: Vec<UserId>, mut remove: Vec<UserId>) -> Option<Self> {
        for users in [&mut add, &mut remove] {
            users.sort_unstable();
            users.dedup();
        }
        let apart = add.iter().all(|user| remove.binary_search(user).is_err());
        apart.then_some(Self { add, remove })
    }

    /// Of one user to be added.
    pub fn adding(user: UserId) -> Self {
        Self { add: vec![user], remove: Vec::new() }
    }

    /// Of one user to be removed.
    pub fn removing(user: UserId) -> Self {
        Self { add: Vec::new(), remove: vec![user] }
    }

    /// The users to add.
    pub fn added(&self) -> &[UserId] {
        &self.add
    }

    /// The users to remove.
    pub fn removed(&self) -> &[UserId] {
        &self.remove
    }
}
