//! The output of a connection for its transport: events, as text for SSE and by their parts for the other transports.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    domain::signal::Signal,
    frame::{self, Block, Blocks},
    live::hub::{Delivery, GATHERED},
};

/// Pieces to send, in order: most often one frame.
pub type Chunk = SmallVec<[Piece; GATHERED]>;

/// Some events. Events that other connections send as well are shared, so that a chunk copies no text.
#[derive(Debug)]
pub enum Piece {
    /// A change, from the feed's ring.
    Frame(Arc<Delivery>),
    /// A signal.
    Signal(Arc<Signal>),
    /// The heartbeat.
    Heartbeat,
    /// Events of this connection alone; boxed because a chunk has room for many pieces.
    Own(Box<Blocks>),
}

impl Piece {
    /// The events as SSE text.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Frame(delivery) => delivery.frame.blocks.bytes(),
            Self::Signal(signal) => &signal.bytes,
            Self::Heartbeat => frame::HEARTBEAT,
            Self::Own(blocks) => blocks.bytes(),
        }
    }

    /// The events as SSE text, for a transport that takes it over.
    pub fn into_text(self) -> Bytes {
        match self {
            Self::Frame(delivery) => delivery.frame.blocks.bytes().clone(),
            Self::Signal(signal) => signal.bytes.clone(),
            Self::Heartbeat => Bytes::from_static(frame::HEARTBEAT),
            Self::Own(blocks) => blocks.into_bytes(),
        }
    }

    /// The parts of each event, in order.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let (rendered, single) = match self {
            Self::Frame(delivery) => (Some(&delivery.frame.blocks), None),
            Self::Own(blocks) => (Some(&**blocks), None),
            Self::Signal(signal) => (None, Some(frame::signal_block(&signal.bytes))),
            Self::Heartbeat => (None, Some(frame::HEARTBEAT_BLOCK)),
        };
        rendered.into_iter().flat_map(Blocks::all).chain(single)
    }
}

impl From<Blocks> for Piece {
    fn from(blocks: Blocks) -> Self {
        Self::Own(Box::new(blocks))
    }
}
