//! One action on many items of the caller's inbox, or on all.

use actix_web::{
    HttpRequest,
    web::{Data, Json, Payload},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Parts,
    body::{self, Bound},
    error::{ApiError, FieldError},
    extract::Caller,
    openapi::{BadBody, BadSyntax, BadType, LargeBody},
    states::Change,
};
use crate::{
    domain::{cursor::Cursor, notification::Action, priority::Priority, search_words::Words, text::KIND_BYTES},
    store::Filter,
};

/// Most ids of a filter.
const IDS: usize = 500;
/// Room for as many ids and all the rest.
const BODY: Bound = Bound::bytes("bulk_bytes", 64 * 1024);
const READ_ALL_BODY: Bound = Bound::bytes("read_all_bytes", 4 * 1024);

/// One action on many items.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// Which items.
    filter: BulkFilter,
    /// A cursor, of the list or the stream: items that arrived after it do not change. When absent, items that arrive from now on do not.
    #[schema(example = "k3f9.1042")]
    before: Option<String>,
    /// The action.
    action: BulkAction,
}

/// Which items: those that meet every given condition; at least one must be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkFilter {
    /// These, archived and snoozed ones as well; without it only listed items.
    #[schema(min_items = 1, max_items = 500)]
    ids: Option<Vec<Uuid>>,
    /// Of this category.
    #[schema(min_length = 1, max_length = 64)]
    category: Option<String>,
    /// Of this kind.
    #[schema(min_length = 1, max_length = 64)]
    kind: Option<String>,
    /// Of this priority.
    priority: Option<Priority>,
    /// Unread ones; true or absent.
    unread: Option<bool>,
    /// With all of these words, as in the list.
    #[schema(min_length = 1, max_length = 100)]
    q: Option<String>,
}

/// The actions on many items at once.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BulkAction {
    /// Mark as read.
    Read,
    /// Mark as not read.
    Unread,
    /// Mark as seen.
    Seen,
    /// Put away.
    Archive,
    /// Delete.
    Delete,
}

impl From<BulkAction> for Action {
    fn from(action: BulkAction) -> Self {
        match action {
            BulkAction::Read => Self::Read,
            BulkAction::Unread => Self::Unread,
            BulkAction::Seen => Self::Seen,
            BulkAction::Archive => Self::Archive,
            BulkAction::Delete => Self::Delete,
        }
    }
}

/// Up to where everything is marked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadAll {
    /// A cursor, of the list or the stream: items that arrived after it stay unread. When absent, items that arrive from now on do.
    #[schema(example = "k3f9.1042")]
    before: Option<String>,
}

/// The position of `before`, if there is one.
///
/// # Errors
/// When it is no cursor.
pub fn position(before: Option<&str>) -> Result<Option<Cursor>, ApiError> {
    let parsed = before.map(str::parse).transpose();
    parsed.map_err(|_| ApiError::Invalid(vec![FieldError::body("/before", "must be a cursor of this server")]))
}

impl BulkFilter {
    fn parse(self) -> Result<Filter, ApiError> {
        let words = self.q.as_deref().map(str::parse::<Words>);
        let word = |text: &Option<String>| text.as_ref().is_some_and(|text| !is_word(text));
        let wrong = [
            ("ids", self.ids.as_ref().is_some_and(|ids| !(1..=IDS).contains(&ids.len())), "must hold 1 to 500 ids"),
            ("category", word(&self.category), "must be 1 to 64 bytes without NUL"),
            ("kind", word(&self.kind), "must be 1 to 64 bytes without NUL"),
            ("unread", self.unread == Some(false), "must be true or absent"),
            ("q", matches!(words, Some(Err(_))), Words::WANTED),
        ];
        let wrong: Vec<_> = wrong
            .into_iter()
            .filter(|(_, is_wrong, _)| *is_wrong)
            .map(|(name, _, detail)| FieldError::body(format!("/filter/{name}"), detail))
            .collect();
        if !wrong.is_empty() {
            return Err(ApiError::Invalid(wrong));
        }
        let Self { ids, category, kind, priority, unread, .. } = self;
        let words = words.and_then(Result::ok);
        let filter = Filter { ids, unread: unread == Some(true), category, kind, priority, words };
        if filter.is_empty() {
            let detail = "matches everything: name at least one field, or use /api/notifications/read-all";
            return Err(ApiError::Invalid(vec![FieldError::body("/filter", detail)]));
        }
        Ok(filter)
    }
}

fn is_word(text: &str) -> bool {
    (1..=KIND_BYTES).contains(&text.len()) && !text.contains('\0')
}

/// Change many items.
///
/// It changes all items that match the filter: many items in several changes. With `before`, the cursor of the list that the user
/// saw, nothing is changed that the user has not seen. It continues when the client disconnects.
#[utoipa::path(post, path = "/api/notifications/bulk", tag = "inbox", operation_id = "bulk", request_body = Bulk,
    responses((status = 200, body = Change, description = "Done; `ids` are those that really changed"),
        BadSyntax, BadType, LargeBody, BadBody))]
pub async fn change(
    Caller(caller): Caller,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<Change>, ApiError> {
    let bulk: Bulk = body::json(&request, payload, BODY).await?;
    let (before, action) = (position(bulk.before.as_deref())?, bulk.action.into());
    let changed = parts.inbox.change_matching(&caller.key, bulk.filter.parse()?, before, action).await?;
    Ok(Json(changed.into()))
}

/// Mark everything as read.
///
/// With `before`, the cursor of the list or the stream that the user saw, items that arrived after it stay unread. Without it
/// everything is marked that had arrived, also what the user has not seen yet.
#[utoipa::path(post, path = "/api/notifications/read-all", tag = "inbox", operation_id = "markAllRead",
    request_body(content = Option<ReadAll>, description = "May be left out altogether"),
    responses((status = 200, body = Change, description = "Everything that had arrived is read"),
        BadSyntax, BadType, LargeBody, BadBody))]
pub async fn read_all(
    Caller(caller): Caller,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<Change>, ApiError> {
    let asked: ReadAll = body::json_if_any(&request, payload, READ_ALL_BODY).await?.unwrap_or_default();
    let changed = parts.inbox.read_all(&caller.key, position(asked.before.as_deref())?).await?;
    Ok(Json(changed.into()))
}
