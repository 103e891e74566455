//! The caller's own preferences, and why a notification came to the caller in the way it did.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Payload},
};
use serde_json::Value;

use super::{
    Parts,
    body::{self, Bound, Wanted},
    error::ApiError,
    etag,
    extract::{Caller, ItemId, NoQuery},
    openapi::{BadBody, BadQuery, BadSyntax, BadType, Changed, LargeBody, NoCondition, NoSuchItem},
    query::Params,
};
use crate::{
    actions::explain::{self, Explanation},
    auth::Identity,
    domain::{
        precondition::{Precondition, Versioned},
        preferences::Preferences,
        preferences_in_force::{Document, InForce},
        user::UserKey,
    },
};

const BODY: Bound = Bound::bytes("settings_bytes", 64 * 1024);

/// Look at one's settings.
///
/// `inForce` shows the channels in force for every known category and kind, for a page to draw.
#[utoipa::path(get, path = "/api/notifications/settings", tag = "preferences", operation_id = "getSettings",
    responses((status = 200, body = Document, description = "The settings", headers(
        ("ETag" = String, description = "Names this state of the settings"))), BadQuery))]
pub async fn get(Caller(caller): Caller, _: NoQuery, parts: Data<Parts>) -> Result<HttpResponse, ApiError> {
    let saved = parts.preferences.read(&caller.key).await?;
    Ok(answer(&saved, &caller.key, &parts))
}

/// Replace one's settings.
///
/// Of several writers that name the same `ETag` one succeeds; the others get 412 and read again. Every open stream of the user gets
/// the event `settings`. `inForce` and `problems` are ignored.
#[utoipa::path(put, path = "/api/notifications/settings", tag = "preferences", operation_id = "putSettings",
    params(("If-Match" = String, Header, description = "The ETag of the state to be replaced, or `*` for any", example = "\"3\"")),
    request_body = Preferences,
    responses((status = 200, body = Document, description = "The settings now", headers(("ETag" = String))),
        BadQuery, BadSyntax, BadType, LargeBody, BadBody, Changed, NoCondition))]
pub async fn put(
    Caller(caller): Caller,
    _: NoQuery,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let condition = etag::required_condition(&request)?;
    let document: Value = body::json(&request, payload, BODY).await?;
    let preferences = Preferences::parse(&document)?;
    let saved = parts.preferences.change(&caller.key, condition, move |_| Ok(preferences)).await?;
    Ok(answer(&saved, &caller.key, &parts))
}

/// Change some of one's settings.
///
/// A merge patch (RFC 7396): a field that is not named stays, null removes it. Of several at the same time each changes what the
/// one before it left.
#[utoipa::path(patch, path = "/api/notifications/settings", tag = "preferences", operation_id = "patchSettings",
    params(("If-Match" = Option<String>, Header, description = "The ETag of the state to be changed; any when absent")),
    request_body(description = "The fields to change", content(
        (Object = "application/merge-patch+json", example = json!({"categories": {"payments": {"email": true}}, "muteUntil": null})),
        (Object = "application/json"))),
    responses((status = 200, body = Document, description = "The settings now", headers(("ETag" = String))),
        BadQuery, BadSyntax, BadType, LargeBody, BadBody, Changed))]
pub async fn patch(
    Caller(caller): Caller,
    _: NoQuery,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let condition = etag::condition(&request)?.unwrap_or(Precondition::Any);
    let wanted = Wanted {
        types: &["application/merge-patch+json", "application/json"],
        types_text: "application/merge-patch+json or application/json",
        bound: BODY,
    };
    let body = body::read(&request, payload, wanted).await?;
    let patch: Value = serde_json::from_slice(&body).map_err(|error| ApiError::NotJson(error.to_string()))?;
    let saved = parts.preferences.change(&caller.key, condition, move |before| before.patched(&patch)).await?;
    Ok(answer(&saved, &caller.key, &parts))
}

/// Ask why.
///
/// For each channel: whether the notification took it to the user, and why, as decided when it was published. This includes a
/// notification that the user's preferences kept out of the inbox.
///
/// For a publish to topics or to everyone that has not come: why it has not. The actor, the users whom it concerns, and callers
/// who may look at one of its topics get this answer. For all others it is a 404, as for a notification that does not exist.
/// A notification that named other users is a 404 too.
#[utoipa::path(get, path = "/api/notifications/{id}/why", tag = "preferences", operation_id = "why",
    params(("id" = uuid::Uuid, Path, description = "The notification's id"),
        ("user" = Option<String>, Query, description = "Another user, for administrators")),
    responses((status = 200, body = Explanation, description = "The decisions, or the reason why there are none"), BadQuery, NoSuchItem))]
pub async fn why(
    Caller(caller): Caller,
    ItemId(id): ItemId,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<Json<Explanation>, ApiError> {
    let key = asked_user(&caller, request.query_string())?;
    explain::explain(&parts.store, &parts.topics, &caller, &key, id).await?.map(Json).ok_or(ApiError::NoSuchItem)
}

/// The user whose decision is asked for: the caller, or, for an administrator, any user of the tenant.
fn asked_user(caller: &Identity, query: &str) -> Result<UserKey, ApiError> {
    let mut params = Params::parse(query);
    let user = params.parsed("user", "must be a user's id");
    params.finish()?;
    match user {
        Some(user) if user != caller.key.user && !caller.admin => Err(ApiError::MissingScope("admin")),
        Some(user) => Ok(UserKey { user, ..caller.key.clone() }),
        None => Ok(caller.key.clone()),
    }
}

fn answer(saved: &Versioned<Preferences>, key: &UserKey, parts: &Parts) -> HttpResponse {
    let in_force = InForce::of(&saved.document, &parts.kinds, &key.tenant);
    etag::answer(
        saved.version,
        Document { preferences: &saved.document, in_force, problems: saved.document.problems() },
    )
}
