//! Origins that a browser may call from, which a reload may replace.

use std::sync::{Arc, RwLock};

use crate::domain::lock;

/// A list of origins, or `*` alone; cheap to clone, and all clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Origins(Arc<RwLock<Arc<[String]>>>);

impl Origins {
    /// These.
    pub fn of(origins: Vec<String>) -> Self {
        Self(Arc::new(RwLock::new(origins.into())))
    }

    /// The list in force.
    pub fn list(&self) -> Arc<[String]> {
        lock::read(&self.0).clone()
    }

    /// Takes over the list of another setting.
    pub fn replace(&self, by: &Self) {
        let list = by.list();
        *lock::write(&self.0) = list;
    }

    /// Whether pages of any origin may call.
    pub fn are_all(&self) -> bool {
        self.list().iter().any(|origin| origin == "*")
    }
}
