//! The ordered log of changes of each user: streams and pages of the log.

pub(crate) mod account_log;
pub(crate) mod coalesce;
pub(crate) mod page;
pub(crate) mod streams;
