//! Publishing: one message or a batch, plain or as `CloudEvents`.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Payload},
};
use chrono::{DateTime, Utc};
use metrics::counter;
use serde::Serialize;
use serde_json::{error::Category, value::RawValue};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Parts,
    body::{self, Bound, Wanted},
    error::{ApiError, FieldError, Problem},
    extract::MayPublish,
    openapi::{BadBody, BadSyntax, BadType, LargeBody},
};
use crate::{
    actions::publish::Accepted,
    domain::{
        notification::{NewNotification, Source},
        user::Tenant,
    },
    message::{self, Message},
    metrics::PUBLISHES,
};

/// Most recipients of all items of a batch together: they are written by one transaction.
const BATCH_RECIPIENTS: usize = 10_000;
/// A batch may have this many times the bytes of one message.
const BATCH_BODIES: usize = 16;
const KEY_HEADER: &str = "Idempotency-Key";
const BAD_KEY: ApiError = ApiError::BadHeader(KEY_HEADER, "must be 1 to 200 printable ASCII characters");
const KEY_ON_BATCH: ApiError =
    ApiError::BadHeader(KEY_HEADER, "is for one message; in a batch each item has its own idempotencyKey");

/// The answer to a publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The notification's id.
    pub id: Uuid,
    /// How many of `users` it was for, including users whose preferences keep it out of the inbox.
    #[schema(example = 1)]
    pub recipients: usize,
    /// `true` when it also goes to topics or to everyone, behind this answer: `GET /api/fanouts/{id}` shows the progress.
    /// Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub fanout: bool,
    /// When it reaches inboxes, if it is scheduled. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<DateTime<Utc>>,
    /// `true` in the answer to a repeat whose first publish comes no more: it was taken back, or it waited for a time and was called off,
    /// another took its place, or it expired before its time. Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub cancelled: bool,
}

/// The outcome of one item of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Outcome {
    /// It is stored.
    Accepted(Receipt),
    /// It is not; the others are none the worse.
    Refused {
        /// Why.
        problem: Problem,
    },
}

/// The answer to a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Outcomes {
    /// One for each item, in the same order.
    pub results: Vec<Outcome>,
}

impl From<&Accepted> for Receipt {
    fn from(accepted: &Accepted) -> Self {
        let Accepted { id, recipients, fanout, deliver_at, cancelled, .. } = *accepted;
        Self { id, recipients, fanout, deliver_at, cancelled }
    }
}

/// Publish one notification.
///
/// It is stored before this answers. Send an idempotency key and repeat the request when the answer is lost: the
/// same key and body give the same answer and write nothing, with `cancelled` if the first publish was taken back, or
/// scheduled and cancelled since. A `CloudEvents` 1.0 event is accepted too; its `data` is
/// the message, its `source` and `id` together are the idempotency key.
#[utoipa::path(post, path = "/api/notifications", tag = "publishing", operation_id = "publish",
    params(("Idempotency-Key" = Option<String>, Header, description = "The publisher's own name for this publish: 1 to \
        200 printable ASCII characters, remembered for 24 hours at least. The body's `idempotencyKey` is the same thing; \
        if both are given they must be equal.", example = "order-4711-paid")),
    request_body(description = "The message, or a CloudEvent that contains it", content(
        (Message = "application/json", example = json!({"users": ["u1"], "kind": "payment_received", "category": "payments",
            "priority": "high", "title": "Payment received", "message": "120.00 EUR from Example Ltd.",
            "data": {"amount": 12000, "currency": "EUR"}, "actionUrl": "/payment-history"})),
        (Object = "application/cloudevents+json", example = json!({"specversion": "1.0", "id": "4711", "source": "/billing",
            "type": "payment_received", "data": {"users": ["u1"], "title": "Payment received"}})))),
    responses((status = 201, body = Receipt, description = "Stored", headers(
        ("Idempotent-Replayed" = String, description = "`true` when an earlier publish with this key is being answered again"))),
        BadSyntax, BadType, LargeBody, BadBody))]
pub async fn one(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let key = header_key(&request)?;
    let wanted = Wanted {
        types: &["application/json", "application/cloudevents+json"],
        types_text: "application/json or application/cloudevents+json",
        bound: Bound::bytes("body_bytes", parts.settings.publish.body_bytes),
    };
    let body = body::read(&request, payload, wanted).await?;
    let item = prepare_one(&body, caller.key.tenant, key, &parts)?;
    let mut answers = parts.publisher.publish(vec![item]).await?;
    let accepted = answers.pop().ok_or(ApiError::Internal)??;
    let mut response = HttpResponse::Created();
    if accepted.repeated {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    Ok(response.json(Receipt::from(&accepted)))
}

/// Publish many notifications.
///
/// All that are valid are stored in one transaction; each of the others has its problem as its answer, at the same index.
#[utoipa::path(post, path = "/api/notifications/batch", tag = "publishing", operation_id = "publishBatch",
    request_body(description = "Messages, or CloudEvents that contain them", content(
        (Vec<Message> = "application/json", example = json!([{"users": ["u1"], "title": "One"}, {"users": ["u2"], "title": "Two"}])),
        (Vec<Object> = "application/cloudevents-batch+json"))),
    responses((status = 200, body = Outcomes, description = "The outcome of each, in the same order"),
        BadSyntax, BadType, LargeBody, BadBody))]
