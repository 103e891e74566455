//! The owner of an inbox: tenants and their users.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::text::{Malformed, as_text};

/// Most bytes of a user's id.
pub const USER_ID_BYTES: usize = 256;

/// The outermost scope: `[A-Za-z0-9_-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(Malformed("a tenant is 1 to 64 characters of A-Z, a-z, 0-9, _ and -"));
        }
        Ok(Self(text.into()))
    }
}

/// A recipient within a tenant: an opaque text of 1 to [`USER_ID_BYTES`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Arc<str>);

impl UserId {
    /// The id as the token or the publisher wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > USER_ID_BYTES {
            return Err(Malformed("a user's id is 1 to 256 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(Malformed("a user's id holds no control characters"));
        }
        Ok(Self(text.into()))
    }
}

as_text!(Tenant);
as_text!(UserId);

/// The owner of an inbox and stream: a user within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserKey {
    /// The tenant, from the token.
    pub tenant: Tenant,
    /// The user within it.
    pub user: UserId,
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_and_users_hold_to_their_bounds() {
        assert!("acme_1-x".parse::<Tenant>().is_ok());
        for text in ["", "a b", "a:b", "ä", &"a".repeat(65)] {
            assert!(text.parse::<Tenant>().is_err(), "{text:?}");
        }
        assert!("a:b/c{d}*?[]\u{1f600} e".parse::<UserId>().is_ok());
        for text in ["", "a\nb", "a\u{0}", "a\u{85}", &"a".repeat(257)] {
            assert!(text.parse::<UserId>().is_err(), "{text:?}");
        }
    }
}
