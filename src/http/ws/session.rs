//! One WebSocket from its handshake to its end: a [`Listener`] and a [`Writer`] serve the client side by side.

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
    ending::{Ending, MESSAGE_BYTES},
    inbound::{About, refusal},
    listener::Listener,
    liveness::Liveness,
    outbound,
    position::Told,
    writer::Writer,
};
use crate::{
    auth::Identity,
    frame::{EndReason, bye},
    http::{Parts, error::ApiError, opening},
    live::connection::{Connection, Filter, Request, jittered},
};

/// How long a client may take to read the close frame, and again to close its side.
pub const CLOSING: Duration = Duration::from_secs(5);
/// Read at once: most messages are small.
const READ_BYTES: usize = 1024;
/// Written at once. For a client that reads slowly the server holds this, one frame, and the text of that frame.
const WRITE_BYTES: usize = 4 * 1024;
/// A client is pinged at each heartbeat. It is gone when it has given no sign of life for so many heartbeats.
const SILENT_HEARTBEATS: f64 = 1.5;

/// A client's socket.
pub type Socket = WebSocketStream<TcpStream>;

/// A WebSocket that begins.
pub struct Entry {
    /// The parts of the server.
    pub parts: Data<Parts>,
    /// The caller, or why it is not let in.
    pub caller: Result<Identity, Refusal>,
    /// The request.
    pub asked: Request,
}

/// Why a caller is not let in.
pub enum Refusal {
    /// Because of its credential.
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

/// The kernel drops a client that takes nothing; the server closes it with a reason before.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
fn outlast(socket: &TcpStream, write_stall: Duration) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(socket).set_tcp_user_timeout(Some(write_stall + CLOSING)) {
        log::debug!("a WebSocket keeps the write timeout of the listener: {error}");
    }
}

/// Serves it until it ends; the connection counts as open until the client was sent the reason.
async fn serve(socket: &mut Socket, Entry { parts, caller, asked }: Entry) -> (Ending, Option<Connection>) {
    let identity = match caller {
        Ok(identity) => identity,
        Err(Refusal::Later(reason)) => return (send_bye(socket, &parts, reason).await, None),
        Err(Refusal::Denied(error)) => {
            let ending = Ending::of_refusal(&error);
            let said = socket.send(Message::text(refusal(&About::default(), &error))).await;
            return (said.map_or(Ending::Gone, |()| ending), None);
        }
    };
    let key = identity.key.clone();
    let connection = match opening::open(&parts, identity, asked.clone()).await {
        Ok(connection) => connection,
        Err(reason) => return (send_bye(socket, &parts, reason.end()).await, None),
    };
    let liveness = Liveness::new(parts.settings.stream.heartbeat.mul_f64(SILENT_HEARTBEATS));
    let told = Told::from(connection.position(), asked.filter != Filter::default());
    let (sink, stream) = socket.split();
    // One order at most waits; a client with more messages waits as well.
    let (orders, taken) = mpsc::channel(1);
    let mut writer = Writer::new(sink, connection, &parts, asked, &liveness, &told);
    let mut listener = Listener::new(stream, key, &parts, &liveness, &told);
    let ending = select! {
        biased;
        ending = writer.run(taken) => ending,
        ending = listener.run(orders) => ending,
    };
    (ending, writer.into_connection())
}

async fn send_bye(socket: &mut Socket, parts: &Parts, reason: EndReason) -> Ending {
    let said = socket.send(Message::text(farewell(parts, reason))).await;
    said.map_or(Ending::Gone, |()| reason.into())
}

/// The message that comes before the server closes the WebSocket.
pub fn farewell(parts: &Parts, reason: EndReason) -> String {
    let bye = bye(reason, jittered(parts.settings.stream.retry));
    bye.all().map(|block| outbound::bye(block.data)).collect()
}

/// Sends the reason, leaves the hub, and waits until the client has closed its side.
///
/// A socket that is closed with unread bytes is reset, and a reset may discard the close frame on its way. A proxy does the same
/// while its client still sends.
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
