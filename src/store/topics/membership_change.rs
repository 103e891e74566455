//! A change of who belongs to a topic, as an administrator gives it.

use crate::domain::user::UserId;

/// Who is to be added to a topic and who to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembershipChange {
    /// In order, none twice.
    pub(crate) add: Vec<UserId>,
    /// In order, none twice, none of them in `add`.
    pub(crate) remove: Vec<UserId>,
}

impl MembershipChange {
    /// Of users in whatever order; none when somebody is to be both added and removed.
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

    /// Who is to be added.
    pub fn added(&self) -> &[UserId] {
        &self.add
    }

    /// Who is to be removed.
    pub fn removed(&self) -> &[UserId] {
        &self.remove
    }
}
