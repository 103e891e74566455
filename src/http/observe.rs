//! Around every request: its id, one log line, one metric, and problems for whatever went wrong.
//!
//! Never logs a query string, a header or a body.

use std::{fmt, time::Instant};

use actix_web::{
    Error, HttpMessage as _, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use log::Level;
use metrics::{counter, histogram};
use uuid::Uuid;

use super::error::{ApiError, PROBLEM_JSON};
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
/// What an inner middleware failed with, as a problem.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let method = method_name(request.method());
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let (answer, status, error) = match next.call(request).await {
        Ok(response) => {
            let (response, error) = complete(response, &id);
            let status = response.status();
            (Ok(response), status, error)
        }
        Err(error) => {
            let error = own(&error);
            let status = error.status_code();
            (Err(Error::from(Tagged { error: error.clone(), id: id.clone() })), status, Some(error))
        }
    };
    record(&Line { method, route, status, started, id: &id, error: error.as_ref() });
    answer
}

/// What every answer has in common, and a problem for a body where something went wrong.
fn complete(
    response: ServiceResponse<impl MessageBody + 'static>,
    id: &RequestId,
) -> (ServiceResponse<BoxBody>, Option<ApiError>) {
    let error = response.response().error().map(own);
    let mut response = match &error {
        None => response.map_into_boxed_body(),
        Some(error) => response.map_body(|head, _| {
            head.status = error.status_code();
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
            BoxBody::new(error.body(Some(id.as_str())))
        }),
    };
    add_headers(response.headers_mut(), id);
    (response, error)
}

fn add_headers(headers: &mut HeaderMap, id: &RequestId) {
    headers.insert(REQUEST_ID, id.0.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn own(error: &Error) -> ApiError {
    error.as_error::<ApiError>().cloned().unwrap_or_else(|| ApiError::foreign(error))
}

/// An error that left the inner services without an answer (a panic, a refused preflight), with its request's id.
#[derive(Debug)]
struct Tagged {
    error: ApiError,
    id: RequestId,
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Tagged {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.error_response().set_body(BoxBody::new(self.error.body(Some(self.id.as_str()))));
        add_headers(response.headers_mut(), &self.id);
        response
    }
}

/// What is told about one request.
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
    let cause = error.and_then(ApiError::cause).unwrap_or_default();
    let separator = if cause.is_empty() { "" } else { ": " };
    log::log!(
        level,
        "{method} {route} {} {:.1} ms request {}{separator}{cause}",
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

/// A method as a label: those that anybody could make up are one.
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
