//! How this instance does: where it is in its life, and what its parts say of themselves.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use serde::Serialize;
use utoipa::ToSchema;

use crate::bus;

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not all parts are up yet.
    Starting,
    /// At work.
    Serving,
    /// Told to stop: takes no new streams.
    Draining,
}

/// What this instance knows about its own life.
#[derive(Debug)]
pub struct Health {
    phase: AtomicU8,
}

impl Default for Health {
    fn default() -> Self {
        Self { phase: AtomicU8::new(Phase::Starting as u8) }
    }
}

impl Health {
    /// Where the process is in its life.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Draining,
        }
    }

    /// Moves on to the next part of its life; never back.
    pub fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Relaxed);
    }

    /// All that can be told, with what the parts say of themselves.
    pub fn report(&self, database_up: bool, bus: bus::Health, connections: usize) -> Report {
        let status = match self.phase() {
            Phase::Starting => Status::Starting,
            Phase::Draining => Status::Draining,
            Phase::Serving if database_up && bus.up => Status::Ok,
            Phase::Serving => Status::Degraded,
        };
        let parts = Parts { database: describe_database(database_up), bus: describe_bus(bus) };
        Report { status, parts, version: env!("CARGO_PKG_VERSION"), connections }
    }
}

fn describe_database(up: bool) -> Part {
    let detail = if up { "answered the last time" } else { "did not answer the last time" };
    Part { up, detail: detail.to_owned() }
}

fn describe_bus(health: bus::Health) -> Part {
    let detail = match (health.up, health.probe_age) {
        (true, None) => "works".to_owned(),
        (true, Some(age)) => format!("the last probe came back {} s ago", age.as_secs()),
        (false, None) => "no probe came back yet; the head check stands in".to_owned(),
        (false, Some(age)) => format!("no probe came back for {} s; the head check stands in", age.as_secs()),
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
    /// The server's version.
    #[schema(example = "0.1.0")]
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

/// What an instance depends on.
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
    fn a_part_that_is_away_makes_it_degraded() {
        let health = Health::default();
        let status = |database, bus| health.report(database, bus::Health { up: bus, ..ALONE }, 0).status;
        assert_eq!(status(true, true), Status::Starting);
        health.enter(Phase::Serving);
        assert_eq!(status(true, true), Status::Ok);
        assert_eq!(status(true, false), Status::Degraded);
        assert_eq!(status(false, true), Status::Degraded);
    }

    #[test]
    fn a_draining_instance_does_not_come_back() {
        let health = Health::default();
        health.enter(Phase::Draining);
        health.enter(Phase::Serving);
        assert_eq!(health.phase(), Phase::Draining);
        assert_eq!(health.report(true, ALONE, 0).status, Status::Draining);
    }
}
