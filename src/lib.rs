//! Tidings: a durable inbox with a resumable stream over it.
//!
//! # The path of one notification
//!
//! `http` or `ingest` parse a [`message`] into a [`notification::NewNotification`]; [`publish`] gathers what comes
//! together and has [`store`] append it in one transaction, which takes each recipient's next seq under the lock of
//! that user's stream row. After the commit the caller is answered, and [`fanout`] renders nothing more: it hands the
//! [`frame`]s to the [`hub`] of this instance and, through the [`bus`], to the hubs of the others. A hub keeps a user's
//! newest frames in a ring and wakes that user's [`connection`]s, each of which sends what follows its own position:
//! from the ring, or from the store when it is behind.
//!
//! # What holds
//!
//! 1. A publish is acknowledged after its commit. The bus only tells instances to look sooner.
//! 2. Per user, commit order is seq order.
//! 3. A connection is a cursor over the user's log, never a queue.
//! 4. Holes in what was announced are filled from the log before anything later is sent; the head check finds what was
//!    lost at the tail.
//! 5. Every stream begins with a verdict; what cannot be replayed whole is a reset.
//! 6. Nothing crosses tenants. Instances hold no state that matters. Everything is bounded.
//!
//! # Who knows whom
//!
//! `main, cli → app → http, ingest, tasks → connection, publish, inbox, why, topics, preferences, registrar, revoker →
//! renewal, fanout → hub, bus, store, auth → frame, wire, message → config → kinds → notification, audience, topic,
//! channel, problem, versioned, local_time, metrics`. Diesel is only under `store`, actix only under `http` and in `app`,
//! Redis only under `bus` and `ingest`, HTTP statuses only in `http::error`; the hub never touches the store. A test
//! reads the sources and holds them to it.

pub mod actions;
pub mod app;
pub mod auth;
pub mod bus;
pub mod cli;
pub mod client;
pub mod config;
pub mod domain;
pub mod frame;
pub mod health;
pub mod http;
pub mod ingest;
pub mod live;
pub mod message;
pub mod metrics;
pub mod store;
pub mod tasks;
