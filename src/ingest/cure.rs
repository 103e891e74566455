//! Errors of Redis in words for an operator: the reason, and what cures it.

use redis::RedisError;

/// The reason of an error with its cure. `rights` are those that the user of Redis needs for the way in.
pub(super) fn of(error: &RedisError, rights: &str) -> String {
    match error.code() {
        Some("NOPERM") => format!("{error}: the user of Redis needs {rights}"),
        Some("OOM") => "Redis is full: raise maxmemory, or find what fills it".to_owned(),
        Some("READONLY") => "the Redis server is a replica: REDIS_URL must lead to the primary".to_owned(),
        Some("MISCONF") => format!("Redis takes no writes: {error}"),
        _ => error.to_string(),
    }
}
