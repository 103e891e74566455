//! The log of the process, whose filter may be replaced while it runs.

use std::{
    env,
    sync::{Arc, RwLock},
};

use env_logger::{Builder, Logger};
use log::{Log, Metadata, Record};

use crate::domain::lock;

/// The lines that are logged if nobody says otherwise.
const DEFAULT: &str = "warn,tidings=info";

/// Replaces the filter; cheap to clone.
#[derive(Clone)]
pub struct LogFilter(Arc<RwLock<Logger>>);

/// The process' logger: the one in force.
struct Current(LogFilter);

impl Log for Current {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        lock::read(&self.0.0).enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        lock::read(&self.0.0).log(record);
    }

    fn flush(&self) {
        lock::read(&self.0.0).flush();
    }
}

impl LogFilter {
    /// Logs to standard error what `RUST_LOG` says. A process that has a logger keeps it.
    pub fn install() -> Self {
        let filter = Self(Arc::new(RwLock::new(logger(None))));
        // An error means that there is a logger: a test has made its own.
        let _ = log::set_boxed_logger(Box::new(Current(filter.clone())));
        filter.set(None);
        filter
    }

    /// Logs what `filter` says, or `RUST_LOG` where there is none.
    pub fn set(&self, filter: Option<&str>) {
        let logger = logger(filter);
        log::set_max_level(logger.filter());
        *lock::write(&self.0) = logger;
    }
}

fn logger(filter: Option<&str>) -> Logger {
    let variable = || env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = filter.map(str::to_owned).or_else(variable).unwrap_or_else(|| DEFAULT.to_owned());
    let style = env::var("RUST_LOG_STYLE").unwrap_or_default();
    Builder::new().parse_filters(&filter).parse_write_style(&style).build()
}
