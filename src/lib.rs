//! Tidings: a durable inbox with a resumable stream over it.

pub mod auth;
pub mod bus;
pub mod cli;
pub mod client;
pub mod config;
pub mod frame;
pub mod inbox;
pub mod metrics;
pub mod notification;
pub mod publish;
pub mod store;
