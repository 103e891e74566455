//! How far a client was told what happened.

use std::cell::RefCell;

use crate::domain::cursor::Cursor;

/// The position up to which a client was sent everything.
pub struct Told(RefCell<Cursor>);

impl Told {
    /// For a client whose connection begins at this position.
    pub fn from(start: Cursor) -> Self {
        Self(RefCell::new(start))
    }

    /// The client was sent everything up to here.
    pub fn reach(&self, position: Cursor) {
        self.0.replace(position);
    }

    /// The position.
    pub fn position(&self) -> Cursor {
        self.0.borrow().clone()
    }
}
