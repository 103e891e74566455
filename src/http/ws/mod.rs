//! The stream as a WebSocket: another transport of the same connections, with messages the other way as well.
//!
//! Browsers cannot read the status of a handshake that is refused. So a client without access is let in, gets an error with the reason, and is
//! closed with a code of its own. Only errors in the page's code are refused before: a foreign origin, a query that is not understood, a
//! request for no WebSocket.

mod channels;
pub mod docs;
mod ending;
mod inbound;
mod listener;
mod liveness;
mod outbound;
mod position;
mod session;
mod writer;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Version,
        header::{self, HeaderValue},
    },
    rt,
    web::Data,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use self::session::{Entry, Refusal};
use super::{
    Parts,
    credentials::{self, BEARER, Proofs},
    error::ApiError,
    hijack::Hijack,
    opening,
    query::Params,
    sse,
};
use crate::{
    auth::Identity,
    frame::EndReason,
    health::Phase,
    live::{connection::Request, hub::Transport},
};

/// Bytes of the nonce in `Sec-WebSocket-Key` (RFC 6455, 4.1).
const KEY_BYTES: usize = 16;

/// Opens a WebSocket.
///
/// # Errors
/// When the request is for no WebSocket, its query is wrong or its page foreign; every other error is sent over the WebSocket.
pub async fn open(request: HttpRequest, parts: Data<Parts>) -> Result<HttpResponse, ApiError> {
    let (claim, response) = accept(&request)?;
    let mut params = Params::parse(request.query_string());
    let proofs = credentials::of_websocket(&request, &parts.settings, &mut params);
    if matches!(proofs, Err(ApiError::ForeignPage)) {
        let origin = request.headers().get(header::ORIGIN).map(HeaderValue::as_bytes).unwrap_or_default();
        parts.foreign_pages.warn(&String::from_utf8_lossy(origin));
        return Err(ApiError::ForeignPage);
    }
    let asked = Request { transport: Transport::WebSocket, ..sse::read_request(&request, &mut params) };
    params.finish()?;
    let caller = admit(&parts, proofs).await;
    let entry = Entry { parts, caller, asked };
    let serve = move |socket, head| {
        rt::spawn(session::run(socket, head, entry));
        Ok(())
    };
    Ok(claim.hijack(response, serve))
}

/// The identity of the caller, or why it is not let in.
async fn admit(parts: &Parts, proofs: Result<Proofs, ApiError>) -> Result<Identity, Refusal> {
    let proofs = proofs.map_err(Refusal::Denied)?;
    if parts.health.phase() == Phase::Draining {
        opening::count_refused("draining");
        return Err(Refusal::Later(EndReason::Draining));
    }
    parts.identify(proofs).await.map_err(|error| {
        if !error.passes() {
            return Refusal::Denied(error);
        }
        opening::count_refused("unavailable");
        Refusal::Later(EndReason::Overloaded)
    })
}

/// The server's side of the handshake (RFC 6455, 4.2), and the way to the socket.
fn accept(request: &HttpRequest) -> Result<(Hijack, HttpResponse), ApiError> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asks = request.head().upgrade() && text(header::UPGRADE).eq_ignore_ascii_case("websocket");
    if !asks || request.version() != Version::HTTP_11 {
        return Err(ApiError::UpgradeRequired("open it with HTTP/1.1, Connection: Upgrade and Upgrade: websocket"));
    }
    if text(header::SEC_WEBSOCKET_VERSION) != "13" {
        return Err(ApiError::UpgradeRequired("Sec-WebSocket-Version must be 13"));
    }
    let key = text(header::SEC_WEBSOCKET_KEY);
    if STANDARD.decode(key).ok().is_none_or(|nonce| nonce.len() != KEY_BYTES) {
        return Err(ApiError::BadHeader("Sec-WebSocket-Key", "must be 16 bytes in base64"));
    }
    let claim = Hijack::of(request).ok_or(ApiError::Internal)?;
    let mut response = HttpResponse::SwitchingProtocols();
    response.upgrade("websocket").insert_header((header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes())));
    if credentials::offers_bearer(request) {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, BEARER));
    }
    Ok((claim, response.finish()))
}
