//! The parts of a request that may contain a token, and when a cookie may count.
//!
//! Reads headers and the query only; whether the token holds is for [`crate::auth`]. No value from here is logged.

use actix_web::{
    HttpRequest,
    http::{header, uri::Authority},
};

use super::{error::ApiError, query::Params};
use crate::config::Settings;

/// The subprotocol after which a browser names its token, and with which a WebSocket is accepted then.
pub const BEARER: &str = "bearer";

/// The credential of a caller.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A signed token.
    Token(String),
    /// A one-time ticket, for streams only.
    Ticket(String),
}

/// The credential of an ordinary request: `Authorization`, otherwise the cookie.
///
/// # Errors
/// When there is none, when it is malformed, or when a cookie comes with a change from a foreign page.
pub fn of_request(request: &HttpRequest, settings: &Settings) -> Result<Credential, ApiError> {
    if let Some(token) = bearer(request)? {
        return Ok(Credential::Token(token.to_owned()));
    }
    let token = cookie(request, &settings.auth.cookie).ok_or(ApiError::NoToken)?;
    if !request.method().is_safe() && !same_origin(request, &settings.cors_origins) {
        return Err(ApiError::ForeignOrigin);
    }
    Ok(Credential::Token(token.to_owned()))
}

/// The credential of a stream: as [`of_request`], but `ticket` and, where configured, `token` may come in the query.
/// Takes both out of `params`.
///
/// # Errors
/// As [`of_request`].
pub fn of_stream(request: &HttpRequest, settings: &Settings, params: &mut Params) -> Result<Credential, ApiError> {
    match said(request, settings, params)? {
        Some(credential) => Ok(credential),
        None => of_request(request, settings),
    }
}

/// The credential that the client sets itself. A cookie differs: browsers add it to every request of a page.
fn said(request: &HttpRequest, settings: &Settings, params: &mut Params) -> Result<Option<Credential>, ApiError> {
    let ticket = params.text("ticket");
    let token = if settings.auth.query_token { params.text("token") } else { None };
    if let Some(token) = bearer(request)? {
        return Ok(Some(Credential::Token(token.to_owned())));
    }
    Ok(ticket.map(Credential::Ticket).or(token.map(Credential::Token)))
}

/// The credential of a WebSocket: as [`of_stream`], or the second of the subprotocols [`BEARER`] and the token, for browsers set
/// no headers. A page's origin must be the own one or an allowed one; `*` allows all, but none with a cookie.
///
/// # Errors
/// As [`of_stream`], and for a foreign page.
pub fn of_websocket(request: &HttpRequest, settings: &Settings, params: &mut Params) -> Result<Credential, ApiError> {
    let origins = &settings.cors_origins;
    let vouched = !request.headers().contains_key(header::ORIGIN) || same_origin(request, origins);
    if !vouched && !origins.iter().any(|origin| origin == "*") {
        return Err(ApiError::ForeignPage);
    }
    if let Some(credential) = said(request, settings, params)?.or_else(|| protocol_token(request)) {
        return Ok(credential);
    }
    if !vouched && cookie(request, &settings.auth.cookie).is_some() {
        return Err(ApiError::ForeignPage);
    }
    of_request(request, settings)
}

/// Whether the client offers its token among the subprotocols: the answer must take one of those offered.
pub fn offers_bearer(request: &HttpRequest) -> bool {
    protocols(request).any(|protocol| protocol == BEARER)
}

fn protocol_token(request: &HttpRequest) -> Option<Credential> {
    let token = protocols(request).skip_while(|protocol| *protocol != BEARER).nth(1)?;
    Some(Credential::Token(token.to_owned()))
}

fn protocols(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let lines = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn bearer(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
    if request.headers().get_all(header::AUTHORIZATION).count() > 1 {
        return Err(ApiError::BadToken("the header Authorization is given more than once".to_owned()));
    }
    let wrong = || ApiError::BadToken("the header Authorization must be: Bearer, a space, the token".to_owned());
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(wrong()) }
}

fn cookie<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"'))
}

/// Whether a browser vouches that the page behind this request is ours or an allowed one. No other site's page can
/// set either header.
fn same_origin(request: &HttpRequest, allowed: &[String]) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if matches!(text("sec-fetch-site"), Some("same-origin" | "none")) {
        return true;
    }
    let Some(origin) = text("origin") else { return false };
    let host = text("host").or_else(|| request.uri().authority().map(Authority::as_str));
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let own = authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host));
    // "*" in the list equals no origin, so it vouches for none.
    own || allowed.iter().any(|each| each == origin)
}
