//! The times of a notification: delivery, due time and steps. And the bound on items of a kind in a window.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::priority::Priority;
use crate::domain::topic::Topic;

/// When a publish is delivered and due.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timing {
    /// When it is to reach inboxes; none means at once. It may have passed: that is for the database's clock to judge.
    pub deliver_at: Option<DateTime<Utc>>,
    /// The due time, with its reminders and escalation.
    pub due: Option<Due>,
    /// For scheduled notifications: whether the publisher set the expiry. Otherwise that moves along with the delivery.
    pub fixed_expiry: bool,
}

/// Something that is to be done by a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// By when.
    pub at: DateTime<Utc>,
    /// The steps until it is done, ordered by distinct times: reminders before, one step with neither topic nor priority at that
    /// time, escalation after. The first ones may be over at the delivery.
    pub steps: Vec<DueStep>,
}

impl Due {
    /// When its last step is.
    pub fn end(&self) -> DateTime<Utc> {
        self.steps.last().map_or(self.at, |step| step.at)
    }
}

/// One step on the way: the items of all recipients come back to the top of their inboxes, unread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DueStep {
    /// When.
    pub at: DateTime<Utc>,
    /// The topic whose subscribers get it from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// The priority that it has from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
}

/// How far something due is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DueState {
    /// Its time is to come.
    Due,
    /// Its time has passed.
    Overdue,
    /// A recipient takes care of it.
    Acknowledged,
    /// It is done.
    Done,
    /// It need not be done any more.
    Cancelled,
}

impl DueState {
    /// As stored.
    pub fn code(self) -> i16 {
        match self {
            Self::Due => 1,
            Self::Overdue => 2,
            Self::Acknowledged => 3,
            Self::Done => 4,
            Self::Cancelled => 5,
        }
    }

    /// From the stored code; none for an unknown code.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Due, Self::Overdue, Self::Acknowledged, Self::Done, Self::Cancelled]
            .into_iter()
            .find(|state| state.code() == code)
    }

    /// Whether it still is to be done.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Due | Self::Overdue)
    }
}

/// The due time of an inbox item, and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemDue {
    /// By when it was to be done.
    pub at: DateTime<Utc>,
    /// How far it is.
    pub state: DueState,
    /// The user who acknowledged or did it.
    pub by: Option<String>,
}

/// Most items of a kind that an inbox gets within a window; the rest becomes one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Burst {
    /// Most items, 1 to 1,000.
    #[serde(deserialize_with = "up_to::<1_000, _, _>")]
    #[schema(minimum = 1, maximum = 1000, example = 20)]
    pub most: i16,
    /// Length of the window, 1 to 86,400.
    #[serde(deserialize_with = "up_to::<86_400, _, _>")]
    #[schema(minimum = 1, maximum = 86_400, example = 60)]
    pub window_seconds: i32,
}

/// Reads a number, with an error that names the bounds.
fn up_to<'de, const MOST: i64, T: TryFrom<i64>, D: Deserializer<'de>>(json: D) -> Result<T, D::Error> {
    let number = i64::deserialize(json)?;
    let bounded = Some(number).filter(|number| (1..=MOST).contains(number)).and_then(|number| number.try_into().ok());
    bounded.ok_or_else(|| de::Error::custom(format_args!("must be a whole number from 1 to {MOST}")))
}
