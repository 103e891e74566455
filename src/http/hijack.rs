//! Hijacks a client's socket from the HTTP server once the head of a stream's or a WebSocket's response is written.
//!
//! The server keeps two buffers of 8 KiB and a task for every connection; a stream needs neither. So the server is given
//! a [`HijackableSocket`] instead of the socket. A response's body may hijack it: with the next flush the socket goes to the
//! given function, and the server sees a closed connection. Only HTTP/1 can be hijacked: a stream over HTTP/2 shares its
//! socket with others and is served as an ordinary body.

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
pub struct HijackableSocket(Rc<RefCell<Shared>>);

/// A request's handle of the socket that it came over.
#[derive(Clone)]
pub struct Hijack(Rc<RefCell<Shared>>);

struct Shared {
    /// None once it was hijacked.
    socket: Option<TcpStream>,
    /// Gets the socket with the next flush.
    taker: Option<Taker>,
    /// The first bytes of the client: the listener read them to find the version of HTTP, and the server has not read them yet.
    ahead: Bytes,
    /// The bytes that the server has written since a taker was set. They go out with the stream's first event, in one write.
    head: Vec<u8>,
}

/// Takes the socket, and the head of the response that is still to be written to it.
type Taker = Box<dyn FnOnce(TcpStream, Bytes) -> io::Result<()>>;

impl HijackableSocket {
    /// Over this socket, from which `ahead` has been read.
    pub fn new(socket: TcpStream, ahead: Bytes) -> Self {
        Self(Rc::new(RefCell::new(Shared { socket: Some(socket), taker: None, ahead, head: Vec::new() })))
    }

    /// To be kept with the connection's requests.
    pub fn handle(&self) -> Hijack {
        Hijack(self.0.clone())
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut self.0.borrow_mut().socket {
            Some(socket) => act(Pin::new(socket)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Hijack {
    /// Of a request whose response may hijack its socket.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        let alone = request.version() <= Version::HTTP_11;
        request.conn_data::<Self>().filter(|_| alone).cloned()
    }

    /// Makes a response the head of a stream that continues without the server. `taker` is called on the server's thread.
    pub fn hijack(
        self,
        mut response: HttpResponse,
        taker: impl FnOnce(TcpStream, Bytes) -> io::Result<()> + 'static,
    ) -> HttpResponse {
        // The bytes after the head have no framing of HTTP: they end with the connection (RFC 9112, 6.3).
        response.head_mut().no_chunking(true);
        let taker: Option<Taker> = Some(Box::new(taker));
        response.set_body(BoxBody::new(HijackingBody { handle: self, taker }))
    }
}

/// The body of a response whose socket is hijacked: names the taker once the head has been rendered.
struct HijackingBody {
    handle: Hijack,
    taker: Option<Taker>,
}

impl MessageBody for HijackingBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(taker) = self.taker.take() {
            self.handle.0.borrow_mut().taker = Some(taker);
        }
        Poll::Pending
    }
}

impl AsyncRead for HijackableSocket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.0.borrow_mut();
        if !shared.ahead.is_empty() {
            let fits = shared.ahead.len().min(into.remaining());
            into.put_slice(&shared.ahead.split_to(fits));
            return Poll::Ready(Ok(()));
        }
        drop(shared);
        self.with(|socket| socket.poll_read(context, into))
    }
}

impl AsyncWrite for HijackableSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.0.borrow_mut();
        if shared.taker.is_some() {
            shared.head.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        drop(shared);
        self.with(|socket| socket.poll_write(context, bytes))
    }

    /// The server flushes when all that it wrote was accepted. So no byte is left in its buffers when the taker gets the socket here.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.with(|socket| socket.poll_flush(context)))?;
        let mut shared = self.0.borrow_mut();
        let Some(taker) = shared.taker.take() else { return Poll::Ready(Ok(())) };
        let Some(socket) = shared.socket.take() else { return Poll::Ready(Ok(())) };
        let written = std::mem::take(&mut shared.head).into();
        drop(shared);
        taker(socket, written)?;
        // For the server the connection is over, so it frees its buffers and its task.
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|socket| socket.poll_shutdown(context))
    }
}
