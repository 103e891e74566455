//! Who calls: a token becomes an [`Identity`].

use chrono::{DateTime, Utc};

use crate::notification::UserKey;

/// A verified caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The token's `tenant` and `sub`.
    pub key: UserKey,
    /// May publish.
    pub publish: bool,
    /// May do everything within the tenant.
    pub admin: bool,
    /// When the token ends; none for a token without `exp`.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the token was made.
    pub issued_at: Option<DateTime<Utc>>,
    /// The token's own id.
    pub token_id: Option<String>,
}
