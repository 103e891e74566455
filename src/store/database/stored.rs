//! Conversion of values from the database. A value that was never stored like this is an error, which is logged and answered, and
//! never a default.

use std::{error::Error, str::FromStr};

use diesel::result::{Error as QueryError, QueryResult};

use crate::domain::user::UserKey;

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
    fn a_key_that_cannot_be_read_is_an_error() {
        assert!(key("acme", "u1").is_ok());
        assert!(key("acme", "").is_err());
    }
}
