//! Which changes and signals a client wants.

use crate::{domain::priority::Priority, frame::Subject};

/// Lets notifications of one of the kinds, if any are named, and of at least the priority pass. Changes of state always pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Wanted kinds; none means all.
    pub kinds: Option<Vec<String>>,
    /// Least priority; none means all.
    pub min_priority: Option<Priority>,
}

impl Filter {
    /// Whether a frame about this is to be sent.
    pub fn passes(&self, subject: &Subject) -> bool {
        match subject {
            Subject::State => true,
            Subject::Notification { kind, priority } => self.wants(kind, *priority),
        }
    }

    /// Whether a signal of this kind is to be sent.
    pub fn passes_signal(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind))
    }

    /// Whether a notification of this kind and priority is to be sent.
    pub fn wants(&self, kind: &str, priority: Priority) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind))
            && self.min_priority.is_none_or(|least| priority >= least)
    }
}
