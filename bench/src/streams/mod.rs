//! How streams are opened, read and judged, in processes of their own.

pub mod connect;
pub mod fleet;
pub mod member;
pub mod phase;
pub mod protocol;
pub mod reader;
pub mod scan;
pub mod shared;
pub mod stream;
pub mod track;
