//! Which other origins' pages may call.

use actix_cors::Cors;
use actix_web::http::{Method, header};

/// How long browsers may remember a preflight's answer, in seconds: Chromium's maximum.
const PREFLIGHT_AGE: usize = 7_200;

/// The rules for the configured origins: a listed one may send cookies; `*` opens the API to all pages, without them.
pub fn cors(origins: &[String]) -> Cors {
    let rules = Cors::default()
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .allowed_headers(["Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "X-Request-Id"])
        .expose_headers(["ETag", "X-Request-Id", "Idempotent-Replayed", "Retry-After"])
        .max_age(PREFLIGHT_AGE);
    if origins.iter().any(|origin| origin == "*") {
        return rules.allow_any_origin().send_wildcard();
    }
    let origins = origins.to_vec();
    rules
        .allowed_origin_fn(move |origin, _| origins.iter().any(|each| each.as_bytes() == origin.as_bytes()))
        .supports_credentials()
}
