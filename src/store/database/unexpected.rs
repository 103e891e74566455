//! Rows that the schema and the statements rule out.

use std::error::Error;

/// What a conversion answers for such a row: a default in its place would pass a defect of the server off as data.
pub(crate) fn unexpected(cause: impl Into<Box<dyn Error + Send + Sync>>) -> diesel::result::Error {
    diesel::result::Error::DeserializationError(cause.into())
}
