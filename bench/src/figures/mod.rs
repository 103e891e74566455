//! The figures of a run, its costs and its results: measured, added up, compared and shown.

pub mod activity;
pub mod compare;
pub mod meter;
pub mod process;
pub mod report;
pub mod times;
