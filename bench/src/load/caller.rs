//! One kept-alive connection to a server for ordinary requests, one after another.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, bail};
use tidings::client::wire::Problem;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::{
    http1::{Decoder, read},
    target::Target,
};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A caller of one server.
pub struct Caller {
    target: Target,
    socket: Option<TcpStream>,
    head: String,
}

/// A request.
pub struct Call<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path after the server's own path.
    pub path: &'a str,
    /// The bearer token.
    pub token: &'a str,
    /// The JSON body; empty for none.
    pub body: &'a str,
}

impl Caller {
    /// Connects.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn connect(target: &Target) -> anyhow::Result<Self> {
        Ok(Self { target: target.clone(), socket: Some(connect(target).await?), head: String::new() })
    }

    /// Asks and answers the body of a success.
    ///
    /// # Errors
    /// When the answer is missing or a refusal.
    pub async fn ask(&mut self, call: &Call<'_>) -> anyhow::Result<Vec<u8>> {
        let (status, answer) = timeout(ANSWER_TIMEOUT, self.exchange(call)).await.context("no answer in time")??;
        if !matches!(status, 200..300) {
            bail!("{}", Problem::from_body(status, &answer));
        }
        Ok(answer)
    }

    async fn exchange(&mut self, call: &Call<'_>) -> anyhow::Result<(u16, Vec<u8>)> {
        // A failed or abandoned exchange leaves no socket behind, so that a late answer is never taken for another's.
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(&self.target).await?,
        };
        self.write_head(call);
        socket.write_all(self.head.as_bytes()).await?;
        socket.write_all(call.body.as_bytes()).await?;
        let answer = answer(&socket).await?;
        self.socket = Some(socket);
        Ok(answer)
    }

    fn write_head(&mut self, call: &Call<'_>) {
        let Call { method, path, token, body } = call;
        let Target { base, host, .. } = &self.target;
        let length = body.len();
        self.head.clear();
        // Writing to memory cannot fail.
        let _ = write!(
            self.head,
            "{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
    }
}

async fn connect(target: &Target) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect(target.address).await;
    let socket = socket.with_context(|| format!("cannot connect to {}", target.address))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn answer(socket: &TcpStream) -> anyhow::Result<(u16, Vec<u8>)> {
    let (mut decoder, mut body) = (Decoder::new(), Vec::new());
    while !decoder.is_done() {
        let fed = read(socket, |bytes| match bytes {
            [] => Ok(false),
            bytes => decoder.feed(bytes, |part| body.extend_from_slice(part)).map(|()| true),
        });
        if !fed.await?? {
            bail!("the server closed the connection");
        }
        if body.len() > ANSWER_BYTES {
            bail!("the answer has no end");
        }
    }
    Ok((decoder.status(), body))
}
