//! Tidings: a durable inbox with a resumable stream over it.
//!
//! The modules below are ordered by storey, from the top down. A module imports modules of lower storeys only; modules of one
//! storey do not import each other. `tests/it/layers` reads the sources and checks this. `docs/glossary.md` defines the
//! words.
//!
//! # The path of one notification
//!
//! 1. [`http`] or [`ingest`] parse a [`message`] into a [`domain::notification::NewNotification`].
//! 2. [`actions::publish`] gathers concurrent publishes, and [`store`] appends them in one transaction. The transaction takes
//!    each recipient's next seq under the lock of that user's stream row.
//! 3. After the commit the caller is answered, and [`live::announce`] hands the rendered [`frame`]s to [`live::hub`] and,
//!    through the [`bus`], to the hubs of the other instances.
//! 4. A hub keeps the newest frames of a user in a ring and wakes that user's [`live::connection`]s.
//! 5. A connection sends the changes after its own position: from the ring, or from the store when it is behind the ring.
//!
//! # Invariants
//!
//! 1. A publish is acknowledged after its commit. The bus only makes instances look sooner.
//! 2. Per user, commit order is seq order.
//! 3. A connection is a cursor over the user's log, never a queue.
//! 4. A hole in the announcements is filled from the log before anything later is sent. The head check finds lost announcements
//!    at the tail.
//! 5. Every stream begins with a verdict. A log that cannot be replayed whole is a reset.
//! 6. Nothing crosses tenants. Instances hold no state that matters. Everything is bounded.

// The command line, and the process from its start to its end.
pub mod cli;

pub mod app;

// The edges: requests, Redis, time.
pub mod http;
pub mod ingest;
pub mod tasks;

// The actions of users, publishers and administrators.
pub mod actions;

// Delivery within this process, and the health of the instance.
pub mod health;
pub mod live;

// The messages between instances.
pub mod bus;

// The storage.
pub mod store;

// The texts of streams, the bodies of publishes, the identities of callers.
pub mod auth;
pub mod frame;
pub mod message;

// The settings.
pub mod config;

// The words of the domain and the names of the metrics, which import nothing.
pub mod domain;
pub mod metrics;

// A client of the server, for the command line and other programs; it shares no code with the server.
pub mod client;
