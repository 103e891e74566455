//! Due items as time passes: their reminders, their escalation, and their end.

mod apply;
mod settle;
mod steps;

pub(crate) use self::settle::cancel;
pub(crate) use self::steps::step_some;
pub(crate) use crate::store::inbox::reminders::{end, wake};

/// Whether the owner of the inbox row `i` is a recipient now: named, or by `everyone`, or subscribed to one of the topics.
const CONCERNED: &str = "(i.reason is distinct from 1 or exists (select from notifications as n cross join unnest(n.topics) as named (topic) \
     cross join lateral (select from subscriptions as s where s.tenant = i.tenant and s.user_id = i.user_id and s.topic = named.topic limit 1) \
     as subscribed where n.id = i.notification_id))";
