//! Health for load balancers and operators: whether the instance lives, may get traffic, and is degraded.

use actix_web::{
    HttpResponse,
    http::header::ContentType,
    web::{Data, Json},
};

use super::Parts;
use crate::health::{Phase, Report};

/// Is the process alive.
#[utoipa::path(get, path = "/health/live", tag = "operations", operation_id = "live", security(()),
    responses((status = 200, body = String, content_type = "text/plain", description = "It is", example = "live")))]
pub async fn live() -> &'static str {
    "live"
}

/// May it get traffic.
///
/// 503 only while it starts or drains, or while the schema of its database does not fit. An instance without its database or Redis stays
/// in. Otherwise all would leave at once, and every open page would give up.
#[utoipa::path(get, path = "/health/ready", tag = "operations", operation_id = "ready", security(()),
    responses((status = 200, body = String, content_type = "text/plain", description = "It may", example = "ready"),
        (status = 503, body = String, content_type = "text/plain",
            description = "It starts or drains, or the schema of its database does not fit", example = "draining")))]
pub async fn ready(parts: Data<Parts>) -> HttpResponse {
    let (mut response, text) = match (parts.health.phase(), parts.store.misfit()) {
        (Phase::Leaving | Phase::Draining, _) => (HttpResponse::ServiceUnavailable(), "draining".to_owned()),
        (Phase::Starting, _) => (HttpResponse::ServiceUnavailable(), "starting".to_owned()),
        (Phase::Serving, Some(misfit)) => (HttpResponse::ServiceUnavailable(), misfit.to_string()),
        (Phase::Serving, None) => (HttpResponse::Ok(), "ready".to_owned()),
    };
    response.content_type(ContentType::plaintext()).body(text)
}

/// How does it do.
#[utoipa::path(get, path = "/health", tag = "operations", operation_id = "health", security(()),
    responses((status = 200, body = Report, description = "The parts, one by one")))]
pub async fn report(parts: Data<Parts>) -> Json<Report> {
    Json(parts.health.report(parts.bus.health(), parts.store.misfit().map(|misfit| misfit.to_string())))
}
