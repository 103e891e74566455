//! The stream.

use super::error::ApiError;

/// Opens the stream.
///
/// # Errors
/// When nobody is proven.
pub async fn stream() -> Result<&'static str, ApiError> {
    Err(ApiError::Unavailable { cause: String::new() })
}

/// Extends an open stream with a fresh token.
///
/// # Errors
/// When nobody is proven.
pub async fn extend() -> Result<&'static str, ApiError> {
    Err(ApiError::Unavailable { cause: String::new() })
}
