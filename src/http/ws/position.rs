//! How far a client was told what happened.

use std::cell::{Cell, RefCell};

use crate::domain::cursor::Cursor;

/// The position up to which a client was sent everything.
pub struct Told {
    position: RefCell<Cursor>,
    /// The client may not have been sent everything: a filter or channels leave notifications out.
    narrowed: Cell<bool>,
}

impl Told {
    /// For a client whose connection begins at this position, and whether a filter leaves notifications out.
    pub fn from(start: Cursor, narrowed: bool) -> Self {
        Self { position: RefCell::new(start), narrowed: Cell::new(narrowed) }
    }

    /// The connection passed everything up to here on, or left it out.
    pub fn reach(&self, position: Cursor) {
        self.position.replace(position);
    }

    /// From now on notifications may be left out. The cursor moves past them, so this stays true when they are not left out any more.
    pub fn narrow(&self) {
        self.narrowed.set(true);
    }

    /// The position; none if notifications before it may have been left out.
    pub fn position(&self) -> Option<Cursor> {
        (!self.narrowed.get()).then(|| self.position.borrow().clone())
    }
}
