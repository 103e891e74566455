//! How load is made: publishers through the ways in, announcers on the bus, callers of the API.

pub mod announce;
pub mod caller;
pub mod publishers;
pub mod sender;
pub mod subscribers;
pub mod visitor;