pub async fn batch(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<Outcomes>, ApiError> {
    if request.headers().contains_key(KEY_HEADER) {
        return Err(KEY_ON_BATCH);
    }
    let limits = &parts.settings.publish;
    let wanted = Wanted {
        types: &["application/json", "application/cloudevents-batch+json"],
        types_text: "application/json or application/cloudevents-batch+json",
        bound: Bound::bytes("batch_bytes", limits.body_bytes.saturating_mul(BATCH_BODIES)),
    };
    let body = body::read(&request, payload, wanted).await?;
    let items = split(&body, limits.batch_items)?;
    let prepared: Vec<_> =
        items.into_iter().map(|item| prepare(item.get().as_bytes(), caller.key.tenant.clone(), None, &parts)).collect();
    Ok(Json(Outcomes { results: publish_valid(prepared, &parts).await? }))
}

/// Publishes the valid items, in one transaction; answers in the order given.
async fn publish_valid(
    prepared: Vec<Result<NewNotification, ApiError>>,
    parts: &Parts,
) -> Result<Vec<Outcome>, ApiError> {
    let mut valid = Vec::with_capacity(prepared.len());
    let checked: Vec<Result<(), ApiError>> =
        prepared.into_iter().map(|item| item.map(|item| valid.push(item)).inspect_err(|_| count_refused())).collect();
    let recipients: usize = valid.iter().map(|item| item.users.len()).sum();
    if recipients > BATCH_RECIPIENTS {
        return Err(ApiError::TooLarge {
            limit: "batch_recipients",
            most: BATCH_RECIPIENTS,
            unit: "recipients in all",
        });
    }
    let answers = if valid.is_empty() { Vec::new() } else { parts.publisher.publish(valid).await? };
    let mut answers = answers.into_iter();
    let outcome = |checked: Result<(), ApiError>| {
        let answer = checked.and_then(|()| answers.next().ok_or(ApiError::Internal)?.map_err(ApiError::from));
        match answer {
            Ok(accepted) => Outcome::Accepted(Receipt::from(&accepted)),
            Err(error) => Outcome::Refused { problem: error.problem() },
        }
    };
    Ok(checked.into_iter().map(outcome).collect())
}

/// The items of a batch, unread.
fn split(body: &[u8], most: usize) -> Result<Vec<&RawValue>, ApiError> {
    let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => ApiError::Invalid(vec![FieldError::body("", "must be an array of messages")]),
        _ => ApiError::NotJson(error.to_string()),
    })?;
    if items.len() > most {
        return Err(ApiError::TooLarge { limit: "batch_items", most, unit: "items" });
    }
    Ok(items)
}

/// Parses one message and settles its idempotency key.
fn prepare(body: &[u8], tenant: Tenant, key: Option<String>, parts: &Parts) -> Result<NewNotification, ApiError> {
    let limits = &parts.settings.publish;
    if body.len() > limits.body_bytes {
        return Err(ApiError::TooLarge { limit: "body_bytes", most: limits.body_bytes, unit: "bytes" });
    }
    let message = message::parse(body, limits)?;
    match (&key, message.idempotency_key()) {
        (Some(header), Some(field)) if header != field => Err(ApiError::KeysDiffer),
        _ => Ok(message.into_new(tenant, Source::Http, key, &parts.kinds)?),
    }
}

/// The same for a body that was not parsed yet: a body that is no JSON at all has an error of its own.
fn prepare_one(body: &[u8], tenant: Tenant, key: Option<String>, parts: &Parts) -> Result<NewNotification, ApiError> {
    prepare(body, tenant, key, parts).or_else(|error| {
        body::check_syntax(body)?;
        count_refused();
        Err(error)
    })
}

/// The key of the header, with or without the quotes that structured fields have.
fn header_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let mut lines = request.headers().get_all(KEY_HEADER);
    let Some(line) = lines.next() else { return Ok(None) };
    let text = line.to_str().map_err(|_| BAD_KEY)?.trim();
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if lines.next().is_some() || message::idempotency_key(text).is_err() {
        return Err(BAD_KEY);
    }
    Ok(Some(text.to_owned()))
}

fn count_refused() {
    counter!(PUBLISHES, "source" => Source::Http.as_str(), "result" => "refused").increment(1);
}
