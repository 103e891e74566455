//! The WebSocket in the API's description. Nothing here runs.

use crate::{domain::priority::Priority, http::openapi::BadQuery};

/// Open a WebSocket.
///
/// The stream over a WebSocket: the same cursors, verdicts, order and filters, and JSON messages both ways. docs/websocket.md
/// describes them.
///
/// A browser cannot send the header `Authorization`. Its token is the second subprotocol,
/// `new WebSocket(url, ["bearer", token])`, or it uses a ticket in the query. The server accepts the handshake of a refused caller,
/// sends an `error`, and closes with 4001 (no token), 4002 (invalid or revoked) or 4003 (expired).
#[utoipa::path(get, path = "/ws/notifications", tag = "stream", operation_id = "webSocket",
    params(
        ("cursor" = Option<String>, Query, description = "The cursor of the list or of an earlier connection", example = "k3f9.1042"),
        ("replay" = Option<i64>, Query, description = "Without a cursor: send the newest so many items first", minimum = 0, maximum = 1_000),
        ("kinds" = Option<String>, Query, description = "Only notifications of these kinds: at most 50, separated by commas"),
        ("minPriority" = Option<Priority>, Query, description = "Only notifications of this priority or above"),
        ("signals" = Option<String>, Query, description = "As of the stream: `all`, `last` or `none`"),
        ("ticket" = Option<String>, Query, description = "A one-time ticket instead of a token"),
        ("token" = Option<String>, Query, description = "A token, where the server is configured to take it here"),
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`bearer` and the token; answered with `bearer`")),
    responses((status = 101, description = "The WebSocket"),
        (status = 426, description = "The request is for no WebSocket of version 13 over HTTP/1.1",
        body = crate::http::error::Problem, content_type = "application/problem+json"), BadQuery))]
#[expect(dead_code, reason = "has the description of the WebSocket")]
pub fn websocket() {}
