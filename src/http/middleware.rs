//! Around every request: its id, one log line, one metric, and a problem body for every failure.
//!
//! Never logs a query string, a header or a body.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ResponseHead, ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use log::Level;
use metrics::{counter, histogram};
use uuid::Uuid;

use super::{
    Parts,
    error::{ApiError, PROBLEM_JSON},
};
use crate::metrics::{HTTP_SECONDS, LIMIT_HITS};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES: usize = 64;

/// The id of a request, kept with it: the caller's own or a fresh one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let sane = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            !bytes.is_empty() && bytes.len() <= REQUEST_ID_BYTES && bytes.iter().all(allowed)
        };
        let fresh = || HeaderValue::from_str(Uuid::now_v7().simple().encode_lower(&mut Uuid::encode_buffer()));
        match headers.get(REQUEST_ID).filter(sane) {
            Some(value) => Self(value.clone()),
            // Hex digits are a header value.
            None => Self(fresh().unwrap_or_else(|_| HeaderValue::from_static("none"))),
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The middleware: see the module.
///
/// # Errors
/// Makes a problem of the error of an inner middleware (such as a panic).
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let method = method_name(request.method());
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let answer = next.call(request).await;
    let (error, sent) = match &answer {
        Ok(response) => {
            let error = response.response().error().map(own);
            (error.map(|error| explained(error, response.request())), response.status())
        }
        Err(error) => (Some(own(error)), StatusCode::INTERNAL_SERVER_ERROR),
    };
    let status = error.as_ref().map_or(sent, ApiError::status_code);
    record(&Line { method, route, status, started, id: &id, error: error.as_ref() });
    match answer {
        Ok(response) => Ok(response.map_body(|head, body| complete(head, body.boxed(), error.as_ref(), &id))),
        Err(mut failure) => {
            let rewrite =
                move |response: HttpResponse| response.map_body(|head, body| complete(head, body, error.as_ref(), &id));
            failure.add_response_mapper(rewrite);
            Err(failure)
        }
    }
}

/// Adds the common headers to an answer, and a problem as the body if something went wrong.
fn complete(head: &mut ResponseHead, body: BoxBody, error: Option<&ApiError>, id: &RequestId) -> BoxBody {
    let headers = &mut head.headers;
    headers.insert(REQUEST_ID, id.0.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let Some(error) = error else { return body };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    head.status = error.status_code();
    BoxBody::new(error.body(Some(id.as_str())))
}

fn own(error: &Error) -> ApiError {
    error.as_error::<ApiError>().cloned().unwrap_or_else(|| ApiError::foreign(error))
}

/// The store says only that it did nothing. Here the answer gets the reason if it is the schema.
fn explained(error: ApiError, request: &HttpRequest) -> ApiError {
    let misfit = || request.app_data::<Data<Parts>>().and_then(|parts| parts.store.misfit());
    match error {
        ApiError::Unavailable => misfit().map_or(ApiError::Unavailable, ApiError::Misfit),
        error => error,
    }
}

/// The log line of one request.
struct Line<'a> {
    method: &'static str,
    route: String,
    status: StatusCode,
    started: Instant,
    id: &'a RequestId,
    error: Option<&'a ApiError>,
}

/// One line, louder the worse it went, and the metrics.
fn record(line: &Line<'_>) {
    let seconds = line.started.elapsed().as_secs_f64();
    let Line { method, route, status, id, error, .. } = line;
    let level = match status.as_u16() {
        500.. => Level::Warn,
        400.. => Level::Info,
        _ => Level::Debug,
    };
    let (gap, outcome) = error.map_or(("", ""), |error| (" ", error.name()));
    log::log!(
        level,
        "{method} {route} {}{gap}{outcome} {:.1} ms request {}",
        status.as_u16(),
        seconds * 1e3,
        id.as_str()
    );
    if let Some(limit) = error.and_then(ApiError::limit) {
        counter!(LIMIT_HITS, "limit" => limit).increment(1);
    }
    let labels = [("route", route.clone()), ("method", (*method).to_owned()), ("status", status.as_str().to_owned())];
    histogram!(HTTP_SECONDS, &labels).record(seconds);
}

/// A method as a label: all methods that clients make up share one.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
