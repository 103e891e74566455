//! The ways in beside HTTP, each with what keeps publishes from coming in by it.

use std::collections::BTreeMap;

use super::Part;
use crate::metrics;

/// Why nothing comes in. The part of the database has the cure.
pub const MISFIT: &str = "the schema of the database does not fit";

/// A way by which publishes or signals come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Redis channels.
    RedisChannels,
    /// The Redis stream.
    RedisStream,
    /// Redis channels of signals.
    RedisSignals,
    /// The SQL functions.
    Sql,
}

impl Way {
    /// As the report and the metrics call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RedisChannels => "redisChannels",
            Self::RedisStream => "redisStream",
            Self::RedisSignals => "redisSignals",
            Self::Sql => "sql",
        }
    }
}

/// The needs of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Messages are received.
    Receive,
    /// The schema of the database fits, so that something can be stored.
    Schema,
    /// The server takes the writes that belong to it: of publishers, and of dead letters and of claims.
    Write,
}

/// The ways that this instance has, and the troubles of each.
#[derive(Debug, Default)]
pub(super) struct Ways(BTreeMap<Way, BTreeMap<Need, String>>);

impl Ways {
    /// Notes what a way lacks; logs it when that is news.
    pub(super) fn note(&mut self, way: Way, need: Need, result: Result<(), String>) {
        let troubles = self.0.entry(way).or_default();
        match result {
            Ok(()) if troubles.remove(&need).is_some() => {
                if troubles.is_empty() {
                    log::info!("the way in {} is open again", way.as_str());
                }
            }
            Ok(()) => {}
            Err(reason) => {
                // Words change from attempt to attempt; the trouble is the same.
                if !troubles.contains_key(&need) {
                    log::warn!("the way in {} is closed: {reason}", way.as_str());
                }
                troubles.insert(need, reason);
            }
        }
        let open = if troubles.is_empty() { 1.0 } else { 0.0 };
        ::metrics::gauge!(metrics::WAY_IN_UP, "way" => way.as_str()).set(open);
    }

    pub(super) fn report(&self) -> BTreeMap<&'static str, Part> {
        let part = |troubles: &BTreeMap<Need, String>| {
            let reasons: Vec<&str> = troubles.values().map(String::as_str).collect();
            let up = reasons.is_empty();
            Part { up, detail: if up { "open".to_owned() } else { reasons.join("; ") } }
        };
        self.0.iter().map(|(way, troubles)| (way.as_str(), part(troubles))).collect()
    }
}
