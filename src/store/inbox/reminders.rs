//! The table `duties`: due items, and the steps until a user acknowledges or finishes them. The steps themselves are in `timed`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{
    notification::NewNotification,
    timing::{Due, DueState, DueStep},
};
use crate::store::schema::duties;

/// Writes the due items of publishes that were written at these times.
pub(crate) async fn begin(
    conn: &mut AsyncPgConnection,
    written: &[&NewNotification],
    times: &HashMap<Uuid, DateTime<Utc>>,
) -> QueryResult<()> {
    let due = written.iter().filter_map(|item| Some((item, item.timing.due.as_ref()?, times.get(&item.id)?)));
    let row = |(item, due, time): (&&NewNotification, &Due, &DateTime<Utc>)| {
        let begun = Begun::at(&due.steps, due.at, *time);
        let is_scheduled = item.timing.deliver_at.is_some();
        (
            duties::notification_id.eq(item.id),
            duties::tenant.eq(item.tenant.as_str().to_owned()),
            duties::due_at.eq(due.at),
            duties::state.eq(begun.state.code()),
            duties::steps.eq(document(&due.steps)),
            duties::step.eq(begun.step),
            duties::next_at.eq(begun.next_at.filter(|_| !is_scheduled)),
        )
    };
    debug_assert!(written.iter().all(|item| times.contains_key(&item.id)), "each written item has its time");
    let rows: Vec<_> = due.map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    diesel::insert_into(duties::table).values(rows).execute(conn).await.map(drop)
}

/// Keeps a due item from changing until the transaction ends: a chunk must not insert it as open after it was finished.
pub(crate) async fn hold(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<()> {
    duties::table.find(id).select(duties::state).for_share().first::<i16>(conn).await.optional().map(drop)
}

/// Starts the due items of scheduled publishes that are delivered now.
pub(crate) async fn wake(conn: &mut AsyncPgConnection, ids: &[Uuid], time: DateTime<Utc>) -> QueryResult<()> {
    let mine = duties::table.filter(duties::notification_id.eq_any(ids));
    let delivered: Vec<(Uuid, DateTime<Utc>, Value)> =
        mine.select((duties::notification_id, duties::due_at, duties::steps)).load(conn).await?;
    for (id, due_at, steps) in delivered {
        let begun = Begun::at(&steps_of(id, steps), due_at, time);
        diesel::update(duties::table.find(id))
            .set((duties::state.eq(begun.state.code()), duties::step.eq(begun.step), duties::next_at.eq(begun.next_at)))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// When the last step of a due item is; none when nothing is due.
pub(crate) async fn end(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<DateTime<Utc>>> {
    let due = duties::table.find(id).select((duties::due_at, duties::steps));
    let row: Option<(DateTime<Utc>, Value)> = due.first(conn).await.optional()?;
    Ok(row.map(|(at, steps)| Due { at, steps: steps_of(id, steps) }.end()))
}

/// The state of a due item as it is delivered.
pub(crate) struct Begun {
    pub state: DueState,
    pub step: i16,
    pub next_at: Option<DateTime<Utc>>,
}

impl Begun {
    /// Reminders before that time are left out; an item whose time has passed arrives overdue. Escalation is never left out.
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
fn document(steps: &[DueStep]) -> Value {
    serde_json::to_value(steps).unwrap_or_default()
}

/// Reads stored steps. Steps of a later version may not be readable here: the item is then due without reminders, so that
/// one row does not hold up all others of its tenant.
pub(crate) fn steps_of(id: Uuid, stored: Value) -> Vec<DueStep> {
    let steps = serde_json::from_value(stored);
    steps
        .inspect_err(|error| log::error!("the steps of the notification {id} cannot be read: {error}"))
        .unwrap_or_default()
}
