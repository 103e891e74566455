//! Members of topics, and subscriptions on behalf of users, one by one or in bulk. For administrators.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Payload},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Parts,
    body::{self, Bound},
    error::{ApiError, FieldError},
    extract::{Admin, TopicName, UserName},
    openapi::{BadBody, BadPath, BadQuery, BadSyntax, BadType, LargeBody, NoSuchTopic},
    topics::PageQuery,
};
use crate::{actions::topics::Refused, domain::user::UserId, store::MembershipChange};

/// Most users in each list of a bulk change.
const MOST_USERS: usize = 1_000;
/// Room for two lists of the longest ids, escaped as well.
const BODY: Bound =
    Bound { limit: "roll_bytes", bytes: 2 * 1024 * 1024, unit: "bytes, for 1000 users in add and 1000 in remove," };

/// The users to add and to remove.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RollChange)]
pub struct Change {
    /// At most 1,000 users.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 1_000)]
    add: Vec<UserId>,
    /// At most 1,000 users, none of them in `add`.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 1_000)]
    remove: Vec<UserId>,
}

/// The result of a bulk change. Users without a change do not count.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RollChanged)]
pub struct Changed {
    /// How many were added.
    pub added: usize,
    /// How many were removed.
    pub removed: usize,
}

/// One page of a topic's members.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Members {
    /// By user.
    pub members: Vec<Member>,
    /// The `page` of the next users; null when these are the last.
    #[schema(required)]
    pub next_page: Option<String>,
}

/// A member of a topic.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// The user.
    #[schema(example = "u1")]
    pub user: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Change {
    /// The change as a change, once it holds to its bounds.
    fn change(&self) -> Result<MembershipChange, ApiError> {
        let long = |(_, users): &(&str, &Vec<UserId>)| users.len() > MOST_USERS;
        let wrong: Vec<_> = [("/add", &self.add), ("/remove", &self.remove)]
            .into_iter()
            .filter(long)
            .map(|(pointer, _)| FieldError::body(pointer, format!("must hold at most {MOST_USERS} users")))
            .collect();
        if !wrong.is_empty() {
            return Err(ApiError::Invalid(wrong));
        }
        let both = || ApiError::Invalid(vec![FieldError::body("/remove", "must hold nobody who is in add")]);
        MembershipChange::of(self.add.clone(), self.remove.clone()).ok_or_else(both)
    }

    /// Names the users by their indexes in the list, where a bound of theirs is the cause.
    fn refused(&self, refused: Refused) -> ApiError {
        let Refused::Full { users, most } = &refused else { return refused.into() };
        let full = self.add.iter().enumerate().filter(|(_, user)| users.contains(user));
        let detail = format!("has {most} subscriptions already (max_subscriptions)");
        ApiError::Invalid(full.map(|(index, _)| FieldError::body(format!("/add/{index}"), &*detail)).collect())
    }
}

impl From<(usize, usize)> for Changed {
    fn from((added, removed): (usize, usize)) -> Self {
        Self { added, removed }
    }
}

/// Subscribe and unsubscribe users.
///
/// It does not matter whether they may join by themselves. All of it is done or nothing. An added user makes the topic known.
#[utoipa::path(post, path = "/api/topics/{topic}/subscribers", tag = "administration", operation_id = "changeSubscribers",
    params(("topic" = String, Path, description = "The topic")), request_body = Change,
    responses((status = 200, body = Changed, description = "Done"),
        BadPath, NoSuchTopic, BadSyntax, BadType, LargeBody, BadBody))]
pub async fn change_subscribers(
    Admin(caller): Admin,
    TopicName(topic): TopicName,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<Changed>, ApiError> {
    let change: Change = body::json(&request, payload, BODY).await?;
    let changed = parts.topics.change_subscribers(&caller.key.tenant, &topic, change.change()?).await;
    changed.map(|counts| Json(counts.into())).map_err(|refused| change.refused(refused))
}

/// Subscribe a user.
///
/// It does not matter whether the user may join by itself.
#[utoipa::path(put, path = "/api/topics/{topic}/subscribers/{user}", tag = "administration", operation_id = "addSubscriber",
    params(("topic" = String, Path, description = "The topic"), ("user" = String, Path, description = "The user")),
    responses((status = 204, description = "Subscribed now"), BadPath, LargeBody))]
