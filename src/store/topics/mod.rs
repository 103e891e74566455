//! Topics: their kinds, members and subscriptions.

pub(crate) mod facts;
pub(crate) mod kinds;
pub(crate) mod known;
pub(crate) mod members;
pub(crate) mod membership_change;
pub(crate) mod subscriptions;
