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
/// 503 only while it starts or drains. An instance without its database or Redis stays in. Otherwise all would leave at once, and
/// every open page would give up.
#[utoipa::path(get, path = "/health/ready", tag = "operations", operation_id = "ready", security(()),
    responses((status = 200, body = String, content_type = "text/plain", description = "It may", example = "ready"),
        (status = 503, body = String, content_type = "text/plain", description = "It starts or drains", example = "draining")))]
pub async fn ready(parts: Data<Parts>) -> HttpResponse {
    let (mut response, text) = match parts.health.phase() {
        Phase::Serving => (HttpResponse::Ok(), "ready"),
        Phase::Starting => (HttpResponse::ServiceUnavailable(), "starting"),
        Phase::Draining => (HttpResponse::ServiceUnavailable(), "draining"),
    };
    response.content_type(ContentType::plaintext()).body(text)
}

/// How does it do.
#[utoipa::path(get, path = "/health", tag = "operations", operation_id = "health", security(()),
    responses((status = 200, body = Report, description = "The parts, one by one")))]
pub async fn report(parts: Data<Parts>) -> Json<Report> {
    Json(parts.health.report(parts.bus.health()))
}
