//! How load is made: publishers wait for answers, announcers do not, callers use the rest of the API.

pub mod announcer;
pub mod caller;
pub mod pace;
pub mod publishers;
pub mod sender;
pub mod stored;
pub mod visitor;
