//! Reading and changing the items of inboxes.

pub(crate) mod bulk;
pub(crate) mod choice;
pub(crate) mod filter_scan;
pub(crate) mod list;
pub(crate) mod reminders;
pub(crate) mod state;
pub(crate) mod summary;
