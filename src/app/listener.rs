//! The listening socket and the HTTP server on it.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_http::{HttpService, Protocol, error::DispatchError};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    dev::{AppConfig, Server},
    web::Data,
};
use anyhow::Context as _;
use socket2::{Domain, Socket, Type};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use crate::{
    config::Settings,
    http::{self, Parts, hijack::HijackableSocket},
};

/// Connections that the kernel holds for the listening socket: it must not refuse a storm of reconnects.
const BACKLOG: i32 = 4096;
/// Longest time for a request's head to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of the first read, in which most requests fit whole.
const FIRST_READ: usize = 2048;

/// Accepted sockets inherit these options. Frames go out at once (`TCP_NODELAY`). The kernel drops a peer that accepts nothing for
/// `write_stall`, even while the peer answers window probes (`TCP_USER_TIMEOUT`, RFC 5482).
#[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
pub(super) fn listen(address: SocketAddr, write_stall: Duration) -> anyhow::Result<TcpListener> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_tcp_nodelay(true)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(write_stall))?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        std::io::Result::Ok(socket.into())
    };
    open().with_context(|| format!("cannot listen on {address}"))
}

pub(super) fn serve(listener: TcpListener, parts: Data<Parts>, settings: &Settings) -> anyhow::Result<Server> {
    let (address, keep_alive) = (listener.local_addr()?, settings.keep_alive);
    let server = Server::build();
    let stopping = server.graceful_shutdown_signal();
    let service = move || {
        let (parts, stopping) = (parts.clone(), stopping.clone());
        let app = http::app(parts).into_factory().map_err(|error| error.error_response());
        let http = HttpService::build()
            .keep_alive(keep_alive)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(Duration::from_secs(1))
            // A client that closes its side has left: the stream ends at once rather than with the next failed write.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|socket: &HijackableSocket, data| drop(data.insert(socket.handle())))
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(receive).and_then(http)
    };
    let server = server
        // At a limit of its own the server would stop accepting, and clients would wait without an answer.
        .max_concurrent_connections(usize::MAX)
        // Rounded down, and 0 would mean no time at all.
        .shutdown_timeout(settings.drain.as_secs().max(1))
        // The command line handles signals, and stops the parts in order.
        .disable_signals()
        .listen("http", listener, service)?
        .run();
    Ok(server)
}

/// Finds out which version of HTTP a fresh connection speaks: HTTP/2 by prior knowledge starts with a preface (RFC 9113,
/// 3.4).
async fn receive(mut socket: TcpStream) -> Result<(HijackableSocket, Protocol, Option<SocketAddr>), DispatchError> {
    const PREFACE: &[u8] = b"PRI * HTTP/2";
    let mut ahead = Vec::with_capacity(FIRST_READ);
    let read =
        timeout(HEAD_TIMEOUT, socket.read_buf(&mut ahead)).await.map_err(|_| DispatchError::SlowRequestTimeout)?;
    if read? == 0 {
        return Err(DispatchError::Io(ErrorKind::UnexpectedEof.into()));
    }
    let protocol = if ahead.starts_with(PREFACE) { Protocol::Http2 } else { Protocol::Http1 };
    Ok((HijackableSocket::new(socket, ahead.into()), protocol, None))
}
