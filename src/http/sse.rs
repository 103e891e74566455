//! The stream as an HTTP answer: a connection's bytes as the body of a response that does not end by itself.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::header::{self, HeaderName, HeaderValue},
    web::{Data, Path},
};
use actix_web_lab::{
    body::new_infallible_body_stream,
    header::{CacheControl, CacheDirective},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use tokio::net::TcpStream;

use super::{Parts, credentials, error::ApiError, extract::Caller, hijack::Hijack, opening, query::Params};
use crate::{
    auth::Identity,
    bus::Control,
    domain::text::KIND_BYTES,
    frame::{EndReason, bye},
    health::Phase,
    live::{
        connection::{Connection, Filter, Piece, Request, Signals, jittered},
        hub::Transport,
    },
    store::Store,
};

/// Most kinds that a filter names.
const KINDS: usize = 50;
/// Most items that `?replay=` sends.
const REPLAY: i64 = 1_000;

/// Opens the stream.
///
/// A passing failure is answered with 200, a delay and an end, because `EventSource` gives up for good on every other status.
/// 400, 401 and 403 are final.
///
/// # Errors
/// When the query is wrong or the caller is not authenticated.
pub async fn stream(request: HttpRequest, parts: Data<Parts>) -> Result<HttpResponse, ApiError> {
    let mut params = Params::parse(request.query_string());
    let proofs = credentials::of_stream(&request, &parts.settings, &mut params)?;
    let asked = read_request(&request, &mut params);
    params.finish()?;
    if parts.health.phase() == Phase::Draining {
        return Ok(not_now(&parts, EndReason::Draining, "draining"));
    }
    let identity = match parts.identify(proofs).await {
        Ok(identity) => identity,
        Err(error) if error.passes() => return Ok(not_now(&parts, EndReason::Overloaded, "unavailable")),
        Err(error) => return Err(error),
    };
    Ok(answer(&request, &parts, open(parts.clone(), identity, asked)))
}

/// Opens the connection, behind the response's head; otherwise the farewell.
async fn open(parts: Data<Parts>, identity: Identity, asked: Request) -> Result<Connection, Bytes> {
    opening::open(&parts, identity, asked).await.map_err(|reason| farewell(&parts, reason.end()))
}

/// The stream on the request's own socket where it can be hijacked, otherwise as a body of the server.
fn answer(
    request: &HttpRequest,
    parts: &Parts,
    opening: impl Future<Output = Result<Connection, Bytes>> + Send + 'static,
) -> HttpResponse {
    match (Hijack::of(request), &parts.sockets) {
        (Some(claim), Some(sockets)) => {
            let (sockets, opening) = (sockets.clone(), opening.boxed());
            let adopt = move |socket: TcpStream, head| {
                sockets.adopt(socket.into_std()?, head, opening);
                Ok(())
            };
            claim.hijack(head().force_close().finish(), adopt)
        }
        _ => head().body(new_infallible_body_stream(events(opening, parts.store.clone()))),
    }
}

/// Extends an open stream with the fresh token of the request, on any instance.
///
/// # Errors
/// When the caller is not authenticated, or has no such stream and no other instance may have it.
pub async fn extend(
    Caller(identity): Caller,
    connection: Path<String>,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let connection = connection.parse().map_err(|_| ApiError::NoSuchStream)?;
    if parts.hub.extend(connection, &identity) {
        return Ok(HttpResponse::NoContent().finish());
    }
    if !parts.bus.is_shared() {
        return Err(ApiError::NoSuchStream);
    }
    parts.bus.control(Control::Extend { connection, identity: Box::new(identity) });
    Ok(HttpResponse::Accepted().finish())
}

/// The client's request, by query and `Last-Event-ID`.
pub(super) fn read_request(request: &HttpRequest, params: &mut Params) -> Request {
    let header =
        request.headers().get("last-event-id").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let query = params.text("cursor");
    let filter = read_filter(params);
    let replay = params.number("replay", 0, REPLAY).filter(|count| *count > 0);
    let cursor = header.filter(|text| !text.is_empty()).or(query);
    let signals = params.checked("signals", "must be one of all, last, none", |text| match text {
        "all" => Some(Signals::All),
        "last" => Some(Signals::Last),
        "none" => Some(Signals::None),
        _ => None,
    });
    Request { cursor, replay, filter, signals: signals.unwrap_or_default(), transport: Transport::Sse }
}

/// The filter of a request.
pub(super) fn read_filter(params: &mut Params) -> Filter {
    let kinds = params.checked("kinds", "must be 1 to 50 kinds of 1 to 64 characters, separated by commas", |text| {
        let kinds: Vec<String> = text.split(',').map(str::to_owned).collect();
        let fits = kinds.len() <= KINDS && kinds.iter().all(|kind| (1..=KIND_BYTES).contains(&kind.len()));
        fits.then_some(kinds)
    });
    let min_priority = params.parsed("minPriority", "must be one of low, medium, high, critical");
    Filter { kinds, min_priority }
}

fn head() -> HttpResponseBuilder {
    let mut head = HttpResponse::Ok();
    head.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")))
        .insert_header(CacheControl(vec![
            CacheDirective::NoCache,
            CacheDirective::Extension("no-transform".into(), None),
        ]))
        .insert_header((HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")));
    head
}

/// The connection's bytes for as long as it lasts. The server drops this when the client has left. That drops the connection, and
/// with it its guard, so that it leaves the hub.
fn events(opening: impl Future<Output = Result<Connection, Bytes>>, store: Store) -> impl Stream<Item = Bytes> {
    stream::once(opening).flat_map(move |opened| match opened {
        Ok(connection) => chunks(connection, store.clone()).left_stream(),
        Err(farewell) => stream::iter([farewell]).right_stream(),
    })
}

fn chunks(connection: Connection, store: Store) -> impl Stream<Item = Bytes> {
    let chunks = stream::unfold((connection, store), |(mut connection, store)| async move {
        let chunk = connection.next(&store).await?;
        Some((stream::iter(chunk).map(Piece::into_text), (connection, store)))
    });
    chunks.flatten()
}

/// A stream that ends at once and says when to come back.
fn not_now(parts: &Parts, reason: EndReason, label: &'static str) -> HttpResponse {
    opening::count_refused(label);
    head().body(farewell(parts, reason))
}

/// The text of a stream that is not opened.
fn farewell(parts: &Parts, reason: EndReason) -> Bytes {
    bye(reason, jittered(parts.settings.stream.retry)).into_bytes()
}
