//! The ordered log of changes of each user: streams, pages of the log, retention.

pub(crate) mod account_log;
pub(crate) mod coalesce;
pub(crate) mod page;
pub(crate) mod retention;
pub(crate) mod streams;
