//! Revocation: an administrator ends a user's tokens, or one token, on all instances at once.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Parts,
    body::{self, Bound},
    error::{ApiError, FieldError},
    extract::Admin,
    openapi::{BadBody, BadSyntax, BadType, LargeBody},
};
use crate::auth::Target;

const BODY: Bound = Bound::bytes("revocation_bytes", 4 * 1024);
const TOKEN_ID_BYTES: usize = 256;

/// The tokens to revoke: `user` or `jti`, one of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revocation {
    /// Every token of this user that was issued before now.
    #[schema(example = "u1")]
    user: Option<String>,
    /// The token with this id.
    jti: Option<String>,
    /// When the revocation may be forgotten: not before the tokens it concerns have expired.
    expires_at: Option<DateTime<Utc>>,
}

impl Revocation {
    fn target(&self) -> Result<Target, ApiError> {
        let wrong = |pointer: &str, detail: &str| ApiError::Invalid(vec![FieldError::body(pointer, detail)]);
        match (&self.user, &self.jti) {
            (Some(user), None) => user.parse().map(Target::User).map_err(|error| wrong("/user", &error.to_string())),
            (None, Some(id)) if id.is_empty() || id.len() > TOKEN_ID_BYTES || id.chars().any(char::is_control) => {
                Err(wrong("/jti", "must be 1 to 256 bytes without control characters"))
            }
            (None, Some(id)) => Ok(Target::Token(id.clone())),
            _ => Err(wrong("", "must have either user or jti")),
        }
    }
}

/// Revoke tokens.
///
/// Within the administrator's own tenant. Open streams of these tokens end at once, on every instance.
#[utoipa::path(post, path = "/api/admin/revocations", tag = "administration", operation_id = "revoke",
    request_body(content = Revocation, example = json!({"user": "u1"})),
    responses((status = 204, description = "Revoked"), BadSyntax, BadType, LargeBody, BadBody))]
pub async fn create(
    Admin(caller): Admin,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let revocation: Revocation = body::json(&request, payload, BODY).await?;
    let target = revocation.target()?;
    parts.revocations.revoke(&caller.key.tenant, &target, revocation.expires_at).await?;
    Ok(HttpResponse::NoContent().finish())
}
