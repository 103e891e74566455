//! The definitions of kinds, and a tenant's default channels: read by any caller, changed by administrators.

use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    str::FromStr,
};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, dev,
    web::{Data, Json, Payload},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Parts,
    body::{self, Bound},
    error::ApiError,
    etag,
    extract::{self, Admin, Caller, NoQuery},
    openapi::{BadBody, BadPath, BadQuery, BadSyntax, BadType, Changed, LargeBody, NoCondition},
};
use crate::domain::{
    kinds::{Defaults, Definition, Kind, Origin},
    text::{Malformed, word},
};

/// Room for the largest templates, escaped.
const BODY: Bound = Bound::bytes("kind_bytes", 128 * 1024);

/// A kind as it is in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct KindShown {
    /// The definition.
    #[serde(flatten)]
    definition: Definition,
    /// The source of the definition: the tenant, the server's seed, or neither.
    origin: Origin,
}

impl From<Kind> for KindShown {
    fn from(kind: Kind) -> Self {
        Self { origin: kind.origin, definition: Definition::clone(&kind) }
    }
}

/// The kind that the path names.
pub struct Name(String);

impl FromStr for Name {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        word(text).map(|()| Self(text.to_owned()))
    }
}

impl FromRequest for Name {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(extract::part(request, "kind"))
    }
}

/// List kinds.
///
/// All that the tenant or the server knows, by name. A tenant's definition of a kind replaces the server's.
#[utoipa::path(get, path = "/api/kinds", tag = "preferences", operation_id = "listKinds",
    responses((status = 200, body = BTreeMap<String, KindShown>, description = "The definitions in force")))]
pub async fn list(Caller(caller): Caller, parts: Data<Parts>) -> Json<BTreeMap<String, KindShown>> {
    Json(parts.kinds.all(&caller.key.tenant).into_iter().map(|(name, kind)| (name, kind.into())).collect())
}

/// Look at a kind.
///
/// A kind without a definition has plain defaults.
#[utoipa::path(get, path = "/api/kinds/{kind}", tag = "preferences", operation_id = "getKind",
    params(("kind" = String, Path, description = "The kind's name", example = "payment_received")),
    responses((status = 200, body = KindShown, description = "The definition in force"), BadPath))]
pub async fn get(Caller(caller): Caller, Name(name): Name, parts: Data<Parts>) -> Json<KindShown> {
    Json(parts.kinds.of(&caller.key.tenant, &name).into())
}

/// Define a kind.
///
/// In force for everything that is published after this answer through this instance, and within moments on the others.
#[utoipa::path(put, path = "/api/kinds/{kind}", tag = "administration", operation_id = "putKind",
    params(("kind" = String, Path, description = "The kind's name", example = "payment_received")),
    request_body = Definition,
    responses((status = 200, body = KindShown, description = "The definition in force now"),
        BadPath, BadSyntax, BadType, LargeBody, BadBody))]
pub async fn put(
    Admin(caller): Admin,
    Name(name): Name,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<KindShown>, ApiError> {
    let definition: Definition = body::json(&request, payload, BODY).await?;
    definition.check()?;
    parts.kinds_registry.define(&caller.key.tenant, &name, &definition).await?;
    Ok(Json(parts.kinds.of(&caller.key.tenant, &name).into()))
}

/// Forget a kind.
///
/// The server's own definition of it, if there is one, is in force again.
#[utoipa::path(delete, path = "/api/kinds/{kind}", tag = "administration", operation_id = "deleteKind",
    params(("kind" = String, Path, description = "The kind's name", example = "payment_received")),
    responses((status = 204, description = "The tenant says nothing of it"), BadPath))]
pub async fn delete(Admin(caller): Admin, Name(name): Name, parts: Data<Parts>) -> Result<HttpResponse, ApiError> {
    parts.kinds_registry.forget(&caller.key.tenant, &name).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Look at the tenant's default channels.
#[utoipa::path(get, path = "/api/tenant/settings", tag = "administration", operation_id = "getTenantSettings",
    responses((status = 200, body = Defaults, description = "The tenant's default channels", headers(
        ("ETag" = String, description = "Names this state of the settings"))), BadQuery))]
pub async fn defaults(Admin(caller): Admin, _: NoQuery, parts: Data<Parts>) -> Result<HttpResponse, ApiError> {
    let saved = parts.kinds_registry.defaults(&caller.key.tenant).await?;
    Ok(etag::answer(saved.version, saved.document))
}

/// Set the tenant's default channels.
///
/// They hold where neither the kind nor the user says anything. Of several writers that name the same `ETag` one succeeds; the others get
/// 412 and look again.
#[utoipa::path(put, path = "/api/tenant/settings", tag = "administration", operation_id = "putTenantSettings",
    params(("If-Match" = String, Header, description = "The ETag of the state to be replaced, or `*` for any", example = "\"3\"")),
    request_body = Defaults,
    responses((status = 200, body = Defaults, description = "The tenant's default channels now", headers(("ETag" = String))),
        BadQuery, BadSyntax, BadType, LargeBody, BadBody, Changed, NoCondition))]
pub async fn put_defaults(
    Admin(caller): Admin,
    _: NoQuery,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let condition = etag::required_condition(&request)?;
    let defaults: Defaults = body::json(&request, payload, BODY).await?;
    defaults.check()?;
    let saved = parts.kinds_registry.set_defaults(&caller.key.tenant, condition, defaults).await?;
    Ok(etag::answer(saved.version, saved.document))
}
