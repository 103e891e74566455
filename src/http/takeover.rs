//! Takes a client's socket over from the HTTP server once the head of a stream's or a WebSocket's response is written.
//!
//! The server keeps two buffers of 8 KiB and a task for every connection; a stream needs neither. So the server is given
//! a [`Line`] rather than the socket itself: a response's body may order that, with the next flush, the socket goes to
//! an heir; the server then sees a line that has closed. This is for plain HTTP/1 only: a stream over HTTP/2 shares
//! its socket with others and is served as an ordinary body.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::Version,
};
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A client's connection as the HTTP server sees it.
pub struct Line(Rc<RefCell<Held>>);

/// A request's way to the line that it came over.
#[derive(Clone)]
pub struct Claim(Rc<RefCell<Held>>);

struct Held {
    /// None once it was taken over.
    socket: Option<TcpStream>,
    /// Who gets the socket with the next flush.
    heir: Option<Heir>,
    /// What the client sent first, read to find out the version of HTTP and not yet by the server.
    ahead: Bytes,
    /// What the server wrote since there is an heir: it goes out with the stream's first event, in one write.
    head: Vec<u8>,
}

/// Takes the socket, and the head of the response that is still to be written to it.
type Heir = Box<dyn FnOnce(TcpStream, Bytes) -> io::Result<()>>;

impl Line {
    /// Over this socket, from which `ahead` has been read.
    pub fn new(socket: TcpStream, ahead: Bytes) -> Self {
        Self(Rc::new(RefCell::new(Held { socket: Some(socket), heir: None, ahead, head: Vec::new() })))
    }

    /// To be kept with the connection's requests.
    pub fn claim(&self) -> Claim {
        Claim(self.0.clone())
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut self.0.borrow_mut().socket {
            Some(socket) => act(Pin::new(socket)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Claim {
    /// Of a request whose answer may take its socket over.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        let alone = request.version() <= Version::HTTP_11;
        request.conn_data::<Self>().filter(|_| alone).cloned()
    }

    /// Makes a response the head of what goes on without the server. `heir` is called on the server's thread.
    pub fn bequeath(
        self,
        mut response: HttpResponse,
        heir: impl FnOnce(TcpStream, Bytes) -> io::Result<()> + 'static,
    ) -> HttpResponse {
        // What follows the head has no framing of HTTP's: its end is that of the connection (RFC 9112, 6.3).
        response.head_mut().no_chunking(true);
        let heir: Option<Heir> = Some(Box::new(heir));
        response.set_body(BoxBody::new(Bequest { claim: self, heir }))
    }
}

/// The body of a response whose socket is taken over: names the heir when the head has been put into words.
struct Bequest {
    claim: Claim,
    heir: Option<Heir>,
}

impl MessageBody for Bequest {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(heir) = self.heir.take() {
            self.claim.0.borrow_mut().heir = Some(heir);
        }
        Poll::Pending
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut held = self.0.borrow_mut();
        if !held.ahead.is_empty() {
            let fits = held.ahead.len().min(into.remaining());
            into.put_slice(&held.ahead.split_to(fits));
            return Poll::Ready(Ok(()));
        }
        drop(held);
        self.with(|socket| socket.poll_read(context, into))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut held = self.0.borrow_mut();
        if held.heir.is_some() {
            held.head.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        drop(held);
        self.with(|socket| socket.poll_write(context, bytes))
    }

    /// The server flushes when all that it wrote was accepted: here a taken-over socket changes hands.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.with(|socket| socket.poll_flush(context)))?;
        let mut held = self.0.borrow_mut();
        let Some(heir) = held.heir.take() else { return Poll::Ready(Ok(())) };
        let Some(socket) = held.socket.take() else { return Poll::Ready(Ok(())) };
        let written = std::mem::take(&mut held.head).into();
        drop(held);
        heir(socket, written)?;
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|socket| socket.poll_shutdown(context))
    }
}
