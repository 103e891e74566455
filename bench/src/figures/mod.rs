//! What a run used and what came of it: measured, added up, compared and shown.

pub mod activity;
pub mod compare;
pub mod meter;
pub mod process;
pub mod report;
pub mod times;
