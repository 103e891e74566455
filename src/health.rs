//! The health of this instance: written by the parts that notice a change, read by the health endpoints and by new streams.

mod ways;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;

use self::ways::Ways;
pub use self::ways::{MISFIT, Need, Way};
use crate::{bus, domain::lock::lock, store::Durability};

/// The phase of the process: starting, serving or draining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not all parts are up yet.
    Starting,
    /// All parts are up.
    Serving,
    /// About to drain: load balancers are to notice, and nothing is refused yet.
    Leaving,
    /// Stopping: takes no new streams.
    Draining,
}

/// The state of this instance.
#[derive(Debug)]
pub struct Health {
    phase: AtomicU8,
    /// Milliseconds since 1970 when the database stopped answering; 0 while it answers.
    database_down_since: AtomicI64,
    /// Whether a commit waits for a replica.
    replicated: AtomicBool,
    /// The ways in beside HTTP.
    ways: Mutex<Ways>,
    /// Open streams.
    connections: AtomicUsize,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Starting as u8),
            database_down_since: AtomicI64::new(0),
            replicated: AtomicBool::new(false),
            ways: Mutex::default(),
            connections: AtomicUsize::new(0),
        }
    }
}

impl Health {
    /// The phase of the process.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            2 => Phase::Leaving,
            _ => Phase::Draining,
        }
    }

    /// Moves on to the next part of its life; never back.
    pub fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Relaxed);
    }

    /// Notes whether the database answered the last time it was asked; true when that is news.
    pub fn note_database(&self, up: bool) -> bool {
        if up {
            return self.database_down_since.swap(0, Relaxed) != 0;
        }
        let now = Utc::now().timestamp_millis();
        self.database_down_since.compare_exchange(0, now, Relaxed, Relaxed).is_ok()
    }

    /// Whether the database answered the last time it was asked.
    pub fn database_up(&self) -> bool {
        self.database_down_since.load(Relaxed) == 0
    }

    /// Notes where the database's commits are safe.
    pub fn note_durability(&self, durability: Durability) {
        self.replicated.store(durability == Durability::Replicated, Relaxed);
    }

    /// Notes whether a way in has what it needs; the reason and the cure if it lacks it.
    pub fn note_way(&self, way: Way, need: Need, result: Result<(), String>) {
        lock(&self.ways).note(way, need, result);
    }

    /// Notes how many streams are open.
    pub fn note_connections(&self, open: usize) {
        self.connections.store(open, Relaxed);
    }

    /// All of it, for operators.
    /// `misfit` says why the schema of the database does not fit.
    pub fn report(&self, bus: bus::Health, misfit: Option<String>) -> Report {
        let parts = Parts { database: self.database(misfit), bus: describe_bus(bus) };
        let ways = lock(&self.ways).report();
        let status = match self.phase() {
            Phase::Starting => Status::Starting,
            Phase::Leaving | Phase::Draining => Status::Draining,
            Phase::Serving if parts.database.up && parts.bus.up && ways.values().all(|way| way.up) => Status::Ok,
            Phase::Serving => Status::Degraded,
        };
        Report { status, parts, ways, version: env!("CARGO_PKG_VERSION"), connections: self.connections.load(Relaxed) }
    }

    fn database(&self, misfit: Option<String>) -> Part {
        match (self.database_down_since.load(Relaxed), misfit) {
            (0, Some(misfit)) => Part { up: false, detail: misfit },
            (0, None) if self.replicated.load(Relaxed) => {
                Part { up: true, detail: "answers; a commit waits for a synchronous replica".to_owned() }
            }
            (0, None) => Part { up: true, detail: "answers; a commit is on this server alone".to_owned() },
            (since, _) => {
                let seconds = (Utc::now().timestamp_millis() - since).max(0) / 1000;
                Part { up: false, detail: format!("no answer for {seconds} s") }
            }
        }
    }
}

fn describe_bus(health: bus::Health) -> Part {
    let age = |age: Duration| format!("the last probe came back {} s ago", age.as_secs());
    let detail = match (health.up, health.probe_age) {
        (true, None) => "works".to_owned(),
        (false, None) => "no probe came back yet; the head check stands in".to_owned(),
        (true, Some(since)) => age(since),
        (false, Some(since)) => format!("{}; the head check stands in", age(since)),
    };
    Part { up: health.up, detail }
}

/// How this instance does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Health)]
pub struct Report {
    /// The sum of it.
    pub status: Status,
    /// The parts that it depends on.
    pub parts: Parts,
    /// The ways in beside HTTP: `redisChannels`, `redisStream`, `redisSignals` and `sql`, as far as the instance has them.
    #[schema(value_type = BTreeMap<String, Part>)]
    pub ways: BTreeMap<&'static str, Part>,
    /// The server's version.
    #[schema(example = "0.2.0")]
    pub version: &'static str,
    /// Open streams.
    pub connections: usize,
}

/// The sum of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HealthStatus)]
pub enum Status {
    /// Not all parts are up yet.
    Starting,
    /// All is well.
    Ok,
    /// It serves, with a part missing.
    Degraded,
    /// It is about to stop.
    Draining,
}

/// The dependencies of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HealthParts)]
pub struct Parts {
    /// Postgres: without it nothing is stored.
    pub database: Part,
    /// The way between instances: without it delivery is slower.
    pub bus: Part,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HealthPart)]
pub struct Part {
    /// Whether it works.
    pub up: bool,
    /// In words.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: bus::Health = bus::Health { up: true, probe_age: None };

    #[test]
    fn a_part_that_is_away_makes_it_degraded_and_never_draining() {
        let health = Health::default();
        assert_eq!(health.report(ALONE, None).status, Status::Starting);
        health.enter(Phase::Serving);
        assert_eq!(health.report(ALONE, None).status, Status::Ok);
        assert_eq!(health.report(bus::Health { up: false, probe_age: None }, None).status, Status::Degraded);
        assert!(health.note_database(false));
        assert!(!health.note_database(false));
        assert_eq!(health.report(ALONE, None).status, Status::Degraded);
        assert!(health.note_database(true));
        assert_eq!(health.report(ALONE, None).status, Status::Ok);
        assert_eq!(health.report(ALONE, Some("schema 9 of 10".to_owned())).status, Status::Degraded);
    }

    #[test]
    fn a_closed_way_in_makes_it_degraded_and_names_the_reason_until_it_is_open() {
        let health = Health::default();
        health.enter(Phase::Serving);
        health.note_way(Way::RedisStream, Need::Receive, Ok(()));
        assert_eq!(health.report(ALONE, None).status, Status::Ok);
        health.note_way(Way::RedisStream, Need::Write, Err("full".to_owned()));
        health.note_way(Way::RedisStream, Need::Receive, Ok(()));
        let report = health.report(ALONE, None);
        assert_eq!((report.status, report.ways["redisStream"].detail.as_str()), (Status::Degraded, "full"));
        health.note_way(Way::RedisStream, Need::Write, Ok(()));
        assert_eq!(health.report(ALONE, None).status, Status::Ok);
    }

    #[test]
    fn a_draining_instance_does_not_come_back() {
        let health = Health::default();
        health.enter(Phase::Draining);
        health.enter(Phase::Serving);
        assert_eq!(health.phase(), Phase::Draining);
        assert_eq!(health.report(ALONE, None).status, Status::Draining);
    }
}
