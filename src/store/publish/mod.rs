//! The write path of notifications: from a batch of publishes to rows in inboxes.

pub(crate) mod append;
pub(crate) mod broad;
pub(crate) mod decided;
pub(crate) mod general_append;
pub(crate) mod grouping;
pub(crate) mod insert_at_head;
pub(crate) mod scheduled;
