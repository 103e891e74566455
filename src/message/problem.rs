//! Recipients as a body writes them, and the faults of a body.

use serde::{Deserialize, Deserializer, Serializer, de};

pub(super) use crate::domain::problem::{Problem, Problems, deserialize, escape};
use crate::domain::user::UserId;

/// Reads recipients so that a bad one is named by its index.
pub(super) fn user_ids<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<UserId>, D::Error> {
    struct Item(UserId);

    impl<'de> Deserialize<'de> for Item {
        fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
            String::deserialize(json)?.parse().map(Self).map_err(de::Error::custom)
        }
    }

    Ok(Vec::<Item>::deserialize(json)?.into_iter().map(|Item(user)| user).collect())
}

/// Writes recipients as they were read.
pub(super) fn user_texts<S: Serializer>(users: &[UserId], json: S) -> Result<S::Ok, S::Error> {
    json.collect_seq(users.iter().map(UserId::as_str))
}
