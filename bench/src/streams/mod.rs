//! How streams are opened, read and judged, in processes of their own.

pub mod fleet;
pub mod member;
pub mod phase;
pub mod protocol;
pub mod reader;
pub mod scan;
pub mod stream;
pub mod track;
