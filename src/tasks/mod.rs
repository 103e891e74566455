//! What runs beside the requests, each task until it is told to stop.

pub mod fanouts;
pub mod heads;
pub mod retention;
pub mod vitals;
