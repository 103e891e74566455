//! The ways in: HTTP in batches or one by one, the Redis stream, the Redis channels, SQL.

use std::time::Duration;

use anyhow::Context;
use redis::aio::MultiplexedConnection;
use serde::Deserialize;
use tidings::client::wire::Problem;

use super::{
    caller::{Call, Caller},
    publishers::Batch,
};
use crate::{
    database::{Database, Statement},
    flags::RedisArgs,
    target::{Target, Users},
};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Via {
    /// POST /api/notifications/batch.
    HttpBatch,
    /// POST /api/notifications, one by one.
    Http,
    /// XADD to the ingest stream; accepted when Redis has taken it.
    Xadd,
    /// PUBLISH to the users' channels; Redis accepts it if an instance is subscribed.
    Channel,
    /// `tidings.publish()`, a transaction for each; accepted when it has committed.
    Sql,
}

impl Via {
    /// Whether a request has one notification.
    pub fn is_single(self) -> bool {
        matches!(self, Self::Http | Self::Sql)
    }
}

/// The way in, with its servers and the names in Redis.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// The way in.
    pub via: Via,
    /// The servers of the two ways over HTTP, round robin.
    pub targets: Vec<Target>,
    /// The Redis of the two ways through Redis.
    pub redis: RedisArgs,
    /// The database of SQL.
    pub database_url: Option<String>,
}

/// One publisher's connection.
pub enum Sender {
    /// Over HTTP.
    Http(Box<Http>),
    /// Through Redis.
    Redis(Box<Redis>),
    /// With SQL.
    Sql(Box<Sql>),
}

impl Sender {
    /// Connects publisher number `index`.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn connect(options: &SenderOptions, users: &Users, index: usize) -> anyhow::Result<Self> {
        match options.via {
            Via::HttpBatch | Via::Http => {
                Self::over_http(&options.targets[index % options.targets.len()], users, options.via).await
            }
            Via::Xadd | Via::Channel => Ok(Self::Redis(Box::new(Redis::connect(options, users).await?))),
            Via::Sql => {
                let url = options.database_url.as_deref().context("--via sql needs --sql-url")?;
                let (database, tenant) = (Database::connect(url).await?, users.tenant().to_owned());
                let statement = database.prepare_publish().await?;
                Ok(Self::Sql(Box::new(Sql { database, statement, tenant })))
            }
        }
    }

    /// Connects a publisher over HTTP.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn over_http(target: &Target, users: &Users, via: Via) -> anyhow::Result<Self> {
        let (caller, token) = (Caller::connect(target).await?, users.publish_token()?);
        let (single, body, trouble) = (via.is_single(), String::new(), None);
        Ok(Self::Http(Box::new(Http { caller, token, single, body, trouble })))
    }

    /// Sends a batch; returns for each notification whether it was accepted.
    ///
    /// # Errors
    /// When the answer to the whole is missing or a refusal: whether any was stored is not known.
    pub async fn send(&mut self, batch: &Batch) -> anyhow::Result<Vec<bool>> {
        match self {
            Self::Http(http) => http.send(batch).await,
            Self::Redis(redis) => {
                tokio::time::timeout(ANSWER_TIMEOUT, redis.send(batch)).await.context("no answer in time")?
            }
            Self::Sql(sql) => {
                tokio::time::timeout(ANSWER_TIMEOUT, sql.send(batch)).await.context("no answer in time")?
            }
        }
    }

    /// Why a single notification of a batch was refused.
    pub fn take_trouble(&mut self) -> Option<String> {
        match self {
            Self::Http(http) => http.trouble.take(),
            Self::Redis(_) | Self::Sql(_) => None,
        }
    }
}

/// A publisher over HTTP.
pub struct Http {
    caller: Caller,
    token: String,
    single: bool,
    body: String,
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
    async fn send(&mut self, batch: &Batch) -> anyhow::Result<Vec<bool>> {
        self.write_body(batch);
        let path = if self.single { "/api/notifications" } else { "/api/notifications/batch" };
        let call = Call { method: "POST", path, token: &self.token, body: &self.body };
        let answer = self.caller.ask(&call).await?;
        if self.single {
            return Ok(vec![true]);
        }
        let results: Results = serde_json::from_slice(&answer).context("the answer holds no results")?;
        self.trouble = results.results.iter().find_map(|one| Some(one.problem.as_ref()?.to_string()));
        Ok(results.results.iter().map(|one| one.id.is_some()).collect())
    }

    fn write_body(&mut self, batch: &Batch) {
        self.body.clear();
        if self.single {
            batch.bodies.iter().for_each(|body| self.body.push_str(body));
            return;
        }
        for (index, body) in batch.bodies.iter().enumerate() {
            self.body.push(if index == 0 { '[' } else { ',' });
            self.body.push_str(body);
        }
        self.body.push(']');
    }
}

/// A publisher through Redis.
pub struct Redis {
    connection: MultiplexedConnection,
    via: Via,
    prefix: String,
    tenant: String,
}

impl Redis {
    async fn connect(options: &SenderOptions, users: &Users) -> anyhow::Result<Self> {
        let client =
            redis::Client::open(options.redis.redis_url.as_str()).context("--redis-url is no Redis address")?;
        let connection = client.get_multiplexed_async_connection().await.context("cannot connect to Redis")?;
        let (via, prefix, tenant) = (options.via, options.redis.prefix.clone(), users.tenant().to_owned());
        Ok(Self { connection, via, prefix, tenant })
    }

    async fn send(&mut self, batch: &Batch) -> anyhow::Result<Vec<bool>> {
        let Self { connection, via, prefix, tenant } = self;
        let mut pipe = redis::pipe();
        for (user, body) in batch.users.iter().zip(&batch.bodies) {
            if *via == Via::Xadd {
                let key = format!("{prefix}:ingest");
                pipe.cmd("XADD").arg(key).arg("*").arg("tenant").arg(&*tenant).arg("message").arg(body);
            } else {
                pipe.cmd("PUBLISH").arg(format!("{prefix}:publish:{tenant}:user:{user}")).arg(body);
            }
        }
        let answers: Vec<redis::Value> = pipe.query_async(connection).await.context("Redis refuses")?;
        Ok(answers.iter().map(|answer| !matches!(answer, redis::Value::Int(0) | redis::Value::Nil)).collect())
    }
}

/// A publisher with SQL.
pub struct Sql {
    database: Database,
    statement: Statement,
    tenant: String,
}

impl Sql {
    async fn send(&mut self, batch: &Batch) -> anyhow::Result<Vec<bool>> {
        for body in &batch.bodies {
            self.database.publish(&self.statement, &self.tenant, body).await?;
        }
        Ok(vec![true; batch.bodies.len()])
    }
}
