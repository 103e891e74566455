//! Due items as time passes: their reminders, their escalation, and their end.

mod apply;
mod settle;
mod steps;

pub(crate) use self::settle::cancel;
pub(crate) use self::steps::step_some;
pub(crate) use crate::store::inbox::reminders::{end, wake};
