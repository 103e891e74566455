//! What has a time: scheduled publishes, snoozes and reminders.

pub(crate) mod due_work;
pub(crate) mod reminders;
pub(crate) mod scheduled;
pub(crate) mod snooze;
