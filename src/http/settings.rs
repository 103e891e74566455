//! The caller's own settings, and why a notification came to the caller in the way it did.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Json, Payload},
};
use serde_json::Value;

use super::{
    Parts,
    body::{self, Wanted},
    error::ApiError,
    extract::{Caller, ItemId},
    openapi::{BadBody, BadQuery, BadSyntax, BadType, Changed, LargeBody, NoCondition, NoSuchItem},
    query::Params,
};
use crate::{
    auth::Identity,
    notification::UserKey,
    preferences::{Condition, Document, InForce, Settings, Why},
    store::Saved,
};

const BODY_BYTES: usize = 64 * 1024;
const BAD_CONDITION: ApiError = ApiError::BadHeader("If-Match", "must be one ETag of the settings, or *");

/// Look at one's settings.
///
/// `inForce` shows what they come to for every category and kind that is known, for a page to draw.
#[utoipa::path(get, path = "/api/notifications/settings", tag = "preferences", operation_id = "getSettings",
    responses((status = 200, body = Document, description = "The settings", headers(
        ("ETag" = String, description = "Names this state of the settings")))))]
pub async fn get(Caller(caller): Caller, parts: Data<Parts>) -> Result<HttpResponse, ApiError> {
    let saved = parts.preferences.read(&caller.key).await?;
    Ok(answer(&saved, &caller.key, &parts))
}

/// Replace one's settings.
///
/// Of several who name the same `ETag` one succeeds; the others get 412 and look again. Every open stream of the user is told.
/// `inForce` is ignored.
#[utoipa::path(put, path = "/api/notifications/settings", tag = "preferences", operation_id = "putSettings",
    params(("If-Match" = String, Header, description = "The ETag of the state to be replaced, or `*` for any", example = "\"3\"")),
    request_body = Settings,
    responses((status = 200, body = Document, description = "The settings now", headers(("ETag" = String))),
        BadSyntax, BadType, LargeBody, BadBody, Changed, NoCondition))]
pub async fn put(
    Caller(caller): Caller,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let condition = condition(&request)?.ok_or(ApiError::NoCondition)?;
    let document: Value = body::json(&request, payload, BODY_BYTES).await?;
    let settings = Settings::parse(&document)?;
    let saved = parts.preferences.change(&caller.key, condition, move |_| Ok(settings.clone())).await?;
    Ok(answer(&saved, &caller.key, &parts))
}

/// Change some of one's settings.
///
/// A merge patch (RFC 7396): what is not named stays, null takes away.
#[utoipa::path(patch, path = "/api/notifications/settings", tag = "preferences", operation_id = "patchSettings",
    params(("If-Match" = Option<String>, Header, description = "The ETag of the state to be changed; any when absent")),
    request_body(description = "What changes", content(
        (Object = "application/merge-patch+json", example = json!({"categories": {"payments": {"email": true}}, "muteUntil": null})),
        (Object = "application/json"))),
    responses((status = 200, body = Document, description = "The settings now", headers(("ETag" = String))),
        BadSyntax, BadType, LargeBody, BadBody, Changed))]
pub async fn patch(
    Caller(caller): Caller,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let condition = condition(&request)?.unwrap_or(Condition::Any);
    let wanted = Wanted {
        types: &["application/merge-patch+json", "application/json"],
        types_text: "application/merge-patch+json or application/json",
        limit: "body_bytes",
        bytes: BODY_BYTES,
    };
    let body = body::read(&request, payload, wanted).await?;
    let patch: Value = serde_json::from_slice(&body).map_err(|error| ApiError::NotJson(error.to_string()))?;
    let saved = parts.preferences.change(&caller.key, condition, move |before| before.patched(&patch)).await?;
    Ok(answer(&saved, &caller.key, &parts))
}

/// Ask why.
///
/// For each channel whether the notification took it to the user, and why, as was decided when it was published; of one that the
/// user's preferences kept out of the inbox too.
#[utoipa::path(get, path = "/api/notifications/{id}/why", tag = "preferences", operation_id = "why",
    params(("id" = uuid::Uuid, Path, description = "The notification's id"),
        ("user" = Option<String>, Query, description = "Another user, for administrators")),
    responses((status = 200, body = Why, description = "The decision"), BadQuery, NoSuchItem))]
pub async fn why(
    Caller(caller): Caller,
    ItemId(id): ItemId,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<Json<Why>, ApiError> {
    let key = asked_user(caller, request.query_string())?;
    let decided = parts.store.decided(&key, id).await?.ok_or(ApiError::NoSuchItem)?;
    Ok(Json(Why::of(id, decided)))
}

/// Whose decision is asked for: the caller's own, or, for an administrator, anybody's of the tenant.
fn asked_user(caller: Identity, query: &str) -> Result<UserKey, ApiError> {
    let mut params = Params::parse(query);
    let user = params.parsed("user", "must be a user's id");
    params.finish()?;
    match user {
        Some(user) if user != caller.key.user && !caller.admin => Err(ApiError::MissingScope("admin")),
        Some(user) => Ok(UserKey { user, ..caller.key }),
        None => Ok(caller.key),
    }
}

fn answer(saved: &Saved, key: &UserKey, parts: &Parts) -> HttpResponse {
    let in_force = InForce::of(&saved.settings, &parts.kinds, &key.tenant);
    HttpResponse::Ok()
        .insert_header((header::ETAG, format!("\"{}\"", saved.version)))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .json(Document { settings: &saved.settings, in_force })
}

/// What `If-Match` says; none when it is absent. A proxy that compresses marks `ETag`s as weak, which changes nothing here.
fn condition(request: &HttpRequest) -> Result<Option<Condition>, ApiError> {
    let mut lines = request.headers().get_all(header::IF_MATCH);
    let Some(line) = lines.next() else { return Ok(None) };
    let text = line.to_str().map_err(|_| BAD_CONDITION)?.trim();
    if lines.next().is_some() {
        return Err(BAD_CONDITION);
    }
    if text == "*" {
        return Ok(Some(Condition::Any));
    }
    let tag = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let tag = tag.filter(|tag| !tag.contains(['"', ','])).ok_or(BAD_CONDITION)?;
    // A well-formed ETag that was never given names a state that is not the present one.
    Ok(Some(Condition::Version(tag.parse().unwrap_or(-1))))
}
