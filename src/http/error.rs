//! The one error of the HTTP edge, and the only place that picks a status.
//!
//! Every refusal is an RFC 9457 problem. What went wrong inside goes to the log, never into a body.

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};

use crate::store::Misfit;

pub use super::problem::{FieldError, PROBLEM_JSON, Problem};

/// How long a client waits before it asks an instance again whose store did not answer.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(2);

/// Why a request was not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Query parameters that are unknown or malformed.
    #[error("a query parameter is unknown or malformed")]
    BadQuery(Vec<FieldError>),
    /// A header that is malformed.
    #[error("the header {0} {1}")]
    BadHeader(&'static str, &'static str),
    /// A part of the path that is malformed: its name and why.
    #[error("the {0} in the path is malformed: {1}")]
    BadPath(&'static str, &'static str),
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The request could not be read.
    #[error("the request could not be read")]
    Malformed,
    /// No credentials where some are needed.
    #[error("a token is required")]
    NoToken,
    /// Credentials that do not hold; the text says why without repeating them.
    #[error("{0}")]
    BadToken(String),
    /// Several credentials, none of which holds.
    #[error("none of the {count} tokens of this request holds: {reasons}")]
    BadTokens {
        /// How many.
        count: usize,
        /// Where each stands and why it does not hold, without repeating it.
        reasons: String,
        /// Whether all of them held and have ended.
        expired: bool,
    },
    /// A token that held and has ended.
    #[error("the token has expired")]
    ExpiredToken,
    /// The token lacks a scope.
    #[error("the token lacks the scope {0}")]
    MissingScope(&'static str),
    /// A change by cookie that another site may have caused.
    #[error(
        "a request that carries its token in a cookie must come from the same origin or one of TIDINGS_CORS_ORIGINS"
    )]
    ForeignOrigin,
    /// A WebSocket of another site's page.
    #[error("a WebSocket of a page must come from the same origin or one of TIDINGS_CORS_ORIGINS")]
    ForeignPage,
    /// A request for a WebSocket that asks for no upgrade, or for another one.
    #[error("this is a WebSocket: {0}")]
    UpgradeRequired(&'static str),
    /// No such path.
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// No such notification, or somebody else's: the two are not told apart.
    #[error("there is no such notification")]
    NoSuchItem,
    /// A notification that is not due.
    #[error("nothing about this notification is due")]
    NotDue,
    /// A due item of a topic that the user has left.
    #[error("the notification was for the subscribers of a topic, and you are none any more")]
    NotConcerned,
    /// The tenant has no such publish that waits.
    #[error("nothing that is scheduled has this id or key")]
    NoSuchScheduled,
    /// What waited was sent, or called off.
    #[error("{0}")]
    NoLongerScheduled(&'static str),
    /// The tenant has no such notification, or one that goes to no topic and not to everyone.
    #[error("there is no such fan-out")]
    NoSuchFanout,
    /// The caller has no such stream.
    #[error("there is no such stream")]
    NoSuchStream,
    /// No such topic, told to who may know.
    #[error("there is no such topic")]
    NoSuchTopic,
    /// The kind of topics is not registered.
    #[error("there is no such kind of topics")]
    NoSuchTopicKind,
    /// A topic that the caller may not join, whether it exists or not.
    #[error("this topic may not be joined with this token")]
    MayNotJoin,
    /// A topic that the caller is not subscribed to, whether it exists or not.
    #[error("this is for subscribers of the topic: PUT /api/topics/{{topic}}/subscription comes first")]
    NotSubscribed,
    /// The path exists, the method does not.
    #[error("this path answers to {allow}")]
    WrongMethod {
        /// What it answers to, as the `Allow` header says it.
        allow: &'static str,
    },
    /// The body took too long to arrive.
    #[error("the body took too long to arrive")]
    TooSlow,
    /// A bound was exceeded.
    #[error("at most {most} {unit} are accepted ({limit})")]
    TooLarge {
        /// The bound's name: of a setting, or its own where it is fixed.
        limit: &'static str,
        /// The bound.
        most: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The body is of a type that is not read here.
    #[error("the content type must be {0}, without a content encoding")]
    WrongContentType(&'static str),
    /// JSON that is not what it should be.
    #[error("the body is not valid")]
    Invalid(Vec<FieldError>),
    /// A change that must name the state that it is meant for does not.
    #[error("the header If-Match is required: the ETag of what is to be changed, or *")]
    NoCondition,
    /// What is to be changed is not what it was when the caller looked.
    #[error("it has changed meanwhile: get it anew")]
    Changed,
    /// Header and body name different idempotency keys.
    #[error("the header and the body name different idempotency keys")]
    KeysDiffer,
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used before with another body")]
    KeyReused,
    /// Too much at once.
    #[error("too many publishes are waiting")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// As many streams are open as may be.
    #[error("at most {most} streams may be open at once ({limit})")]
    NoRoom {
        /// The setting that bounds it.
        limit: &'static str,
        /// The bound.
        most: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// The sender sends more than it may.
    #[error("at most {most} signals a second are accepted ({limit})")]
    TooManySignals {
        /// The setting that bounds it.
        limit: &'static str,
        /// The bound.
        most: u32,
        /// When the next one is accepted.
        retry_after: Duration,
    },
    /// Something that only publishers may signal.
    #[error("only publishers signal {0}")]
    OnlyPublishers(&'static str),
    /// The keys that may verify the token cannot be read at the moment.
    #[error("the keys to verify the token cannot be fetched at the moment")]
    KeysUnavailable {
        /// When they may be fetched again.
        retry_after: Duration,
    },
    /// A part that is needed does not answer; that part has logged why.
    #[error("the server cannot do this at the moment")]
    Unavailable,
    /// The schema of the database does not fit this instance.
    #[error("the server cannot do this before its database fits it: {0}")]
    Misfit(Misfit),
    /// A removal is stored, but the bus has not taken the news of it.
    #[error("the change is made and stored, but signals may still come to who was removed: repeat it")]
    Untold,
    /// A defect of the server.
    #[error("the server failed")]
    Internal,
}

impl ApiError {
    /// Status, name and title.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadQuery(_) => (StatusCode::BAD_REQUEST, "bad-query", "Bad query"),
            Self::BadHeader(..) => (StatusCode::BAD_REQUEST, "bad-header", "Bad header"),
            Self::BadPath(..) => (StatusCode::BAD_REQUEST, "bad-path", "Bad path"),
            Self::NotJson(_) => (StatusCode::BAD_REQUEST, "not-json", "Not JSON"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed", "Malformed request"),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "no-token", "No token"),
            Self::BadToken(_) | Self::BadTokens { .. } | Self::ExpiredToken => {
                (StatusCode::UNAUTHORIZED, "bad-token", "Token refused")
            }
            Self::MissingScope(_) => (StatusCode::FORBIDDEN, "missing-scope", "Not allowed"),
            Self::ForeignOrigin | Self::ForeignPage => (StatusCode::FORBIDDEN, "foreign-origin", "Foreign origin"),
            Self::OnlyPublishers(_) => (StatusCode::FORBIDDEN, "only-publishers", "Not allowed"),
            Self::TooManySignals { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-many-signals", "Too many signals"),
            Self::UpgradeRequired(_) => (StatusCode::UPGRADE_REQUIRED, "upgrade-required", "Upgrade required"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no-such-path", "Not found"),
            Self::NotDue => (StatusCode::CONFLICT, "not-due", "Not due"),
            Self::NotConcerned => (StatusCode::FORBIDDEN, "not-concerned", "Not allowed"),
            Self::NoSuchScheduled => (StatusCode::NOT_FOUND, "no-such-scheduled", "Not found"),
            Self::NoLongerScheduled(_) => (StatusCode::CONFLICT, "no-longer-scheduled", "Conflict"),
            Self::NoSuchItem => (StatusCode::NOT_FOUND, "no-such-notification", "Not found"),
            Self::NoSuchFanout => (StatusCode::NOT_FOUND, "no-such-fanout", "Not found"),
            Self::NoSuchStream => (StatusCode::NOT_FOUND, "no-such-stream", "Not found"),
            Self::NoSuchTopic => (StatusCode::NOT_FOUND, "no-such-topic", "Not found"),
            Self::NoSuchTopicKind => (StatusCode::NOT_FOUND, "no-such-topic-kind", "Not found"),
            Self::MayNotJoin => (StatusCode::FORBIDDEN, "may-not-join", "Not allowed"),
            Self::NotSubscribed => (StatusCode::FORBIDDEN, "not-subscribed", "Not allowed"),
            Self::WrongMethod { .. } => (StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "Wrong method"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "Too slow"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::WrongContentType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong-content-type", "Wrong content type")
            }
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "Invalid body"),
            Self::NoCondition => (StatusCode::PRECONDITION_REQUIRED, "condition-required", "Precondition required"),
            Self::Changed => (StatusCode::PRECONDITION_FAILED, "changed", "Changed meanwhile"),
            Self::KeysDiffer => (StatusCode::UNPROCESSABLE_ENTITY, "keys-differ", "Two idempotency keys"),
            Self::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "Idempotency key reused"),
            Self::Overloaded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Overloaded"),
            Self::NoRoom { .. } => (StatusCode::SERVICE_UNAVAILABLE, "no-room", "No room"),
            Self::Unavailable | Self::Untold | Self::KeysUnavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable")
            }
            Self::Misfit(_) => (StatusCode::SERVICE_UNAVAILABLE, "schema-misfit", "Schema does not fit"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// The problem as a body tells it.
    pub fn problem(&self) -> Problem {
        let (status, name, title) = self.kind();
        let errors = match self {
            Self::BadQuery(errors) | Self::Invalid(errors) => errors.clone(),
            _ => Vec::new(),
        };
        Problem {
            r#type: format!("urn:tidings:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: self.to_string(),
            instance: None,
            errors,
        }
    }

    /// Which problem it is: stable, as the body and the log name it.
    pub fn name(&self) -> &'static str {
        self.kind().1
    }

    /// The bound that refused the request, as the metric names it.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge { limit, .. } | Self::NoRoom { limit, .. } => Some(limit),
            Self::Overloaded { .. } => Some("publish_queue"),
            _ => None,
        }
    }

    /// Whether the same request may well succeed later without anything being changed about it.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Overloaded { .. }
                | Self::NoRoom { .. }
                | Self::KeysUnavailable { .. }
                | Self::Unavailable
                | Self::Misfit(_)
                | Self::Untold
        )
    }

    /// What an error of the framework amounts to; its own words are not for clients.
    pub fn foreign(error: &actix_web::Error) -> Self {
        match error.as_response_error().status_code() {
            StatusCode::NOT_FOUND => Self::NoSuchPath,
            status if status.is_client_error() => Self::Malformed,
            _ => Self::Internal,
        }
    }

    /// The headers that belong to it.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = match self {
            Self::NoToken => (header::WWW_AUTHENTICATE, "Bearer".to_owned()),
            Self::BadToken(_) | Self::BadTokens { .. } | Self::ExpiredToken => {
                (header::WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#.to_owned())
            }
            Self::MissingScope(scope) => {
                (header::WWW_AUTHENTICATE, format!(r#"Bearer error="insufficient_scope", scope="{scope}""#))
            }
            Self::WrongMethod { allow } => (header::ALLOW, (*allow).to_owned()),
            Self::UpgradeRequired(_) => (header::UPGRADE, "websocket".to_owned()),
            Self::Overloaded { retry_after }
            | Self::NoRoom { retry_after, .. }
            | Self::KeysUnavailable { retry_after }
            | Self::TooManySignals { retry_after, .. } => (header::RETRY_AFTER, whole_seconds(*retry_after)),
            Self::Unavailable | Self::Misfit(_) | Self::Untold => {
                (header::RETRY_AFTER, whole_seconds(UNAVAILABLE_RETRY))
            }
            _ => return None,
        };
        HeaderValue::try_from(value).ok().map(|value| (name, value))
    }

    /// The body, naming the request if its id is known.
    pub fn body(&self, request_id: Option<&str>) -> String {
        let instance = request_id.map(|id| format!("urn:tidings:request:{id}"));
        // Text, numbers and lists of them: writing this as JSON cannot fail.
        serde_json::to_string(&Problem { instance, ..self.problem() }).unwrap_or_default()
    }
}

/// Seconds for `Retry-After`, rounded up: 0 would say "at once".
fn whole_seconds(time: Duration) -> String {
    time.as_millis().div_ceil(1000).max(1).to_string()
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.kind().0
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(PROBLEM_JSON).insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(header) = self.header() {
            response.insert_header(header);
        }
        if let Self::UpgradeRequired(_) = self {
            response.insert_header((header::SEC_WEBSOCKET_VERSION, "13"));
        }
        response.body(self.body(None))
    }
}
