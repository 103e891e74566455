//! What runs beside the requests, each task until it is told to stop.

pub mod clock;
pub mod fanouts;
pub mod heads;
pub mod presence;
pub mod retention;
pub mod rooms;
pub mod vitals;
