//! One-time tickets: how a page opens a stream with `EventSource`, which sends no headers.

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Parts, error::ApiError, extract::Caller};
use crate::store::TICKET_TTL;

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// For `?ticket=` of the stream; good for one use.
    pub ticket: String,
    /// How long it waits to be used.
    #[schema(example = 30_000)]
    pub expires_in_ms: u64,
}

/// Get a ticket for a stream.
///
/// `EventSource` cannot send an `Authorization` header. Fetch a ticket with the token, then open the stream with
/// `?ticket=`. It works once, within 30 seconds.
#[utoipa::path(post, path = "/api/stream-tickets", tag = "stream", operation_id = "createStreamTicket",
    responses((status = 200, body = Ticket, description = "A ticket")))]
pub async fn create(Caller(caller): Caller, parts: Data<Parts>) -> Result<Json<Ticket>, ApiError> {
    let ticket = parts.store.issue_ticket(&caller).await?;
    Ok(Json(Ticket { ticket, expires_in_ms: TICKET_TTL.as_secs() * 1000 }))
}
