//! Signals: sent by backends and by users, not stored.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};

use super::{
    Parts,
    body::{self, Bound, Wanted},
    error::ApiError,
    extract::Caller,
    openapi::{BadBody, BadSyntax, BadType, LargeBody, TooMany},
};
use crate::{
    actions::signals::Sender,
    message::{self, FRAMING_BYTES, SignalMessage},
};

/// Send a signal.
///
/// It goes to all open streams of the topic's subscribers, or to the open streams of one user. It is not stored and may be
/// dropped. Of the same topic, kind and key the newest counts. A signal that is sent after an answer comes after it.
///
/// With the scope `publish` to any topic or user of the tenant. Every other user may signal the topics that it is subscribed to,
/// unless they are read only, and at a bounded rate.
#[utoipa::path(post, path = "/api/signals", tag = "signals", operation_id = "signal",
    request_body(content = SignalMessage,
        example = json!({"topic": "queue:7", "kind": "metrics_updated", "key": "waiting", "data": {"waiting": 3}})),
    responses((status = 202, description = "Taken, and on its way"), BadSyntax, BadType, LargeBody, BadBody, TooMany))]
pub async fn create(
    Caller(caller): Caller,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let most_data = parts.signals.settings().data_bytes;
    let types = &["application/json"];
    let bound = Bound::bytes("signal_bytes", most_data + FRAMING_BYTES);
    let body = body::read(&request, payload, Wanted { types, types_text: types[0], bound }).await?;
    body::check_syntax(&body)?;
    let new = message::parse_signal(&body, most_data)?;
    let publishes = caller.publish || caller.admin;
    let sender = if publishes { Sender::Publisher(&caller.key.tenant) } else { Sender::User(&caller.key) };
    parts.signals.send(sender, new, "http").await?;
    Ok(HttpResponse::Accepted().finish())
}
