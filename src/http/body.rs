//! Request bodies: JSON only, bounded in size and time.

use std::time::Duration;

use actix_web::{HttpRequest, http::header, web::Payload};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::{ApiError, FieldError};
use crate::domain::problem;

/// Longest time for a body to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a body may be.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Its name: of a setting, or its own where it is fixed.
    pub limit: &'static str,
    /// Most bytes.
    pub bytes: usize,
    /// The unit of the bound, for people.
    pub unit: &'static str,
}

impl Bound {
    /// So many bytes.
    pub const fn bytes(limit: &'static str, bytes: usize) -> Self {
        Self { limit, bytes, unit: "bytes" }
    }
}

/// The media type and the size that a body may have.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Accepted media types; the first is the one to recommend.
    pub types: &'static [&'static str],
    /// The same, for people.
    pub types_text: &'static str,
    /// How long it may be.
    pub bound: Bound,
}

impl Wanted {
    /// Plain JSON.
    const fn json(bound: Bound) -> Self {
        Self { types: &["application/json"], types_text: "application/json", bound }
    }
}

/// Reads a body to its end.
///
/// # Errors
/// When it is of another type, too long, too slow or broken off.
pub async fn read(request: &HttpRequest, payload: Payload, wanted: Wanted) -> Result<Bytes, ApiError> {
    check_type(request, wanted)?;
    receive(request, payload, wanted.bound).await
}

/// Reads a small body of plain JSON into its type.
///
/// # Errors
/// As [`read`], and for JSON that does not fit the type.
pub async fn json<T: DeserializeOwned>(request: &HttpRequest, payload: Payload, bound: Bound) -> Result<T, ApiError> {
    let body = read(request, payload, Wanted::json(bound)).await?;
    parse(&body)
}

/// The same for a body that may be left out. An empty body is none, whatever its type: some clients name a type without being asked.
///
/// # Errors
/// As [`json`].
pub async fn json_if_any<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    bound: Bound,
) -> Result<Option<T>, ApiError> {
    let body = receive(request, payload, bound).await?;
    if body.is_empty() {
        return Ok(None);
    }
    check_type(request, Wanted::json(bound))?;
    parse(&body).map(Some)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    check_object(body)?;
    Ok(problem::deserialize(body)?)
}

async fn receive(request: &HttpRequest, payload: Payload, bound: Bound) -> Result<Bytes, ApiError> {
    let Bound { limit, bytes, unit } = bound;
    let too_large = || ApiError::TooLarge { limit, most: bytes, unit };
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|length| length > bytes as u64) {
        return Err(too_large());
    }
    let body = tokio::time::timeout(PATIENCE, payload.to_bytes_limited(bytes));
    let body = body.await.map_err(|_| ApiError::TooSlow)?.map_err(|_| too_large())?;
    body.map_err(|_| ApiError::Malformed)
}

/// Refuses JSON that is no object: an array would be read as a struct, field by field.
///
/// # Errors
/// As [`check_syntax`], and for any other JSON.
pub fn check_object(body: &[u8]) -> Result<(), ApiError> {
    if check_syntax(body)?.get().starts_with('{') {
        return Ok(());
    }
    Err(ApiError::Invalid(vec![FieldError::body("", "must be a JSON object")]))
}

/// Distinguishes a body that is no JSON at all (400) from JSON of a wrong shape (422).
///
/// # Errors
/// When the bytes are not one JSON text.
pub fn check_syntax(body: &[u8]) -> Result<&RawValue, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::NotJson(error.to_string()))
}

fn check_type(request: &HttpRequest, wanted: Wanted) -> Result<(), ApiError> {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let plain = text(header::CONTENT_ENCODING).is_none_or(|coding| coding.eq_ignore_ascii_case("identity"));
    let full = text(header::CONTENT_TYPE).unwrap_or_default();
    let (essence, parameters) = full.split_once(';').unwrap_or((full, ""));
    let known = wanted.types.iter().any(|each| each.eq_ignore_ascii_case(essence.trim()));
    if known && plain && is_utf8(parameters) { Ok(()) } else { Err(ApiError::WrongContentType(wanted.types_text)) }
}

/// JSON is UTF-8; a parameter may say so and must not say otherwise.
fn is_utf8(parameters: &str) -> bool {
    let pairs = parameters.split(';').filter_map(|each| each.trim().split_once('='));
    let mut charsets = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
    charsets.all(|(_, value)| value.trim_matches('"').eq_ignore_ascii_case("utf-8"))
}
