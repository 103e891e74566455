//! The listening socket and the HTTP server on it.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{HttpServer, dev::Server, rt::net::TcpStream, web::Data};
use anyhow::Context as _;
use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    config::Settings,
    http::{self, Parts},
};

/// Waiting connections of the listening socket: a storm of reconnects must not be refused by the kernel.
const BACKLOG: i32 = 4096;
/// Kept-alive connections outlive the usual proxies' own limits, so that it is the proxy that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Longest time for a request's head to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        std::io::Result::Ok(socket.into())
    };
    open().with_context(|| format!("cannot listen on {address}"))
}

pub(super) fn serve(listener: TcpListener, parts: Data<Parts>, settings: &Settings) -> anyhow::Result<Server> {
    let write_stall = settings.stream.write_stall;
    let server = HttpServer::new(move || http::app(parts.clone()))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(Duration::from_secs(1))
        .shutdown_timeout(settings.drain.as_secs().max(1))
        // A client that closes its side has left: the stream ends at once rather than with the next failed write.
        .h1_allow_half_closed(false)
        .max_connections(usize::MAX)
        .disable_signals()
        .on_connect(move |io, _| {
            if let Some(socket) = io.downcast_ref::<TcpStream>() {
                tune(socket, write_stall);
            }
        })
        .listen_auto_h2c(listener)?
        .run();
    Ok(server)
}

/// Frames go out at once; a peer that accepts nothing for so long is dropped by the kernel, even while it answers
/// window probes (`TCP_USER_TIMEOUT`, RFC 5482).
fn tune(socket: &TcpStream, write_stall: Duration) {
    let tune = || {
        socket.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        SockRef::from(socket).set_tcp_user_timeout(Some(write_stall))?;
        std::io::Result::Ok(())
    };
    // A socket that refuses options is one that has just closed.
    let _ = tune();
}
