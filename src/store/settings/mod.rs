//! Documents that users and tenants write: preferences, kinds.

pub(crate) mod kinds;
pub(crate) mod preferences;