pub async fn add_subscriber(
    Admin(caller): Admin,
    TopicName(topic): TopicName,
    UserName(user): UserName,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    parts.topics.change_subscribers(&caller.key.tenant, &topic, MembershipChange::adding(user)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Unsubscribe a user.
///
/// When this is answered, nothing of the topic is put into the inbox any more, and no signal that is sent from then on reaches
/// the user.
#[utoipa::path(delete, path = "/api/topics/{topic}/subscribers/{user}", tag = "administration",
    operation_id = "removeSubscriber",
    params(("topic" = String, Path, description = "The topic"), ("user" = String, Path, description = "The user")),
    responses((status = 204, description = "Not subscribed now"), BadPath, NoSuchTopic))]
pub async fn remove_subscriber(
    Admin(caller): Admin,
    TopicName(topic): TopicName,
    UserName(user): UserName,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    parts.topics.change_subscribers(&caller.key.tenant, &topic, MembershipChange::removing(user)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List members.
#[utoipa::path(get, path = "/api/topics/{topic}/members", tag = "administration", operation_id = "members",
    params(("topic" = String, Path, description = "The topic"),
        ("limit" = Option<i64>, Query, description = "Most members of this answer; 100 when absent", minimum = 1, maximum = 1_000),
        ("page" = Option<String>, Query, description = "`nextPage` of an earlier answer")),
    responses((status = 200, body = Members, description = "One page"), BadQuery, NoSuchTopic))]
pub async fn list(
    Admin(caller): Admin,
    TopicName(topic): TopicName,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<Json<Members>, ApiError> {
    let query = PageQuery::of(&request)?;
    parts.topics.require(&caller.key.tenant, &topic).await?;
    let rows = parts.store.members(&caller.key.tenant, &topic, &query.after, query.limit + 1).await?;
    let (rows, next_page) = query.cut(rows, |row| &row.user);
    let members = rows.into_iter().map(|row| Member { user: row.user, since: row.since }).collect();
    Ok(Json(Members { members, next_page }))
}

/// Add and remove members.
///
/// A removed member is unsubscribed too. An added member makes the topic known.
#[utoipa::path(post, path = "/api/topics/{topic}/members", tag = "administration", operation_id = "changeMembers",
    params(("topic" = String, Path, description = "The topic")), request_body = Change,
    responses((status = 200, body = Changed, description = "Done"),
        BadPath, NoSuchTopic, BadSyntax, BadType, LargeBody, BadBody))]
pub async fn change_members(
    Admin(caller): Admin,
    TopicName(topic): TopicName,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<Changed>, ApiError> {
    let change: Change = body::json(&request, payload, BODY).await?;
    Ok(Json(parts.topics.change_members(&caller.key.tenant, &topic, change.change()?).await?.into()))
}

/// Make a user a member.
///
/// A member may join; this does not subscribe it.
#[utoipa::path(put, path = "/api/topics/{topic}/members/{user}", tag = "administration", operation_id = "addMember",
    params(("topic" = String, Path, description = "The topic"), ("user" = String, Path, description = "The user")),
    responses((status = 204, description = "A member now"), BadPath))]
pub async fn add_member(
    Admin(caller): Admin,
    TopicName(topic): TopicName,
    UserName(user): UserName,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    parts.topics.change_members(&caller.key.tenant, &topic, MembershipChange::adding(user)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// End a membership.
///
/// And the subscription with it. When this is answered, nothing of the topic is put into the inbox any more, and no signal that
/// is sent from then on reaches the user.
#[utoipa::path(delete, path = "/api/topics/{topic}/members/{user}", tag = "administration", operation_id = "removeMember",
    params(("topic" = String, Path, description = "The topic"), ("user" = String, Path, description = "The user")),
    responses((status = 204, description = "No member now"), BadPath, NoSuchTopic))]
pub async fn remove_member(
    Admin(caller): Admin,
    TopicName(topic): TopicName,
    UserName(user): UserName,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    parts.topics.change_members(&caller.key.tenant, &topic, MembershipChange::removing(user)).await?;
    Ok(HttpResponse::NoContent().finish())
}
