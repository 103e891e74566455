//! Processor time of all processes that take part in a run: the instances, Postgres, Redis, and this tool itself.

use std::time::{Duration, Instant};

use crate::figures::process::cpu;

/// The processes whose time is measured.
#[derive(Debug, Clone)]
pub struct Meter {
    /// The instances, or a system they are compared with.
    pub servers: Vec<u32>,
    /// The database's first process.
    pub database: Vec<u32>,
    /// The broker of their messages: Redis, or Postgres for notifyd.
    pub broker: Vec<u32>,
}

/// The time used by all of them up to a moment; none for a process that was not named.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: Instant,
    servers: Option<Duration>,
    database: Option<Duration>,
    broker: Option<Duration>,
    load: Option<Duration>,
}

/// The resources that were used between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// The time between them.
    pub window: Duration,
    /// By the instances.
    pub servers: Option<Duration>,
    /// By the database.
    pub database: Option<Duration>,
    /// By the broker.
    pub broker: Option<Duration>,
    /// By this tool and its readers.
    pub load: Option<Duration>,
}

impl Spent {
    /// The part of it that exceeds idling for the same time.
    pub fn beyond(&self, idle: &Self) -> Self {
        let times = self.window.as_secs_f64() / idle.window.as_secs_f64().max(f64::MIN_POSITIVE);
        let without = |used: Option<Duration>, idle: Option<Duration>| Some(used?.saturating_sub(idle?.mul_f64(times)));
        Self {
            window: self.window,
            servers: without(self.servers, idle.servers),
            database: without(self.database, idle.database),
            broker: without(self.broker, idle.broker),
            load: without(self.load, idle.load),
        }
    }
}

impl Meter {
    /// Reads all of them.
    ///
    /// # Errors
    /// When a process is gone or may not be read by this user.
    pub fn read(&self) -> anyhow::Result<Reading> {
        Ok(Reading {
            at: Instant::now(),
            servers: cpu(&self.servers)?,
            database: cpu(&self.database)?,
            broker: cpu(&self.broker)?,
            load: cpu(&[std::process::id()])?,
        })
    }

    /// The resources that were used since an earlier reading.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn since(&self, before: &Reading) -> anyhow::Result<Spent> {
        let now = self.read()?;
        let between = |before: Option<Duration>, now: Option<Duration>| Some(now?.saturating_sub(before?));
        Ok(Spent {
            window: now.at - before.at,
            servers: between(before.servers, now.servers),
            database: between(before.database, now.database),
            broker: between(before.broker, now.broker),
            load: between(before.load, now.load),
        })
    }
}
