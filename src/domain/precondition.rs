//! Documents whose states are counted, so that a change can name the state that it is meant for and none is lost to another.

/// A document in one of its states.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Versioned<T> {
    /// The document.
    pub document: T,
    /// Counts its changes; 0 for one that was never changed.
    pub version: i64,
}

/// Which state of a document a change is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Any.
    Any,
    /// The one with this version.
    Version(i64),
}

/// The document is in another state than the one that a change was meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the document has changed meanwhile")]
pub struct PreconditionFailed;

impl<T> Versioned<T> {
    /// The document after a change, with the next version.
    pub fn next(&self, document: T) -> Self {
        Self { document, version: self.version + 1 }
    }
}

impl Precondition {
    /// Whether the document is in the state that the change is meant for.
    ///
    /// # Errors
    /// When it is in another.
    pub fn check<T>(self, present: &Versioned<T>) -> Result<(), PreconditionFailed> {
        match self {
            Self::Version(version) if version != present.version => Err(PreconditionFailed),
            _ => Ok(()),
        }
    }
}
