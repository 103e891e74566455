//! The ways in: HTTP in batches or one by one, the Redis stream, the Redis channels.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, bail};
use redis::aio::MultiplexedConnection;
use serde::Deserialize;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    fleet::Shared,
    http1::{Decoder, read},
    load::Batch,
    target::Target,
};
use crate::client::wire::Problem;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Via {
    /// POST /api/notifications/batch.
    HttpBatch,
    /// POST /api/notifications, one by one.
    Http,
    /// XADD to the ingest stream; accepted is what Redis has taken.
    Xadd,
    /// PUBLISH to the users' channels; accepted is what an instance has heard.
    Channel,
}

/// Which way, and what Redis calls it.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// The way in.
    pub via: Via,
    /// The Redis server of the two ways through it.
    pub redis_url: String,
    /// First part of its keys and channels.
    pub prefix: String,
    /// The users' tenant.
    pub tenant: String,
}

/// One publisher's connection.
pub enum Sender {
    /// Over HTTP.
    Http(Box<Http>),
    /// Through Redis.
    Redis(Box<Redis>),
}

impl Sender {
    /// Connects publisher number `index`; the servers take turns.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn connect(options: &SenderOptions, shared: &Shared, index: usize) -> anyhow::Result<Self> {
        if matches!(options.via, Via::HttpBatch | Via::Http) {
            let target = shared.targets[index % shared.targets.len()].clone();
            let authorization = format!("Bearer {}", shared.users.publish_token()?);
            let single = options.via == Via::Http;
            let mut http = Http { target, authorization, single, socket: None, request: String::new(), trouble: None };
            http.socket = Some(http.connect().await?);
            return Ok(Self::Http(Box::new(http)));
        }
        let client = redis::Client::open(options.redis_url.as_str()).context("--redis-url is no Redis address")?;
        let connection = client.get_multiplexed_async_connection().await.context("cannot connect to Redis")?;
        Ok(Self::Redis(Box::new(Redis { connection, options: options.clone() })))
    }

    /// Sends a batch; tells of each notification whether it was accepted.
    ///
    /// # Errors
    /// When the answer to the whole is missing or a refusal: whether any was stored is not known.
    pub async fn send(&mut self, batch: &Batch) -> anyhow::Result<Vec<bool>> {
        let sending = async {
            match self {
                Self::Http(http) => http.send(batch).await,
                Self::Redis(redis) => redis.send(batch).await,
            }
        };
        tokio::time::timeout(ANSWER_TIMEOUT, sending).await.context("no answer in time")?
    }

    /// Why a single notification of a batch was refused.
    pub fn take_trouble(&mut self) -> Option<String> {
        match self {
            Self::Http(http) => http.trouble.take(),
            Self::Redis(_) => None,
        }
    }
}

/// A kept-alive connection to one server.
pub struct Http {
    target: Target,
    authorization: String,
    single: bool,
    socket: Option<TcpStream>,
    request: String,
    trouble: Option<String>,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    id: Option<serde::de::IgnoredAny>,
    problem: Option<Problem>,
}

impl Http {
    async fn connect(&self) -> anyhow::Result<TcpStream> {
        let socket = TcpStream::connect(self.target.address).await;
        let socket = socket.with_context(|| format!("cannot connect to {}", self.target.address))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    async fn send(&mut self, batch: &Batch) -> anyhow::Result<Vec<bool>> {
        // A failed or abandoned exchange leaves no socket behind, so that a late answer is never taken for another's.
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.connect().await?,
        };
        self.write_request(batch);
        socket.write_all(self.request.as_bytes()).await?;
        let (status, answer) = answer(&socket).await?;
        self.socket = Some(socket);
        if !matches!(status, 200 | 201) {
            bail!("{}", Problem::from_body(status, &answer));
        }
        if self.single {
            return Ok(vec![true]);
        }
        let results: Results = serde_json::from_slice(&answer).context("the answer holds no results")?;
        self.trouble = results.results.iter().find_map(|one| Some(one.problem.as_ref()?.to_string()));
        Ok(results.results.iter().map(|one| one.id.is_some()).collect())
    }

    fn write_request(&mut self, batch: &Batch) {
        let bytes: usize = batch.bodies.iter().map(String::len).sum();
        let (path, length) = if self.single { ("", bytes) } else { ("/batch", bytes + batch.bodies.len() + 1) };
        let Target { base, host, .. } = &self.target;
        let authorization = &self.authorization;
        self.request.clear();
        let _ = write!(
            self.request,
            "POST {base}/api/notifications{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        if self.single {
            batch.bodies.iter().for_each(|body| self.request.push_str(body));
            return;
        }
        for (index, body) in batch.bodies.iter().enumerate() {
            self.request.push(if index == 0 { '[' } else { ',' });
            self.request.push_str(body);
        }
        self.request.push(']');
    }
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

/// A connection to Redis.
pub struct Redis {
    connection: MultiplexedConnection,
    options: SenderOptions,
}

impl Redis {
    async fn send(&mut self, batch: &Batch) -> anyhow::Result<Vec<bool>> {
        let SenderOptions { via, prefix, tenant, .. } = &self.options;
        let mut pipe = redis::pipe();
        for (user, body) in batch.users.iter().zip(&batch.bodies) {
            if *via == Via::Xadd {
                let key = format!("{prefix}:ingest");
                pipe.cmd("XADD").arg(key).arg("*").arg("tenant").arg(tenant).arg("message").arg(body);
            } else {
                pipe.cmd("PUBLISH").arg(format!("{prefix}:publish:{tenant}:user:{user}")).arg(body);
            }
        }
        let answers: Vec<redis::Value> = pipe.query_async(&mut self.connection).await.context("Redis refuses")?;
        Ok(answers.iter().map(|answer| !matches!(answer, redis::Value::Int(0) | redis::Value::Nil)).collect())
    }
}
