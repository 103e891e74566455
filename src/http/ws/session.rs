//! One WebSocket from its handshake to its end: who is let in is served by a [`Listener`] and a [`Writer`] side by side.

use std::{io, time::Duration};

use actix_web::web::Data;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    select,
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Message, Role, WebSocketConfig},
};

use super::{
    channels::Channels,
    ending::{Ending, MESSAGE_BYTES},
    inbound::{About, refusal},
    listener::Listener,
    liveness::Liveness,
    outbound::Outgoing,
    writer::Writer,
};
use crate::{
    auth::Identity,
    frame::{Block, EndReason, bye},
    http::{Parts, error::ApiError, opening},
    live::connection::{Connection, Request, jittered},
};

/// How long a client may take to hear that it is being closed, and again to close its side.
pub const CLOSING: Duration = Duration::from_secs(5);
/// Read at once: most messages are small.
const READ_BYTES: usize = 1024;
/// Written at once. What waits for a client that reads slowly is this, one frame, and the text that the frame is of.
const WRITE_BYTES: usize = 4 * 1024;
/// A client that is pinged at each heartbeat is gone when it has not been liveness of for this and one heartbeat.
const SILENT_HEARTBEATS: f64 = 1.5;

/// A client's socket.
pub type Socket = WebSocketStream<TcpStream>;

/// A WebSocket that begins.
pub struct Entry {
    /// What it works with.
    pub parts: Data<Parts>,
    /// Who asks, or why it is not let in.
    pub caller: Result<Identity, Refusal>,
    /// For what.
    pub asked: Request,
}

/// Explanation somebody is not let in.
pub enum Refusal {
    /// For who they are.
    Denied(ApiError),
    /// Not now.
    Later(EndReason),
}

/// Serves a WebSocket on a socket to which the handshake is still to be written.
pub async fn run(mut socket: TcpStream, handshake: Bytes, entry: Entry) {
    outlast(&socket, entry.parts.settings.stream.write_stall);
    if socket.write_all(&handshake).await.is_err() {
        return;
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let mut socket = WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await;
    let (ending, connection) = Box::pin(serve(&mut socket, entry)).await;
    close(socket, ending, connection).await;
}

/// The kernel drops a client that takes nothing; here the client is outgoing before.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
fn outlast(socket: &TcpStream, write_stall: Duration) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(socket).set_tcp_user_timeout(Some(write_stall + CLOSING)) {
        log::debug!("a WebSocket keeps the listener's time to take what is sent: {error}");
    }
}

/// Serves it until it ends; the connection counts as open until the client was outgoing of the end.
async fn serve(socket: &mut Socket, Entry { parts, caller, asked }: Entry) -> (Ending, Option<Connection>) {
    let identity = match caller {
        Ok(identity) => identity,
        Err(Refusal::Later(reason)) => return (say_bye(socket, &parts, reason).await, None),
        Err(Refusal::Denied(error)) => {
            let ending = Ending::of_refusal(&error);
            let said = socket.send(Message::text(refusal(&About::default(), &error))).await;
            return (said.map_or(Ending::Gone, |()| ending), None);
        }
    };
    let key = identity.key.clone();
    let connection = match opening::open(&parts, identity, asked.clone()).await {
        Ok(connection) => connection,
        Err(reason) => return (say_bye(socket, &parts, reason.end()).await, None),
    };
    let liveness = Liveness::new(parts.settings.stream.heartbeat.mul_f64(SILENT_HEARTBEATS));
    let (sink, stream) = socket.split();
    // One order at most waits: who asks for more waits as well.
    let (orders, taken) = mpsc::channel(1);
    let mut writer = Writer::new(sink, connection, &parts, asked, &liveness);
    let mut listener = Listener::new(stream, key, &parts, &liveness);
    let ending = select! {
        biased;
        ending = writer.run(taken) => ending,
        ending = listener.run(orders) => ending,
    };
    (ending, writer.into_connection())
}

async fn say_bye(socket: &mut Socket, parts: &Parts, reason: EndReason) -> Ending {
    for message in farewell(parts, reason) {
        if socket.send(Message::text(message)).await.is_err() {
            return Ending::Gone;
        }
    }
    reason.into()
}

/// The messages of a farewell: one, in fact.
pub fn farewell(parts: &Parts, reason: EndReason) -> Vec<String> {
    let text = bye(reason, jittered(parts.settings.stream.retry));
    let outgoing = Block::all(text.as_bytes()).map(|block| Outgoing::of(&block, &Channels::default(), None));
    outgoing
        .filter_map(|outgoing| if let Outgoing::Message(message) = outgoing { Some(message) } else { None })
        .collect()
}

/// Says why, leaves the hub, and waits until the client has closed its side: who closes with messages unread may take the
/// last word back, and so does a proxy that hears of the end while its client still sends.
async fn close(mut socket: Socket, ending: Ending, connection: Option<Connection>) {
    if ending == Ending::Gone {
        return;
    }
    let last_word = async {
        match ending.frame() {
            Some(frame) => socket.close(Some(frame)).await,
            // The answer to the client's own close frame is ready to go.
            None => socket.flush().await,
        }
    };
    let _ = timeout(CLOSING, last_word).await;
    drop(connection);
    let _ = timeout(CLOSING, async { while let Some(Ok(_)) = socket.next().await {} }).await;
    let mut socket = socket.into_inner();
    let leave = async {
        socket.shutdown().await?;
        let mut overlooked = [0; READ_BYTES];
        while socket.read(&mut overlooked).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(CLOSING, leave).await;
}
