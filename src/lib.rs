//! Tidings: a durable inbox with a resumable stream over it.

pub mod app;
pub mod auth;
pub mod bus;
pub mod cli;
pub mod client;
pub mod config;
pub mod connection;
pub mod fanout;
pub mod frame;
pub mod health;
pub mod http;
pub mod hub;
pub mod inbox;
pub mod ingest;
pub mod message;
pub mod metrics;
pub mod notification;
pub mod publish;
pub mod revoker;
pub mod store;
pub mod tasks;
pub mod wire;
