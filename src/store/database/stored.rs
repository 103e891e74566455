//! Conversion of values from the database. A value that was never stored like this is an error, which is logged and answered, and
//! never a default.

use std::{error::Error, str::FromStr};

use chrono::{DateTime, Utc};
use diesel::result::{Error as QueryError, QueryResult};

use crate::domain::{
    audience::Reason,
    priority::Priority,
    timing::{DueState, ItemDue},
    user::UserKey,
};

/// A stored text as the type that it was stored from.
pub(crate) fn parse<T>(text: &str) -> QueryResult<T>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    text.parse().map_err(unreadable)
}

/// The key of a row's `tenant` and `user_id`.
pub(crate) fn key(tenant: &str, user: &str) -> QueryResult<UserKey> {
    Ok(UserKey { tenant: parse(tenant)?, user: parse(user)? })
}

/// The priority of a rank.
pub(crate) fn priority(rank: i16) -> QueryResult<Priority> {
    Priority::from_rank(rank).ok_or_else(|| unreadable(format!("{rank} is no rank of a priority")))
}

/// The state of a due item, from its code.
pub(crate) fn due_state(code: i16) -> QueryResult<DueState> {
    DueState::from_code(code).ok_or_else(|| unreadable(format!("{code} is no state of a due item")))
}

/// How an item stands to what is due: none where it has no due time, or has no state in this inbox.
pub(crate) fn item_due(
    at: Option<DateTime<Utc>>,
    state: Option<i16>,
    by: Option<String>,
) -> QueryResult<Option<ItemDue>> {
    let (Some(at), Some(code)) = (at, state) else { return Ok(None) };
    Ok(Some(ItemDue { at, state: due_state(code)?, by }))
}

/// Why an item is in an inbox: the code, and with the code 1 the topic. A code that only a later version stores counts as
/// direct, so that an inbox can be read during a rolling upgrade.
pub(crate) fn reason(code: i16, topic: Option<&str>) -> QueryResult<Reason> {
    Ok(match code {
        1 => Reason::Topic(parse(topic.ok_or_else(|| unreadable("an item of a topic without its name"))?)?),
        2 => Reason::Everyone,
        3 => Reason::Rule,
        _ => Reason::Direct,
    })
}

/// The element of a list that a statement was given and that it names by its ordinal, from 1.
pub(crate) fn nth<T>(list: &[T], ordinal: impl TryInto<usize>) -> QueryResult<&T> {
    let index = index(ordinal)?;
    list.get(index).ok_or_else(|| unreadable(format!("{index} is no index of a list of {}", list.len())))
}

/// The index, from 0, of an ordinal, from 1.
pub(crate) fn index(ordinal: impl TryInto<usize>) -> QueryResult<usize> {
    let index = ordinal.try_into().ok().and_then(|ordinal| ordinal.checked_sub(1));
    index.ok_or_else(|| unreadable("an ordinal counts from 1"))
}

/// The error of a value that cannot be read.
pub(crate) fn unreadable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> QueryError {
    QueryError::DeserializationError(cause.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_count_from_one_and_end_with_the_list() {
        assert_eq!(nth(&["a", "b"], 1_i64), Ok(&"a"));
        assert_eq!(nth(&["a", "b"], 2_i16), Ok(&"b"));
        for ordinal in [i64::MIN, -1, 0, 3] {
            assert!(nth(&["a", "b"], ordinal).is_err(), "{ordinal}");
        }
    }

    #[test]
    fn codes_and_ranks_that_nothing_stores_are_errors() {
        assert_eq!((priority(0), priority(3)), (Ok(Priority::Low), Ok(Priority::Critical)));
        assert_eq!((due_state(1), due_state(5)), (Ok(DueState::Due), Ok(DueState::Cancelled)));
        for code in [i16::MIN, -1, 6] {
            assert!(priority(code).is_err() && due_state(code).is_err(), "{code}");
            assert!(item_due(Some(DateTime::UNIX_EPOCH), Some(code), None).is_err(), "{code}");
        }
    }

    #[test]
    fn an_item_is_due_when_it_has_a_time_and_a_state() {
        let at = DateTime::UNIX_EPOCH;
        let due = ItemDue { at, state: DueState::Overdue, by: Some("u".to_owned()) };
        assert_eq!(item_due(Some(at), Some(2), Some("u".to_owned())), Ok(Some(due)));
        assert_eq!(item_due(None, Some(2), None), Ok(None));
        assert_eq!(item_due(Some(at), None, None), Ok(None));
    }

    #[test]
    fn a_reason_is_read_by_its_code_and_a_topic_needs_its_name() {
        let topic = Reason::Topic("team:7".parse().unwrap());
        assert_eq!(reason(1, Some("team:7")), Ok(topic));
        let others = [(0, Reason::Direct), (2, Reason::Everyone), (3, Reason::Rule), (9, Reason::Direct)];
        for (code, expected) in others {
            assert_eq!(reason(code, Some("team:7")), Ok(expected));
        }
        assert!(reason(1, None).is_err() && reason(1, Some("no topic")).is_err());
    }

    #[test]
    fn a_key_that_cannot_be_read_is_an_error() {
        assert!(key("acme", "u1").is_ok());
        assert!(key("acme", "").is_err());
    }
}
