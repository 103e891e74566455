//! The end of due items: a user finishes or acknowledges one, or its publisher cancels it.

use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Bool, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::CONCERNED;
use crate::{
    domain::{
        notification::Action,
        timing::DueState,
        user::{Tenant, UserKey},
    },
    store::{
        database::{clock::clock_time, shared::repeat, stored, unavailable::Unavailable},
        handle::Store,
        inbox::state::{self, Changed, NotChanged},
        log::streams,
        schema::{duties, notifications},
    },
};

impl Store {
    /// Acknowledges or finishes a due item of a user, and that of all other recipients: this user's item changes at once, the
    /// others a moment later. A second acknowledgement changes nothing.
    ///
    /// # Errors
    /// When the user has no such item, or has left the topics that it was for, when nothing about it is due, and when the database does not answer.
    pub async fn settle(&self, key: &UserKey, id: Uuid, action: Action) -> Result<Changed, NotChanged> {
        let _permit = self.shared.permit_for(key).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| settle(conn, key, id, action).await))
            .map_err(|_| Unavailable)?
    }
}

async fn settle(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    id: Uuid,
    action: Action,
) -> QueryResult<Result<Changed, NotChanged>> {
    let Some((_, notification)) = state::find(conn, key, id).await? else { return Ok(Err(NotChanged::NoSuchItem)) };
    if !is_concerned(conn, key, notification).await? {
        return Ok(Err(NotChanged::NotConcerned));
    }
    // Steps take this lock too: after it there is no step of an item that this ends.
    let before = lock(conn, notification).await?.filter(|before| *before != DueState::Cancelled);
    let Some(before) = before else { return Ok(Err(NotChanged::NotDue)) };
    let after = if action == Action::Finish { DueState::Done } else { DueState::Acknowledged };
    let settles = before.code() < after.code();
    if settles {
        end(conn, notification, after).await?;
        diesel::update(notifications::table.find(notification))
            .set(notifications::due_by.eq(key.user.as_str()))
            .execute(conn)
            .await?;
    }
    let stream = streams::lock(conn, key).await?;
    // The item may have moved, or gone, until its stream was locked.
    let Some((seq, _)) = state::find(conn, key, id).await? else { return Ok(Err(NotChanged::NoSuchItem)) };
    let seqs = [seq];
    state::stamp(conn, key, stream, if settles { &seqs } else { &[] }, action).await.map(Ok)
}

#[derive(QueryableByName)]
struct Concerned {
    #[diesel(sql_type = Bool)]
    concerned: bool,
}

/// Whether the notification is for the user now: an end is for all recipients, so one who has left must not make it.
async fn is_concerned(conn: &mut AsyncPgConnection, key: &UserKey, notification: Uuid) -> QueryResult<bool> {
    let rows: Vec<Concerned> = sql_query(format!(
        "select {CONCERNED} as concerned from inbox as i where i.tenant = $1 and i.user_id = $2 and i.notification_id = $3"
    ))
    .bind::<Text, _>(key.tenant.as_str())
    .bind::<Text, _>(key.user.as_str())
    .bind::<SqlUuid, _>(notification)
    .load(conn)
    .await?;
    Ok(rows.iter().any(|row| row.concerned))
}

/// Cancels a due item; false when none is open.
pub(crate) async fn cancel(conn: &mut AsyncPgConnection, tenant: &Tenant, id: Uuid) -> QueryResult<bool> {
    let mine = duties::table.find(id).filter(duties::tenant.eq(tenant.as_str()));
    let state: Option<i16> = mine.select(duties::state).for_update().first(conn).await.optional()?;
    let is_open = state.map(stored::due_state).transpose()?.is_some_and(DueState::is_open);
    if is_open {
        end(conn, id, DueState::Cancelled).await?;
    }
    Ok(is_open)
}

/// Its state, which no other transaction changes until this one ends.
async fn lock(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<DueState>> {
    let state: Option<i16> = duties::table.find(id).select(duties::state).for_update().first(conn).await.optional()?;
    state.map(stored::due_state).transpose()
}

/// Ends it. Its next step is now, so that the items of all recipients change.
async fn end(conn: &mut AsyncPgConnection, id: Uuid, state: DueState) -> QueryResult<()> {
    diesel::update(duties::table.find(id))
        .set((duties::state.eq(state.code()), duties::next_at.eq(clock_time().nullable()), duties::after_user.eq("")))
        .execute(conn)
        .await
        .map(drop)
}
