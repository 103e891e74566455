//! Topics as their users see them: which there are, joining and leaving.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Payload},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{
    Parts,
    body::{self, Bound},
    error::ApiError,
    extract::{Admin, Caller, TopicName},
    openapi::{BadBody, BadPath, BadQuery, BadSyntax, BadType, LargeBody, NoSuchTopic},
    query::Params,
};
use crate::{
    domain::topic::{Access, Mute, MutedUntil, Subscription, Topic},
    store::{KnownTopic, MyTopic},
};

const BODY: Bound = Bound::bytes("subscription_bytes", 4 * 1024);
const DEFAULT_LIMIT: i64 = 100;
const MOST_ROWS: i64 = 1_000;

/// One page of the caller's subscriptions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Topics {
    /// By name.
    pub topics: Vec<Joined>,
    /// The `page` of the next topics; null when these are the last.
    #[schema(required, example = "dGVhbTo3")]
    pub next_page: Option<String>,
}

/// One of the caller's subscriptions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JoinedTopic)]
pub struct Joined {
    /// The topic.
    #[schema(example = "team:7")]
    pub topic: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when nothing of it interrupts: a time or `forever`.
    #[schema(required, value_type = Option<String>)]
    pub muted_until: Option<MutedUntil>,
    /// Whether an administrator has made the caller a member.
    pub member: bool,
}

/// The caller's view of a topic.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Topic)]
pub struct Seen {
    /// The topic.
    #[schema(example = "team:7")]
    pub topic: String,
    /// Its kind, for which the rules are set.
    #[schema(example = "team")]
    pub kind: String,
    /// Since when it is known.
    pub created_at: DateTime<Utc>,
    /// The users who may join.
    pub access: Access,
    /// A reader gets signals of one key no faster than this.
    pub signal_interval_ms: u64,
    /// Whether connected subscribers get signals about each other.
    pub presence: bool,
    /// Whether the caller is subscribed.
    pub subscribed: bool,
    /// Until when nothing of it interrupts the caller: a time or `forever`.
    #[schema(required, value_type = Option<String>)]
    pub muted_until: Option<MutedUntil>,
    /// Whether the caller is a member.
    pub member: bool,
}

/// How to subscribe.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SubscriptionWish)]
pub struct Wish {
    /// Mutes the topic until a time to come before the year 2200, or `forever`; null unmutes it. When absent it stays as it is.
    #[serde(default, deserialize_with = "mute")]
    #[schema(value_type = Option<String>, example = "2027-01-31T08:00:00Z")]
    muted_until: Mute,
}

/// Distinguishes a null from an absent field.
fn mute<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mute, D::Error> {
    Ok(Option::deserialize(deserializer)?.map_or(Mute::Off, Mute::Until))
}

impl From<MyTopic> for Joined {
    fn from(mine: MyTopic) -> Self {
        Self { topic: mine.topic, since: mine.since, muted_until: mine.muted_until, member: mine.member }
    }
}

impl Seen {
    /// None when the topic is not known.
    fn of(topic: &Topic, known: KnownTopic) -> Option<Self> {
        Some(Self {
            topic: topic.to_string(),
            kind: topic.kind().to_owned(),
            created_at: known.created_at?,
            access: known.rules.access,
            signal_interval_ms: u64::try_from(known.rules.signal_interval.as_millis()).unwrap_or(u64::MAX),
            presence: known.rules.presence,
            subscribed: known.subscribed,
            muted_until: known.muted_until,
            member: known.member,
        })
    }
}

/// List my topics.
///
/// The topics that the caller is subscribed to, by name.
#[utoipa::path(get, path = "/api/topics", tag = "topics", operation_id = "myTopics",
    params(
        ("limit" = Option<i64>, Query, description = "Most topics of this answer; 100 when absent", minimum = 1, maximum = 1_000),
        ("page" = Option<String>, Query, description = "`nextPage` of an earlier answer")),
    responses((status = 200, body = Topics, description = "One page"), BadQuery))]
