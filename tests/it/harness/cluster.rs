//! Several instances on one Postgres, with or without a Redis.

use super::{Caller, Edge, Instance, Postgres, Redis, instance::setting, postgres};

/// The servers of a test. Dropped from top to bottom: instances before the servers they use.
pub struct Cluster {
    pub instances: Vec<Instance>,
    pub redis: Option<Redis>,
    pub postgres: Postgres,
}

/// The servers to start; see [`cluster`].
pub struct Plan {
    instances: usize,
    redis: bool,
    settings: Vec<(String, String)>,
    postgres: Vec<&'static str>,
}

/// One instance with a Postgres, unless refined.
pub fn cluster() -> Plan {
    Plan { instances: 1, redis: false, settings: Vec::new(), postgres: Vec::new() }
}

impl Plan {
    /// So many instances, and a Redis between them.
    pub fn instances(mut self, count: usize) -> Self {
        self.instances = count;
        self.with_redis()
    }

    /// So many instances with nothing between them but Postgres.
    pub fn on_postgres_alone(mut self, count: usize) -> Self {
        self.instances = count;
        self
    }

    pub fn with_redis(mut self) -> Self {
        self.redis = true;
        self
    }

    /// A setting of every instance.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A setting of Postgres, as `name=value`.
    pub fn postgres(mut self, option: &'static str) -> Self {
        self.postgres.push(option);
        self
    }

    /// A Postgres whose messages are in German.
    pub fn german(self) -> Self {
        self.postgres(postgres::GERMAN)
    }

    /// Starts everything and waits until it is ready.
    pub async fn start(self) -> Cluster {
        let (postgres, redis) = tokio::join!(Postgres::start_with(&self.postgres), async {
            if self.redis { Some(Redis::start().await) } else { None }
        });
        let mut settings = vec![(setting::DATABASE.to_owned(), postgres.url())];
        settings.extend(redis.iter().map(|redis| (setting::REDIS.to_owned(), redis.url())));
        settings.extend(self.settings);
        let borrowed: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut instances: Vec<_> = (0..self.instances).map(|_| Instance::new(&borrowed)).collect();
        instances.iter_mut().for_each(Instance::launch);
        for instance in &mut instances {
            instance.ready().await;
        }
        Cluster { instances, redis, postgres }
    }
}

impl Cluster {
    /// The first instance's HTTP side.
    pub fn edge(&self) -> Edge {
        self.instances[0].edge()
    }

    /// Every instance's HTTP side.
    pub fn edges(&self) -> Vec<Edge> {
        self.instances.iter().map(Instance::edge).collect()
    }

    /// Calls the first instance as `user`.
    pub fn user(&self, user: &str) -> Caller {
        self.edge().user(user)
    }

    /// Calls the first instance as a backend.
    pub fn publisher(&self) -> Caller {
        self.edge().publisher()
    }

    pub fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("a cluster with Redis")
    }
}
