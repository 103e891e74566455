//! The table `duties`: what is due, and the steps until somebody does it or says that somebody will.

mod settle;
mod steps;
mod tell;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

pub(crate) use self::settle::cancel;
pub(crate) use self::steps::step_some;
use crate::domain::{
    notification::NewNotification,
    timing::{Due, DueState, DueStep},
};
use crate::store::schema::duties;

/// Notes what is due of publishes that were just written, at these times.
pub(crate) async fn begin(
    conn: &mut AsyncPgConnection,
    written: &[&NewNotification],
    times: &HashMap<Uuid, DateTime<Utc>>,
) -> QueryResult<()> {
    let due = written.iter().filter_map(|item| Some((item, item.timing.due.as_ref()?, times.get(&item.id)?)));
    let row = |(item, due, time): (&&NewNotification, &Due, &DateTime<Utc>)| {
        let begun = Begun::at(&due.steps, due.at, *time);
        let waits = item.timing.deliver_at.is_some();
        (
            duties::notification_id.eq(item.id),
            duties::tenant.eq(item.tenant.as_str().to_owned()),
            duties::due_at.eq(due.at),
            duties::state.eq(begun.state.code()),
            duties::steps.eq(stored(&due.steps)),
            duties::step.eq(begun.step),
            duties::next_at.eq(begun.next_at.filter(|_| !waits)),
        )
    };
    let rows: Vec<_> = due.map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    diesel::insert_into(duties::table).values(rows).execute(conn).await.map(drop)
}

/// Keeps what is due from changing until the transaction ends.
pub(crate) async fn hold(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<()> {
    duties::table.find(id).select(duties::state).for_share().first::<i16>(conn).await.optional().map(drop)
}

/// Begins what waited with publishes that go out now.
pub(crate) async fn wake(conn: &mut AsyncPgConnection, ids: &[Uuid], time: DateTime<Utc>) -> QueryResult<()> {
    let mine = duties::table.filter(duties::notification_id.eq_any(ids));
    let waiting: Vec<(Uuid, DateTime<Utc>, Value)> =
        mine.select((duties::notification_id, duties::due_at, duties::steps)).load(conn).await?;
    for (id, due_at, steps) in waiting {
        let begun = Begun::at(&steps_of(steps), due_at, time);
        diesel::update(duties::table.find(id))
            .set((duties::state.eq(begun.state.code()), duties::step.eq(begun.step), duties::next_at.eq(begun.next_at)))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// When the last step of something due is; none when nothing is.
pub(crate) async fn end(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<DateTime<Utc>>> {
    let due = duties::table.find(id).select((duties::due_at, duties::steps));
    let row: Option<(DateTime<Utc>, Value)> = due.first(conn).await.optional()?;
    Ok(row.map(|(at, steps)| Due { at, steps: steps_of(steps) }.end()))
}

/// How something due begins that is delivered at a time.
pub(crate) struct Begun {
    pub state: DueState,
    pub step: i16,
    pub next_at: Option<DateTime<Utc>>,
}

impl Begun {
    /// Reminders of before are left out, and the step at its time when that has passed: it arrives overdue. Escalation is never
    /// left out.
    pub fn at(steps: &[DueStep], due_at: DateTime<Utc>, time: DateTime<Utc>) -> Self {
        let past = steps.iter().take_while(|step| step.at <= time && step.at <= due_at).count();
        Self {
            state: if due_at <= time { DueState::Overdue } else { DueState::Due },
            step: i16::try_from(past).unwrap_or(i16::MAX),
            next_at: steps.get(past).map(|step| step.at),
        }
    }
}

/// Steps as they are stored. Plain data always serialises.
pub(crate) fn stored(steps: &[DueStep]) -> Value {
    serde_json::to_value(steps).unwrap_or_default()
}

/// Steps of what is stored; none of what cannot be read.
pub(crate) fn steps_of(stored: Value) -> Vec<DueStep> {
    serde_json::from_value(stored).unwrap_or_default()
}
