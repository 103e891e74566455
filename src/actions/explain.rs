//! Explains why a notification came to a user in the way it did, or did not come at all.
//!
//! A recipient gets the decisions that the publish made. A publish to topics or to everyone is explained to its actor, to the users
//! whom it concerns, and to callers who may look at one of its topics. For all others it does not exist. No explanation names
//! another recipient.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    actions::topics::{Refused, Topics},
    auth::Identity,
    domain::{
        channel::{Cause, Channel, Decision},
        priority::Priority,
        user::UserKey,
    },
    store::{About, Decided, Store, Unavailable, Unreached, UserStage},
};

/// Why a notification took the channels that it took to a user, or why it did not come.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Why)]
pub struct Explanation {
    /// The notification.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// Its category.
    #[schema(required)]
    pub category: Option<String>,
    /// Its priority.
    pub priority: Priority,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// Whether it came into the user's inbox, even if it is no longer there.
    pub delivered: bool,
    /// Why it did not, for programs; null when it did.
    #[schema(required)]
    pub reason: Option<Absence>,
    /// Why it did not, for people; null when it did.
    #[schema(required, example = "the user is not subscribed to any of its topics")]
    pub detail: Option<&'static str>,
    /// The decisions of the publish, one for each channel; empty when it did not come to the user.
    pub channels: Vec<ChannelExplanation>,
}

/// The decision about one channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChannelWhy)]
pub struct ChannelExplanation {
    /// The channel.
    pub channel: Channel,
    /// Whether it was taken.
    pub on: bool,
    /// Why, for programs.
    pub cause: Cause,
    /// Why, for people.
    #[schema(example = "the user's quiet hours")]
    pub detail: String,
}

/// Why a notification is not in a user's inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Absence {
    /// The inbox was off for it: `channels` give the cause, and the other channels that it took.
    Withheld,
    /// The user caused it.
    Actor,
    /// The user is not subscribed to any of its topics now.
    NotSubscribed,
    /// It is on its way to the user.
    Pending,
    /// Its publisher took it back.
    Retracted,
    /// It expired before it came to the user.
    Expired,
    /// It had gone out before the user subscribed, or was first seen.
    Late,
}

/// Explains to the caller, who is that user or an administrator, why a notification came to the user `key` or did not. None when the
/// caller may not know of it, or when it does not exist.
///
/// # Errors
/// When the database does not answer.
pub async fn explain(
    store: &Store,
    topics: &Topics,
    caller: &Identity,
    key: &UserKey,
    id: Uuid,
) -> Result<Option<Explanation>, Unavailable> {
    // The fan-out comes first: a user whom it reaches meanwhile is then found among the recipients.
    let unreached = store.unreached(key, id).await?;
    if let Some(decided) = store.decided(key, id).await? {
        return Ok(Some(Explanation::decided(id, decided)));
    }
    let Some(unreached) = unreached else { return Ok(None) };
    let absence = Absence::of(&unreached);
    if absence == Absence::NotSubscribed && !may_look_at_any(topics, caller, &unreached.topics).await? {
        return Ok(None);
    }
    Ok(Some(Explanation::new(id, unreached.about, Some(absence), Vec::new())))
}

async fn may_look_at_any(topics: &Topics, caller: &Identity, names: &[String]) -> Result<bool, Unavailable> {
    for name in names {
        let Ok(topic) = name.parse() else {
            debug_assert!(false, "{name} is stored as a topic and is none");
            continue;
        };
        match topics.look(caller, &topic).await {
            Ok(_) => return Ok(true),
            Err(Refused::Unavailable) => return Err(Unavailable),
            Err(_) => {}
        }
    }
    Ok(false)
}

impl Explanation {
    fn new(id: Uuid, about: About, reason: Option<Absence>, channels: Vec<ChannelExplanation>) -> Self {
        let About { kind, category, priority, created_at } = about;
        let (delivered, detail) = (reason.is_none(), reason.map(Absence::detail));
        Self { id, kind, category, priority, created_at, delivered, reason, detail, channels }
    }

    fn decided(id: Uuid, Decided { about, decision }: Decided) -> Self {
        let reason = (!decision.takes(Channel::Inbox)).then_some(Absence::Withheld);
        let channels = Channel::ALL.map(|channel| ChannelExplanation::of(channel, decision, &about));
        Self::new(id, about, reason, channels.into())
    }
}

impl ChannelExplanation {
    fn of(channel: Channel, decision: Decision, about: &About) -> Self {
        let (on, cause) = decision.outcome(channel);
        let (kind, category) = (&about.kind, about.category.as_deref().unwrap_or_default());
        let detail = match cause {
            Cause::Default => "the server's default: inbox and toast, nothing else".to_owned(),
            Cause::TenantDefault => "the tenant's default".to_owned(),
            Cause::KindDefault => format!("the default of the kind {kind}"),
            Cause::Mandatory => format!("the kind {kind} is mandatory"),
            Cause::CategoryPreference => format!("the user's preference for the category {category}"),
            Cause::KindPreference => format!("the user's preference for the kind {kind}"),
            Cause::QuietHours => "the user's quiet hours".to_owned(),
            Cause::Muted => "the user had muted everything".to_owned(),
            Cause::TopicMuted => "the user had muted the topic".to_owned(),
            Cause::NotInInbox => "it was not put into the inbox, so no page could show it".to_owned(),
        };
        Self { channel, on, cause, detail }
    }
}

impl Absence {
    /// Of a fan-out that has not brought the user anything.
    fn of(unreached: &Unreached) -> Self {
        match unreached {
            Unreached { is_actor: true, .. } => Self::Actor,
            Unreached { stage: UserStage::Never, .. } => Self::NotSubscribed,
            Unreached { retracted: true, .. } => Self::Retracted,
            Unreached { stage: UserStage::Ahead, .. } => Self::Pending,
            Unreached { expired: true, .. } => Self::Expired,
            _ => Self::Late,
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::Withheld => "the inbox was off for it",
            Self::Actor => "the user caused it",
            Self::NotSubscribed => "the user is not subscribed to any of its topics",
            Self::Pending => "it is on its way",
            Self::Retracted => "its publisher took it back",
            Self::Expired => "it expired before it came to the user",
            Self::Late => "it had gone out before the user subscribed, or was first seen",
        }
    }
}
