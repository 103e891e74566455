//! The client's side of a stream: parse server-sent events, keep the cursor, come back after an end.
//!
//! Used by `tidings tail` and by the load generator; it speaks only HTTP and knows nothing of the server's insides.

pub mod backoff;
pub mod follow;
pub mod sse;
pub mod wire;
