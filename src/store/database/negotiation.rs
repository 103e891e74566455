//! How a socket becomes a session: encrypted where both sides want that, and with the code of each error.
//!
//! The driver would open the TLS session itself, and would keep a plain socket to itself. Here both pass through [`Coded`].

use std::{convert::Infallible, io};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_postgres::{
    Socket,
    config::SslMode,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::either::Either;

use super::sqlstate::Coded;

/// The protocol's question whether the server speaks TLS: length 8, code 80877103.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const TLS_ACCEPTED: u8 = b'S';

type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
type Connector = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
type Wire = Either<Socket, Encrypted>;

/// Secures the sockets of a target as its `sslmode` says.
#[derive(Clone)]
pub(crate) struct Negotiator {
    pub(crate) mode: SslMode,
    pub(crate) tls: MakeRustlsConnect,
}

/// As [`Negotiator`], for one server.
pub(crate) struct Negotiation {
    mode: SslMode,
    connector: Connector,
}

impl MakeTlsConnect<Socket> for Negotiator {
    type Stream = Coded<Wire>;
    type TlsConnect = Negotiation;
    type Error = Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Negotiation, Infallible> {
        let connector = MakeTlsConnect::<Socket>::make_tls_connect(&mut self.tls, host)?;
        Ok(Negotiation { mode: self.mode, connector })
    }
}

impl TlsConnect<Socket> for Negotiation {
    type Stream = Coded<Wire>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Coded<Wire>>>;

    fn connect(self, socket: Socket) -> Self::Future {
        self.negotiate(socket).map(|wire| wire.map(Coded::new)).boxed()
    }
}

impl Negotiation {
    async fn negotiate(self, mut socket: Socket) -> io::Result<Wire> {
        if self.mode == SslMode::Disable {
            return Ok(Either::Left(socket));
        }
        socket.write_all(&TLS_REQUEST).await?;
        if socket.read_u8().await? == TLS_ACCEPTED {
            return self.connector.connect(socket).await.map(Either::Right);
        }
        if self.mode == SslMode::Require {
            return Err(io::Error::other("the server does not support TLS"));
        }
        Ok(Either::Left(socket))
    }
}

impl TlsStream for Coded<Wire> {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.stream {
            Either::Left(_) => ChannelBinding::none(),
            Either::Right(encrypted) => encrypted.channel_binding(),
        }
    }
}
