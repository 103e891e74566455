//! Messages to the client: the connection's changes, and answers to its messages.
//!
//! There is no queue. While the client has not taken the written bytes, the connection is not asked for a chunk and no order is
//! taken. So a slow client is only a position in the log, as on a stream.

use std::{pin::pin, task::Poll, time::Duration};

use actix_web::web::Data;
use bytes::Bytes;
use futures_util::{SinkExt as _, poll, stream::SplitSink};
use tokio::{select, sync::mpsc::Receiver, time::timeout};
use tokio_tungstenite::tungstenite::{
    self,
    protocol::{
        Message,
        frame::{
            Frame,
            coding::{Data as Part, OpCode},
        },
    },
};

use super::{
    channels::Channels,
    ending::Ending,
    inbound::Id,
    liveness::Liveness,
    outbound::{self, Outgoing},
    position::Told,
    session::{Socket, farewell},
};
use crate::{
    frame::EventType,
    http::{Parts, opening},
    live::connection::{Chunk, Connection, Piece, Request},
};

/// Most bytes of one frame: longer messages go out in several, for a buffer that has grown for one is kept.
const FRAME_BYTES: usize = 8 * 1024;
/// How long a write may wait before the page that was read ahead is dropped: most writes that must wait do so for less.
const BREATH: Duration = Duration::from_millis(100);

/// The effect of a client's message.
pub enum Order {
    /// Send this answer.
    Send(String),
    /// Send this answer, and from then on only events that pass these channels.
    Narrow(Channels, String),
    /// Restart the stream after this cursor.
    Resume(String, Option<Id>),
}

/// The way to the client.
pub struct Writer<'a> {
    sink: SplitSink<&'a mut Socket, Message>,
    /// None when it could not be opened again.
    connection: Option<Connection>,
    parts: &'a Data<Parts>,
    /// The client's request when it connected.
    asked: Request,
    channels: Channels,
    liveness: &'a Liveness,
    told: &'a Told,
    /// The message that the next verdict answers.
    answering: Option<Id>,
}

impl<'a> Writer<'a> {
    /// For a connection that has just been opened.
    pub fn new(
        sink: SplitSink<&'a mut Socket, Message>,
        connection: Connection,
        parts: &'a Data<Parts>,
        asked: Request,
        liveness: &'a Liveness,
        told: &'a Told,
    ) -> Self {
        let (connection, channels) = (Some(connection), Channels::default());
        Self { sink, connection, parts, asked, channels, liveness, told, answering: None }
    }

    /// The connection, if it is open.
    pub fn into_connection(self) -> Option<Connection> {
        self.connection
    }

    /// Sends the client everything until one of the two ends.
    pub async fn run(&mut self, mut orders: Receiver<Order>) -> Ending {
        loop {
            if let Err(ending) = self.step(&mut orders).await {
                return ending;
            }
        }
    }

    async fn step(&mut self, orders: &mut Receiver<Order>) -> Result<(), Ending> {
        let connection = self.connection.as_mut().ok_or(Ending::Gone)?;
        select! {
            biased;
            Some(order) = orders.recv() => self.execute(order).await,
            chunk = connection.next(&self.parts.store) => match chunk {
                Some(chunk) => self.send_chunk(&chunk).await,
                None => Err(connection.end_reason().map_or(Ending::Gone, Ending::from)),
            },
            () = self.liveness.silence() => Err(Ending::Gone),
        }
    }

    async fn execute(&mut self, order: Order) -> Result<(), Ending> {
        match order {
            Order::Send(text) => self.send(text).await?,
            Order::Narrow(channels, text) => {
                self.channels = channels;
                self.send(text).await?;
            }
            Order::Resume(cursor, id) => return Box::pin(self.resume(cursor, id)).await,
        }
        self.flush().await
    }

    /// The old connection leaves first, so that the user needs no room for two.
    async fn resume(&mut self, cursor: String, id: Option<Id>) -> Result<(), Ending> {
        let Some(connection) = self.connection.take() else { return Err(Ending::Gone) };
        let identity = connection.member().identity();
        drop(connection);
        self.answering = id;
        let asked = Request { cursor: Some(cursor), replay: None, ..self.asked.clone() };
        match opening::open(self.parts, identity, asked).await {
            Ok(connection) => self.connection = Some(connection),
            Err(reason) => {
                self.send(farewell(self.parts, reason.end())).await?;
                return Err(reason.end().into());
            }
        }
        Ok(())
    }

    async fn send_chunk(&mut self, chunk: &Chunk) -> Result<(), Ending> {
        let mut left_out = None;
        for block in chunk.iter().flat_map(Piece::blocks) {
            match Outgoing::of(&block, &self.channels, self.answering.as_ref()) {
                Outgoing::LeftOut => left_out = block.cursor.or(left_out),
                Outgoing::Nothing => {}
                Outgoing::Heartbeat => {
                    self.send(outbound::HEARTBEAT).await?;
                    self.write(Message::Ping(Bytes::new())).await?;
                    self.liveness.ask();
                }
                Outgoing::Message(text) => {
                    // The cursor of this message is newer than that of the blocks that were left out.
                    left_out = left_out.filter(|_| block.cursor.is_none());
                    self.send(text).await?;
                }
            }
            if block.event == Some(EventType::Hello) {
                self.answering = None;
            }
        }
        if let Some(cursor) = left_out {
            self.send(outbound::cursor(cursor)).await?;
        }
        self.flush().await?;
        if let Some(connection) = &self.connection {
            self.told.reach(connection.position());
        }
        Ok(())
    }

    async fn send(&mut self, text: impl Into<Bytes>) -> Result<(), Ending> {
        let mut left = text.into();
        let mut part = Part::Text;
        loop {
            let frame = left.split_to(left.len().min(FRAME_BYTES));
            let last = left.is_empty();
            self.write(Message::Frame(Frame::message(frame, OpCode::Data(part), last))).await?;
            if last {
                return Ok(());
            }
            part = Part::Continue;
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), Ending> {
        let write = self.sink.feed(message);
        taken(write, self.connection.as_mut(), self.parts, self.liveness).await
    }

    async fn flush(&mut self) -> Result<(), Ending> {
        let flush = self.sink.flush();
        taken(flush, self.connection.as_mut(), self.parts, self.liveness).await
    }
}

/// Waits until the client has taken the written bytes, but not for ever. One that takes it at last is alive.
async fn taken(
    write: impl Future<Output = tungstenite::Result<()>>,
    connection: Option<&mut Connection>,
    parts: &Parts,
    liveness: &Liveness,
) -> Result<(), Ending> {
    let mut write = pin!(write);
    // A write that succeeds at once is no sign of life: the kernel may only have buffered it.
    if let Poll::Ready(written) = poll!(&mut write) {
        return written.map_err(|_| Ending::Gone);
    }
    let written = if let Ok(written) = timeout(BREATH, &mut write).await {
        written
    } else {
        if let Some(connection) = connection {
            connection.pause();
        }
        timeout(parts.settings.stream.write_stall, write).await.map_err(|_| Ending::too_slow())?
    };
    liveness.note();
    written.map_err(|_| Ending::Gone)
}