pub async fn mine(Caller(caller): Caller, request: HttpRequest, parts: Data<Parts>) -> Result<Json<Topics>, ApiError> {
    let query = PageQuery::of(&request)?;
    let rows = parts.store.my_topics(&caller.key, &query.after, query.limit + 1).await?;
    let (rows, next_page) = query.cut(rows, |row| &row.topic);
    Ok(Json(Topics { topics: rows.into_iter().map(Joined::from).collect(), next_page }))
}

/// Look at a topic.
///
/// For administrators, subscribers, members, and users who may join.
#[utoipa::path(get, path = "/api/topics/{topic}", tag = "topics", operation_id = "topic",
    params(("topic" = String, Path, description = "The topic")),
    responses((status = 200, body = Seen, description = "The topic"), BadPath, NoSuchTopic))]
pub async fn look(
    Caller(caller): Caller,
    TopicName(topic): TopicName,
    parts: Data<Parts>,
) -> Result<Json<Seen>, ApiError> {
    let known = parts.topics.look(&caller, &topic).await?;
    Seen::of(&topic, known).map(Json).ok_or(ApiError::NoSuchTopic)
}

/// Make a topic known.
///
/// It then accepts publishes before any user has joined. The first member or subscriber makes it known too.
#[utoipa::path(put, path = "/api/topics/{topic}", tag = "administration", operation_id = "makeTopic",
    params(("topic" = String, Path, description = "The topic")),
    responses((status = 204, description = "It is known now"), BadPath))]
pub async fn make(
    Admin(caller): Admin,
    TopicName(topic): TopicName,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    parts.store.make_topic(&caller.key.tenant, &topic).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Subscribe.
///
/// Also mutes and unmutes. The caller's open streams get the event `subscription` at once.
#[utoipa::path(put, path = "/api/topics/{topic}/subscription", tag = "topics", operation_id = "subscribe",
    params(("topic" = String, Path, description = "The topic")),
    request_body(content = Option<Wish>, description = "May be left out altogether"),
    responses((status = 200, body = Subscription, description = "Subscribed now"),
        BadPath, BadSyntax, BadType, LargeBody, BadBody))]
pub async fn subscribe(
    Caller(caller): Caller,
    TopicName(topic): TopicName,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<Subscription>, ApiError> {
    let wish: Wish = body::json_if_any(&request, payload, BODY).await?.unwrap_or_default();
    Ok(Json(parts.topics.subscribe(&caller, &topic, wish.muted_until).await?))
}

/// Unsubscribe.
///
/// After the answer nothing of the topic is put into the inbox any more, and no signal that is sent from then on reaches
/// the caller. A caller that may not join gets the same answer for every topic.
#[utoipa::path(delete, path = "/api/topics/{topic}/subscription", tag = "topics", operation_id = "unsubscribe",
    params(("topic" = String, Path, description = "The topic")),
    responses((status = 200, body = Subscription, description = "Not subscribed now"), BadPath, NoSuchTopic))]
pub async fn unsubscribe(
    Caller(caller): Caller,
    TopicName(topic): TopicName,
    parts: Data<Parts>,
) -> Result<Json<Subscription>, ApiError> {
    Ok(Json(parts.topics.unsubscribe(&caller, &topic).await?))
}

/// A page of rows in the order of their names.
pub(super) struct PageQuery {
    /// Most rows.
    pub(super) limit: i64,
    /// The name that they come after; empty for the first page.
    pub(super) after: String,
}

impl PageQuery {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::parse(request.query_string());
        let limit = params.number("limit", 1, MOST_ROWS).unwrap_or(DEFAULT_LIMIT);
        let decode = |text: &str| {
            let name = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            Some(name).filter(|name| !name.is_empty() && !name.contains('\0'))
        };
        let after = params.checked("page", "must be nextPage of an earlier answer", decode).unwrap_or_default();
        params.finish().map(|()| Self { limit, after })
    }

    /// As many rows as asked for, of one more, and the token of the next page if there is one.
    pub(super) fn cut<T>(&self, mut rows: Vec<T>, name: impl Fn(&T) -> &str) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(name(last)));
        (rows, next)
    }
}
