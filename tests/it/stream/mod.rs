//! The contract of the event stream, frame by frame.

mod cursors;
mod filters;
mod frames;
mod lifetime;
mod limits;
mod revocation;
mod takeover;
mod tickets;
