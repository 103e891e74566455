//! Everything that is kept: only this module uses Diesel. One file per table or family of queries.
//!
//! Query functions take a connection and answer `QueryResult`. [`Store`] gives them a connection, repeats operations that may
//! be repeated, and makes [`Unavailable`] of the other errors. This file only declares the rooms and shows what they offer.
//!
//! Rooms import in one direction, an arrow means "may be imported by", over any distance:
//!
//! ```text
//! schema <- database <- content <- log <- handle <- inbox <- publish <- fanouts, timed
//!                                                <- topics <- presence
//!                                                <- settings, access, relay, inlet
//! ```

mod access;
mod content;
mod database;
mod fanouts;
mod handle;
mod inbox;
mod inlet;
mod log;
mod presence;
mod publish;
mod relay;
pub(crate) mod schema;
mod settings;
mod timed;
mod topics;

pub use self::access::TICKET_TTL;
pub use self::database::generation::Witness;
pub use self::database::migrations::Misfit;
pub use self::database::pool::PoolUse;
pub use self::database::server::ServerChange;
pub use self::database::unavailable::Unavailable;
pub use self::fanouts::{CHUNK, Chunk, FanoutProgress, Reached, Unreached, UserStage};
pub use self::handle::Store;
pub use self::inbox::filter_scan::Filter;
pub use self::inbox::list::{InboxPage, ListQuery, SCAN_LIMIT};
pub use self::inbox::state::{Changed, NotChanged};
pub use self::inbox::summary::{Callback, Callbacks, Summary};
pub use self::inlet::{Claiming, InletRow};
pub use self::log::account_log::{AccountChange, Stamped};
pub use self::log::page::{Ask, Page, Position, Row};
pub use self::log::streams::{Durability, Head};
pub use self::presence::{Beat, Moved, Online, Present};
pub use self::publish::append::{Appended, Placed, Written};
pub use self::publish::decided::{About, Decided};
pub use self::relay::{Keeping, LastValue, NotRelayed, Relay, RelayListener, RelaySender};
pub use self::timed::due_work::{DueWork, Ticked};
pub use self::timed::retention::Swept;
pub use self::timed::scheduled::{NotAmended, Scheduled};
pub use self::topics::facts::Facts;
pub use self::topics::known::{KnownTopic, MyTopic};
pub use self::topics::members::Member;
pub use self::topics::membership_change::MembershipChange;
pub use self::topics::subscriptions::{Joining, SubscriptionChange};
