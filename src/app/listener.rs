//! The listening socket and the HTTP server on it.

use std::{
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
use socket2::{Domain, SockRef, Socket, Type};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    config::Settings,
    http::{self, Parts, takeover::Line},
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
    let address = listener.local_addr()?;
    let write_stall = settings.stream.write_stall;
    let server = Server::build();
    let stopping = server.graceful_shutdown_signal();
    let service = move || {
        let (parts, stopping) = (parts.clone(), stopping.clone());
        let app = http::app(parts).into_factory().map_err(|error| error.error_response());
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(Duration::from_secs(1))
            // A client that closes its side has left: the stream ends at once rather than with the next failed write.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|line: &Line, data| drop(data.insert(line.claim())))
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |socket: TcpStream| receive(socket, write_stall)).and_then(http)
    };
    let server = server
        .max_concurrent_connections(usize::MAX)
        .shutdown_timeout(settings.drain.as_secs().max(1))
        .disable_signals()
        .listen("http", listener, service)?
        .run();
    Ok(server)
}

/// Finds out which version of HTTP a fresh connection speaks: HTTP/2 by prior knowledge starts with a preface (RFC 9113,
/// 3.4).
async fn receive(
    socket: TcpStream,
    write_stall: Duration,
) -> Result<(Line, Protocol, Option<SocketAddr>), DispatchError> {
    const PREFACE: &[u8] = b"PRI * HTTP/2";
    tune(&socket, write_stall);
    let mut start = [0; PREFACE.len()];
    let peek = timeout(HEAD_TIMEOUT, socket.peek(&mut start));
    peek.await.map_err(|_| DispatchError::SlowRequestTimeout)??;
    let protocol = if start == PREFACE { Protocol::Http2 } else { Protocol::Http1 };
    let peer = socket.peer_addr().ok();
    Ok((Line::new(socket), protocol, peer))
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
