//! How load is made: publishers, who wait for answers, and announcers, who do not; callers of the API.

pub mod announcer;
pub mod caller;
pub mod pace;
pub mod publishers;
pub mod sender;
pub mod stored;
pub mod visitor;
