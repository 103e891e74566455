//! The edge as a client meets it, without a database.
