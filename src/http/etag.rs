//! Documents that are changed under a condition: `ETag` names their state, `If-Match` the one that a change is meant for.

use actix_web::{HttpRequest, HttpResponse, http::header};
use serde::Serialize;

use super::error::ApiError;
use crate::versioned::Condition;

const BAD_CONDITION: ApiError = ApiError::BadHeader("If-Match", "must be one ETag of what is to be changed, or *");

/// A document as it is shown, in the state that this version names.
pub fn answer(version: i64, shown: impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::ETAG, format!("\"{version}\"")))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .json(shown)
}

/// What `If-Match` says; none when it is absent. A proxy that compresses marks `ETag`s as weak, which changes nothing here.
///
/// # Errors
/// When it is malformed.
pub fn condition(request: &HttpRequest) -> Result<Option<Condition>, ApiError> {
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

/// The same where a change without a condition is refused.
///
/// # Errors
/// When it is absent or malformed.
pub fn required_condition(request: &HttpRequest) -> Result<Condition, ApiError> {
    condition(request)?.ok_or(ApiError::NoCondition)
}
