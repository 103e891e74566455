//! For platforms without epoll: there are no sockets, every stream is a body of the HTTP server.

use std::{convert::Infallible, io, net::TcpStream};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Opening;
use crate::store::Store;

/// Never made.
#[derive(Clone)]
pub struct Sockets(Infallible);

impl Sockets {
    /// None.
    ///
    /// # Errors
    /// Never.
    pub fn open(_: Store) -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// Cannot be called.
    pub fn adopt(&self, _: TcpStream, _: Bytes, _: Opening) {
        match self.0 {}
    }

    /// Cannot be called.
    pub async fn run(self, _: CancellationToken) {
        match self.0 {}
    }
}
