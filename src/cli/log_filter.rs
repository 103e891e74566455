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
pub struct LogFilter {
    logger: Arc<RwLock<Logger>>,
    /// The process logs by this: otherwise the greatest level belongs to another logger.
    in_force: bool,
}

/// The process' logger: the one in force.
struct Current(Arc<RwLock<Logger>>);

impl Log for Current {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        lock::read(&self.0).enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        lock::read(&self.0).log(record);
    }

    fn flush(&self) {
        lock::read(&self.0).flush();
    }
}

impl LogFilter {
    /// Logs to standard error what `RUST_LOG` says. A process that has a logger keeps it.
    pub fn install() -> Self {
        let logger = Arc::new(RwLock::new(logger(None)));
        // An error means that there is a logger: a test has made its own.
        let in_force = log::set_boxed_logger(Box::new(Current(logger.clone()))).is_ok();
        let filter = Self { logger, in_force };
        filter.set(None);
        filter
    }

    /// Logs what `filter` says, or `RUST_LOG` where there is none.
    pub fn set(&self, filter: Option<&str>) {
        let logger = logger(filter);
        if self.in_force {
            log::set_max_level(logger.filter());
        }
        *lock::write(&self.logger) = logger;
    }
}

fn logger(filter: Option<&str>) -> Logger {
    let variable = || env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = filter.map(str::to_owned).or_else(variable).unwrap_or_else(|| DEFAULT.to_owned());
    let style = env::var("RUST_LOG_STYLE").unwrap_or_default();
    Builder::new().parse_filters(&filter).parse_write_style(&style).build()
}

#[cfg(test)]
mod tests {
    use log::LevelFilter;

    use super::*;

    /// The logger of the process before.
    struct First;

    impl Log for First {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            false
        }

        fn log(&self, _: &Record<'_>) {}

        fn flush(&self) {}
    }

    #[test]
    fn a_process_that_has_a_logger_keeps_its_greatest_level() {
        let _ = log::set_logger(&First);
        log::set_max_level(LevelFilter::Off);
        let filter = LogFilter::install();
        filter.set(Some("trace"));
        assert_eq!(log::max_level(), LevelFilter::Off);
        assert_eq!(lock::read(&filter.logger).filter(), LevelFilter::Trace);
    }
}
