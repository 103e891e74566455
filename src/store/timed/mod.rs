//! Everything with a time: scheduled publishes, snoozes, reminders and expiry.

pub(crate) mod due_work;
pub(crate) mod reminders;
pub(crate) mod retention;
mod retract;
pub(crate) mod scheduled;
pub(crate) mod snooze;
