//! The times of a message: settled once, within bounds, and in an order that makes sense.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Message, problem::Problems};
use crate::domain::{local_time::WrittenTime, text::Malformed, zones::Zone};

/// How far ahead a delivery may be set: about five years.
const DELIVERY_AHEAD: TimeDelta = TimeDelta::days(1_830);
/// How long ago something may have been due: overdue work is published too.
const DUE_AGO: TimeDelta = TimeDelta::days(366);
/// 2000-01-01T00:00:00Z in seconds since 1970.
const EARLIEST: i64 = 946_684_800;
/// 2200-01-01T00:00:00Z in seconds since 1970.
const END: i64 = 7_258_118_400;

/// The times of a message as instants.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Times {
    pub deliver_at: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Settles the times of a message; those with a problem are left out.
pub(super) fn settle(message: &Message, problems: &mut Problems) -> Times {
    let Message { deliver_at, due_at, expires_at, time_zone, .. } = message;
    let zone: Option<Zone> = match time_zone.as_deref().map(str::parse).transpose() {
        Ok(zone) => zone,
        Err(Malformed(detail)) => {
            problems.add("/timeZone", detail);
            return Times::default();
        }
    };
    let mut settled = |pointer, time: &Option<WrittenTime>, check: Check| {
        let instant = (*time)?.settle(zone.as_ref()).map_err(|wrong| wrong.to_string());
        let checked = instant.and_then(|at| check(at).map(|()| at).map_err(|Malformed(detail)| detail.to_owned()));
        checked.map_err(|detail| problems.add(pointer, detail)).ok()
    };
    let times = Times {
        deliver_at: settled("/deliverAt", deliver_at, delivery),
        due_at: settled("/dueAt", due_at, due),
        expires_at: settled("/expiresAt", expires_at, expiry),
    };
    times.check_order(problems);
    times
}

type Check = fn(DateTime<Utc>) -> Result<(), Malformed>;

/// The time of a delivery may be over. The database's clock decides whether it is, and a repeat of a publish that was
/// delivered since must get the same answer as the first.
fn delivery(at: DateTime<Utc>) -> Result<(), Malformed> {
    if at.timestamp() < EARLIEST || at > Utc::now() + DELIVERY_AHEAD {
        return Err(Malformed("a time from the year 2000 on and at most 1,830 days ahead"));
    }
    Ok(())
}

fn due(at: DateTime<Utc>) -> Result<(), Malformed> {
    if at < Utc::now() - DUE_AGO || at.timestamp() >= END {
        return Err(Malformed("a time at most 366 days ago and before the year 2200"));
    }
    Ok(())
}

fn expiry(at: DateTime<Utc>) -> Result<(), Malformed> {
    if at <= Utc::now() || at.timestamp() >= END {
        return Err(Malformed("a time in the future and before the year 2200"));
    }
    Ok(())
}

impl Times {
    fn check_order(&self, problems: &mut Problems) {
        let reversed = |first: Option<DateTime<Utc>>, second: Option<_>| {
            first.zip(second).is_some_and(|(first, second)| first >= second)
        };
        if reversed(self.deliver_at, self.due_at) {
            problems.add("/deliverAt", "must be before dueAt");
        }
        if reversed(self.deliver_at, self.expires_at) {
            problems.add("/deliverAt", "must be before expiresAt");
        }
        if reversed(self.due_at, self.expires_at) {
            problems.add("/expiresAt", "must be after dueAt");
        }
    }

    /// From when on it can matter to its recipients.
    pub fn begin(&self) -> DateTime<Utc> {
        [self.deliver_at, self.due_at].into_iter().flatten().fold(Utc::now(), DateTime::max)
    }
}
