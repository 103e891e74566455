//! A run's results, as they are written and read again for the table.

use serde::{Deserialize, Serialize};

/// One run of one scenario.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// How the table names the system.
    pub system: String,
    /// The scenario: `idle`, `unicast` or `broadcast`.
    pub scenario: String,
    /// Streams that were asked for.
    pub streams: u64,
    /// Users they belong to.
    pub users: u64,
    /// How they opened.
    pub connect: Connect,
    /// The publishes and arrivals of each phase.
    pub phases: Vec<Phase>,
    /// How often a stream was refused or ended, and was tried again.
    pub retries: u64,
}

/// How streams opened.
#[derive(Debug, Serialize, Deserialize)]
pub struct Connect {
    /// Streams that opened.
    pub opened: u64,
    /// Streams that waited in vain.
    pub unanswered: u64,
    /// Most that were opening at the same time.
    pub opening_at_once: u64,
    /// From the first connection until the last stream was open.
    pub seconds: f64,
    /// From the first connection until half of the streams were open.
    pub p50_ms: f64,
    /// The same until 99 % were.
    pub p99_ms: f64,
    /// The server's processor time for each.
    pub server_cpu_us: f64,
    /// This program's.
    pub load_cpu_us: f64,
    /// The server's memory before the first.
    pub memory_before_kib: u64,
    /// And with all of them idle.
    pub memory_idle_kib: u64,
}

impl Connect {
    /// The server's memory for each stream.
    pub fn memory_kib_each(&self) -> f64 {
        self.memory_idle_kib.saturating_sub(self.memory_before_kib) as f64 / self.opened as f64
    }
}

/// One rate, held for some time.
#[derive(Debug, Serialize, Deserialize)]
pub struct Phase {
    /// The first phase, before servers have settled; it is in no table.
    pub warm_up: bool,
    /// Messages per second.
    pub rate: u64,
    /// For how long.
    pub seconds: f64,
    /// Messages that were to be published.
    pub planned: u64,
    /// Messages that were.
    pub sent: u64,
    /// Deliveries that were to come of them.
    pub expected: u64,
    /// Deliveries that came.
    pub received: u64,
    /// Deliveries that did not.
    pub lost: u64,
    /// Deliveries that came again.
    pub repeated: u64,
    /// Deliveries that came after later ones.
    pub out_of_order: u64,
    /// Deliveries for another user.
    pub foreign: u64,
    /// Cursors that could not be resumed.
    pub resets: u64,
    /// The median lag from when a message was due until it came.
    pub p50_ms: f64,
    /// The 99th percentile of it.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// The server's processor time for each delivery.
    pub server_cpu_us: f64,
    /// The broker's for each message; none without a broker.
    pub broker_cpu_us: Option<f64>,
    /// This program's for each delivery.
    pub load_cpu_us: f64,
    /// Bytes of each delivery.
    pub bytes: f64,
}

impl Phase {
    /// Deliveries that were not as they must be.
    pub fn faults(&self) -> u64 {
        self.lost + self.repeated + self.out_of_order + self.foreign + self.resets
    }

    /// Whether everything came, once, in order, and with a 99th percentile below this.
    pub fn held(&self, p99_ms: f64) -> bool {
        self.sent == self.planned && self.faults() == 0 && self.p99_ms < p99_ms
    }
}
