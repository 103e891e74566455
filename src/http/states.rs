//! The caller's actions on items of the inbox, one by one or on all.

use actix_web::{
    HttpRequest,
    web::{Data, Json, Payload},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Parts,
    body::{self, Bound},
    error::{ApiError, FieldError},
    extract::{Caller, ItemId},
    openapi::{BadBody, BadSyntax, BadType, LargeBody, NoSuchItem, NotConcerned, NotDue},
};
use crate::{
    domain::{local_time::WrittenTime, notification::Action, user::UserKey, zones::Zone},
    store::Changed,
};

const SNOOZE_BODY: Bound = Bound::bytes("snooze_bytes", 4 * 1024);

/// The answer to a change of state.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// All unread items, after the change.
    #[schema(example = 6)]
    pub unread: i64,
    /// The stream's position after the change.
    #[schema(example = "k3f9.1043")]
    pub cursor: String,
    /// The items that really changed, oldest first.
    pub ids: Vec<Uuid>,
}

/// Until when an item is put away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snooze {
    /// In the future, at most 366 days ahead: RFC 3339 with an offset, or a local time beside `timeZone`.
    #[schema(value_type = String, example = "2026-11-23T09:00:00+01:00")]
    until: WrittenTime,
    /// The IANA name of the zone of a time without an offset.
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    time_zone: Option<Zone>,
}

impl Snooze {
    fn time(&self) -> Result<DateTime<Utc>, ApiError> {
        let in_sync = self.until.settle(self.time_zone.as_ref());
        in_sync.map_err(|wrong| ApiError::Invalid(vec![FieldError::body("/until", wrong.to_string())]))
    }
}

impl From<Changed> for Change {
    fn from(changed: Changed) -> Self {
        Self {
            unread: changed.unread,
            cursor: changed.cursor.to_string(),
            ids: changed.rows.iter().map(|row| row.id).collect(),
        }
    }
}

/// Mark as read.
#[utoipa::path(post, path = "/api/notifications/{id}/read", tag = "inbox", operation_id = "markRead",
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Change, description = "Read now"), NoSuchItem))]
pub async fn read(Caller(caller): Caller, ItemId(id): ItemId, parts: Data<Parts>) -> Result<Json<Change>, ApiError> {
    change(&parts, &caller.key, id, Action::Read).await
}

/// Mark as not read.
#[utoipa::path(post, path = "/api/notifications/{id}/unread", tag = "inbox", operation_id = "markUnread",
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Change, description = "Unread now"), NoSuchItem))]
pub async fn unread(Caller(caller): Caller, ItemId(id): ItemId, parts: Data<Parts>) -> Result<Json<Change>, ApiError> {
    change(&parts, &caller.key, id, Action::Unread).await
}

/// Mark as seen.
///
/// A read item is seen as well; an item that is only seen still counts as unread.
#[utoipa::path(post, path = "/api/notifications/{id}/seen", tag = "inbox", operation_id = "markSeen",
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Change, description = "Seen now"), NoSuchItem))]
pub async fn seen(Caller(caller): Caller, ItemId(id): ItemId, parts: Data<Parts>) -> Result<Json<Change>, ApiError> {
    change(&parts, &caller.key, id, Action::Seen).await
}

/// Put away.
///
/// An archived item leaves the list and does not count as unread.
#[utoipa::path(post, path = "/api/notifications/{id}/archive", tag = "inbox", operation_id = "archive",
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Change, description = "Archived now"), NoSuchItem))]
pub async fn archive(Caller(caller): Caller, ItemId(id): ItemId, parts: Data<Parts>) -> Result<Json<Change>, ApiError> {
    change(&parts, &caller.key, id, Action::Archive).await
}

/// Acknowledge a due item.
///
/// It applies to all recipients of the notification: there are no more reminders and no further steps. If another recipient
/// acknowledged it before, nothing changes.
#[utoipa::path(post, path = "/api/notifications/{id}/acknowledge", tag = "inbox", operation_id = "acknowledge",
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Change, description = "Acknowledged and read now"), NoSuchItem, NotDue, NotConcerned))]
pub async fn acknowledge(
    Caller(caller): Caller,
    ItemId(id): ItemId,
    parts: Data<Parts>,
) -> Result<Json<Change>, ApiError> {
    Ok(Json(parts.inbox.settle(&caller.key, id, Action::Acknowledge).await?.into()))
}

/// Finish a due item.
///
/// It applies to all recipients of the notification, as acknowledging it does.
#[utoipa::path(post, path = "/api/notifications/{id}/done", tag = "inbox", operation_id = "markDone",
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Change, description = "Done and read now"), NoSuchItem, NotDue, NotConcerned))]
pub async fn done(Caller(caller): Caller, ItemId(id): ItemId, parts: Data<Parts>) -> Result<Json<Change>, ApiError> {
    Ok(Json(parts.inbox.settle(&caller.key, id, Action::Finish).await?.into()))
}

/// End the snooze of an item.
///
/// It returns to the top of the list, unread, as it would at its time.
#[utoipa::path(delete, path = "/api/notifications/{id}/snooze", tag = "inbox", operation_id = "endSnooze",
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Change, description = "Back now"), NoSuchItem))]
pub async fn end_snooze(
    Caller(caller): Caller,
    ItemId(id): ItemId,
    parts: Data<Parts>,
) -> Result<Json<Change>, ApiError> {
    Ok(Json(parts.inbox.end_snooze(&caller.key, id).await?.into()))
}

/// Put away until a time.
///
/// Until then the item is not listed and does not count as unread; an archived one is archived no more. Archiving or
/// deleting it ends that.
#[utoipa::path(post, path = "/api/notifications/{id}/snooze", tag = "inbox", operation_id = "snooze",
    params(("id" = Uuid, Path, description = "The notification's id")), request_body = Snooze,
    responses((status = 200, body = Change, description = "Away now"),
        NoSuchItem, BadSyntax, BadType, LargeBody, BadBody))]
pub async fn snooze(
    Caller(caller): Caller,
    ItemId(id): ItemId,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<Change>, ApiError> {
    let snooze: Snooze = body::json(&request, payload, SNOOZE_BODY).await?;
    change(&parts, &caller.key, id, Action::Snooze(snooze.time()?)).await
}

/// Delete.
#[utoipa::path(delete, path = "/api/notifications/{id}", tag = "inbox", operation_id = "delete",
    params(("id" = Uuid, Path, description = "The notification's id")),
    responses((status = 200, body = Change, description = "Gone now"), NoSuchItem))]
pub async fn delete(Caller(caller): Caller, ItemId(id): ItemId, parts: Data<Parts>) -> Result<Json<Change>, ApiError> {
    change(&parts, &caller.key, id, Action::Delete).await
}

async fn change(parts: &Parts, key: &UserKey, id: Uuid, action: Action) -> Result<Json<Change>, ApiError> {
    let changed = parts.inbox.change(key, id, action).await?;
    Ok(Json(changed.into()))
}
