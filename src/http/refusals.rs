//! The refusals of the other parts of the program, as errors of the HTTP edge.

use super::error::{ApiError, FieldError};
use crate::{
    actions::{inbox::BulkRefused, kinds, preferences, publish::Refused, signals, topics},
    auth, message,
    store::{NotAmended, NotChanged, Unavailable},
};

impl From<message::Problems> for ApiError {
    fn from(message::Problems(problems): message::Problems) -> Self {
        Self::Invalid(problems.into_iter().map(|each| FieldError::body(each.pointer, each.detail)).collect())
    }
}

impl From<Unavailable> for ApiError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<NotChanged> for ApiError {
    fn from(refused: NotChanged) -> Self {
        match refused {
            NotChanged::NoSuchItem => Self::NoSuchItem,
            NotChanged::NotDue => Self::NotDue,
            NotChanged::NotConcerned => Self::NotConcerned,
            NotChanged::SnoozeTime => Self::Invalid(vec![FieldError::body("/until", refused.to_string())]),
            NotChanged::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<BulkRefused> for ApiError {
    fn from(refused: BulkRefused) -> Self {
        match refused {
            BulkRefused::OtherStream | BulkRefused::Ahead => {
                Self::Invalid(vec![FieldError::body("/before", refused.to_string())])
            }
            BulkRefused::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::KeyReused => Self::KeyReused,
            Refused::UnknownTopic { topic, pointer } => {
                Self::Invalid(vec![FieldError::body(pointer, format!("there is no topic {topic}"))])
            }
            Refused::Past => Self::Invalid(vec![FieldError::body("/deliverAt", "must be in the future")]),
            Refused::Unstorable => Self::Invalid(vec![FieldError::body("", refused.to_string())]),
            Refused::Overloaded { retry_after } => Self::Overloaded { retry_after },
            Refused::Unavailable => Self::Unavailable,
        }
    }
}

impl From<NotAmended> for ApiError {
    fn from(refused: NotAmended) -> Self {
        let invalid = |pointer: &'static str| Self::Invalid(vec![FieldError::body(pointer, refused.to_string())]);
        match refused {
            NotAmended::Unknown => Self::NoSuchScheduled,
            NotAmended::Sent => Self::NoLongerScheduled("it was sent already"),
            NotAmended::CalledOff => Self::NoLongerScheduled("it was called off already"),
            NotAmended::Over => Self::NoLongerScheduled("it expired already"),
            NotAmended::Past | NotAmended::AfterDue => invalid("/deliverAt"),
            NotAmended::Expired => invalid("/expiresAt"),
            NotAmended::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<preferences::Refused> for ApiError {
    fn from(refused: preferences::Refused) -> Self {
        match refused {
            preferences::Refused::Invalid(problems) => problems.into(),
            preferences::Refused::Changed(_) => Self::Changed,
            preferences::Refused::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<kinds::Refused> for ApiError {
    fn from(refused: kinds::Refused) -> Self {
        match refused {
            kinds::Refused::TooMany => {
                Self::TooLarge { limit: "kinds", most: kinds::MOST_KINDS as usize, unit: "kinds of a tenant's own" }
            }
            kinds::Refused::Changed(_) => Self::Changed,
            kinds::Refused::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<topics::Refused> for ApiError {
    fn from(refused: topics::Refused) -> Self {
        match refused {
            topics::Refused::MayNotJoin => Self::MayNotJoin,
            topics::Refused::Unknown => Self::NoSuchTopic,
            topics::Refused::Mute(malformed) => {
                Self::Invalid(vec![FieldError::body("/mutedUntil", malformed.to_string())])
            }
            topics::Refused::Full { most, .. } => {
                Self::TooLarge { limit: "max_subscriptions", most, unit: "subscriptions of a user" }
            }
            topics::Refused::Untold => Self::Untold,
            topics::Refused::Unavailable => Self::Unavailable,
        }
    }
}

impl From<signals::Refused> for ApiError {
    fn from(refused: signals::Refused) -> Self {
        match refused {
            signals::Refused::UnknownTopic(_) => Self::Invalid(vec![FieldError::body("/topic", refused.to_string())]),
            signals::Refused::NotSubscribed => Self::NotSubscribed,
            signals::Refused::OnlyPublishers(what) => Self::OnlyPublishers(what),
            signals::Refused::TooMany { limit, most, retry_after } => Self::TooManySignals { limit, most, retry_after },
            signals::Refused::Unavailable => Self::Unavailable,
        }
    }
}

impl ApiError {
    /// What follows from the refusals of all proofs of a request, each with its place. One that may hold later decides: the
    /// refusal is not final then.
    pub fn of_proofs(mut refused: Vec<(&'static str, Self)>) -> Self {
        if let Some(open) = refused.iter().position(|(_, error)| error.passes()) {
            return refused.swap_remove(open).1;
        }
        if refused.len() < 2 {
            return refused.pop().map_or(Self::NoToken, |(_, error)| error);
        }
        let reasons: Vec<_> = refused.iter().map(|(place, error)| format!("{place}: {error}")).collect();
        let expired = refused.iter().all(|(_, error)| *error == Self::ExpiredToken);
        Self::BadTokens { count: refused.len(), reasons: reasons.join("; "), expired }
    }
}

impl From<auth::Rejected> for ApiError {
    fn from(rejected: auth::Rejected) -> Self {
        match rejected {
            auth::Rejected::Missing => Self::NoToken,
            auth::Rejected::KeysUnavailable(retry_after) => Self::KeysUnavailable { retry_after },
            auth::Rejected::Expired => Self::ExpiredToken,
            _ => Self::BadToken(rejected.to_string()),
        }
    }
}
