//! The due time of a message: reminders before, escalation after.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Message, problem::Problems};
use crate::domain::{
    priority::Priority,
    timing::{Due, DueStep},
    topic::Topic,
};

const REMINDERS: usize = 5;
const ESCALATIONS: usize = 10;
/// Most seconds from a reminder to the time, and from there to a step of escalation: 30 days.
const FAR_SECONDS: i64 = 2_592_000;
const SECONDS: &str = "1 to 2,592,000 seconds (30 days)";
const NOT_DUE: &str = "needs dueAt";

/// A step after the due time, if it is not done by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Escalation {
    /// Seconds after `dueAt`, 1 to 2,592,000; each step's is more than that of the one before.
    #[schema(minimum = 1, maximum = 2_592_000, example = 900)]
    after: i64,
    /// A topic whose subscribers get it from then on; one that does not have it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "team:supervisors")]
    topic: Option<Topic>,
    /// The priority that it has from then on, higher than before. A step with neither reminds again.
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
}

/// Checks what needs no tenant: the bounds, and the fields that cannot be combined with `dueAt`.
pub(super) fn check(message: &Message, problems: &mut Problems) {
    let Message { remind_before, escalation, .. } = message;
    let due = message.due_at.is_some();
    if due && message.everyone {
        problems.add("/everyone", "what is due is for users or topics that are named, so not beside dueAt");
    }
    if due && message.thread_key.is_some() {
        problems.add("/threadKey", "cannot be combined with dueAt");
    }
    if !remind_before.is_empty() && !due {
        problems.add("/remindBefore", NOT_DUE);
    }
    if !escalation.is_empty() && !due {
        problems.add("/escalation", NOT_DUE);
    }
    reminders(remind_before, problems);
    escalations(escalation, problems);
}

fn reminders(reminders: &[i64], problems: &mut Problems) {
    if reminders.len() > REMINDERS {
        return problems.add("/remindBefore", format!("at most {REMINDERS} reminders"));
    }
    for (index, seconds) in reminders.iter().enumerate() {
        if !(1..=FAR_SECONDS).contains(seconds) {
            problems.add(format!("/remindBefore/{index}"), SECONDS);
        } else if reminders[..index].contains(seconds) {
            problems.add(format!("/remindBefore/{index}"), "is there twice");
        }
    }
}

fn escalations(steps: &[Escalation], problems: &mut Problems) {
    if steps.len() > ESCALATIONS {
        return problems.add("/escalation", format!("at most {ESCALATIONS} steps"));
    }
    let mut before = 0;
    for (index, step) in steps.iter().enumerate() {
        if !(1..=FAR_SECONDS).contains(&step.after) {
            problems.add(format!("/escalation/{index}/after"), SECONDS);
        } else if step.after <= before {
            problems.add(format!("/escalation/{index}/after"), "must be more than that of the step before");
        }
        before = before.max(step.after);
    }
}

/// Checks that each step leads on, given what the message has from its channel and from its kind: to topics that do
/// not have it yet, and to higher priorities.
pub(super) fn check_course(message: &Message, mut priority: Priority) -> Result<(), Problems> {
    let mut problems = Problems::default();
    let mut topics: Vec<&Topic> = message.topics.iter().collect();
    for (index, step) in message.escalation.iter().enumerate() {
        if let Some(topic) = &step.topic {
            if topics.contains(&topic) {
                problems.add(format!("/escalation/{index}/topic"), "leads back to a topic that has it already");
            }
            topics.push(topic);
        }
        if let Some(higher) = step.priority {
            if higher <= priority {
                let detail = format!("must be higher than {}, which it has by then", priority.as_str());
                problems.add(format!("/escalation/{index}/priority"), detail);
            }
            priority = priority.max(higher);
        }
    }
    problems.into_result()
}

/// The due time with its steps, of a message that was checked.
pub(super) fn due(at: DateTime<Utc>, reminders: &[i64], escalation: Vec<Escalation>) -> Due {
    let plain = |seconds: i64| DueStep { at: at + TimeDelta::seconds(seconds), topic: None, priority: None };
    let mut steps: Vec<_> = reminders.iter().map(|before| plain(-before)).collect();
    steps.push(plain(0));
    let raised = |Escalation { after, topic, priority }| DueStep { topic, priority, ..plain(after) };
    steps.extend(escalation.into_iter().map(raised));
    steps.sort_by_key(|step| step.at);
    Due { at, steps }
}
