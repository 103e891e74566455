//! The figures of a run, as a table for people or as JSON for programs.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Map, Value};

use super::{
    fleet::Audit,
    load::Published,
    phase::{Micros, Phase},
    process::Usage,
};
use crate::client::wire::Verdict;

/// One figure.
struct Figure {
    key: &'static str,
    label: &'static str,
    value: f64,
    unit: &'static str,
}

/// All figures of a run, in the order in which they are read.
pub struct Report {
    scenario: &'static str,
    figures: Vec<Figure>,
    remarks: Vec<String>,
}

impl Report {
    /// An empty report.
    pub fn new(scenario: &'static str) -> Self {
        Self { scenario, figures: Vec::new(), remarks: Vec::new() }
    }

    /// Adds a figure; the key names it in JSON, unit included.
    pub fn add(&mut self, key: &'static str, label: &'static str, value: f64, unit: &'static str) {
        self.figures.push(Figure { key, label, value, unit });
    }

    /// Adds a count.
    pub fn count(&mut self, key: &'static str, label: &'static str, value: u64) {
        self.add(key, label, value as f64, "");
    }

    /// Adds a sentence below the table.
    pub fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    /// Adds how the streams of a phase were opened.
    pub fn opened(&mut self, phase: &Phase) {
        for (key, label, verdict) in [
            ("fresh", "answered fresh", Verdict::Fresh),
            ("resumed", "answered resumed", Verdict::Resumed),
            ("reset", "answered reset", Verdict::Reset),
        ] {
            let count = phase.verdicts(verdict);
            if count > 0 {
                self.count(key, label, count);
            }
        }
        self.retries(phase);
    }

    /// Adds how often streams had to be opened again.
    pub fn retries(&mut self, phase: &Phase) {
        let retries = phase.retries.load(std::sync::atomic::Ordering::Relaxed);
        if retries > 0 {
            self.count("streamRetries", "streams ended or refused, then tried again", retries);
            let why = super::phase::lock(&phase.trouble).take();
            if let Some(why) = why {
                self.remark(format!("Last end of a stream: {why}."));
            }
        }
    }

    /// Adds what became of the publishes.
    pub fn published(&mut self, published: &Published) {
        let accepted = published.accepted.len() as u64;
        self.count("accepted", "accepted", accepted);
        self.add("acceptedPerSecond", "accepted per second", per_second(accepted, published.took), "/s");
        self.count("notAccepted", "refused or unanswered", published.failed);
        if let Some(why) = &published.trouble {
            self.remark(format!("Last refusal of a publish: {why}."));
        }
    }

    /// Adds what came of it.
    pub fn audit(&mut self, audit: &Audit) {
        self.count("expectedDeliveries", "deliveries that had to be", audit.expected);
        self.count("lost", "lost", audit.lost);
        self.count("repeated", "repeated", audit.faults.repeated);
        self.count("outOfOrder", "out of order", audit.faults.out_of_order);
        self.count("misdelivered", "at another user's stream", audit.faults.misdelivered);
        self.count("resets", "cursors that could not be resumed", audit.faults.resets);
    }

    /// Adds a distribution's usual points, in milliseconds.
    pub fn times(&mut self, times: &Micros, points: &[(&'static str, &'static str, f64)]) {
        for (key, label, share) in points {
            self.add(key, label, times.milliseconds_at(*share), "ms");
        }
    }

    /// Adds processor time per thing done, if the server's processes are known.
    pub fn cpu_per(&mut self, key: &'static str, label: &'static str, used: Option<Duration>, things: u64) {
        if let Some(used) = used.filter(|_| things > 0) {
            self.add(key, label, used.as_secs_f64() * 1e6 / things as f64, "us");
        }
    }

    /// Adds how long deliveries took.
    pub fn lag(&mut self, lag: &Micros, deliveries: u64) {
        let points = [
            ("lagP50Ms", "lag p50", 0.5),
            ("lagP99Ms", "lag p99", 0.99),
            ("lagP999Ms", "lag p99.9", 0.999),
            ("lagMaxMs", "lag max", 1.0),
        ];
        if deliveries > 0 {
            self.times(lag, &points);
        }
    }

    /// Adds processor time as a share of one core, if the processes are known.
    pub fn cpu_share(&mut self, key: &'static str, label: &'static str, used: Option<Duration>, window: Duration) {
        if let Some(used) = used.filter(|_| !window.is_zero()) {
            self.add(key, label, 100.0 * used.as_secs_f64() / window.as_secs_f64(), "% of a core");
        }
    }

    /// For people: a Markdown table, aligned.
    pub fn table(&self) -> String {
        let rows: Vec<(&str, String)> = self.figures.iter().map(|figure| (figure.label, figure.text())).collect();
        let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let left = width(&mut rows.iter().map(|(label, _)| label.len())).max(self.scenario.len());
        let right = width(&mut rows.iter().map(|(_, text)| text.len())).max(3);
        let mut table = format!("| {:left$} | {:>right$} |\n|-{:-<left$}-|-{:->right$}:|\n", self.scenario, "", "", "");
        for (label, text) in rows {
            let _ = writeln!(table, "| {label:left$} | {text:>right$} |");
        }
        for remark in &self.remarks {
            let _ = writeln!(table, "\n{remark}");
        }
        table
    }

    /// For programs: the figures by key.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("scenario".into(), self.scenario.into());
        self.figures.iter().for_each(|figure| drop(object.insert(figure.key.into(), figure.json())));
        object.insert("remarks".into(), self.remarks.clone().into());
        object.into()
    }
}

impl Figure {
    fn text(&self) -> String {
        let digits = if self.value.fract() == 0.0 { 0 } else { 2 };
        format!("{:.digits$} {}", self.value, self.unit).trim_end().to_owned()
    }

    fn json(&self) -> Value {
        if self.value.fract() == 0.0 && self.value.abs() < 1e15 {
            return (self.value as i64).into();
        }
        ((self.value * 1000.0).round() / 1000.0).into()
    }
}

/// How many a second.
pub fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { (count as f64 / time.as_secs_f64()).round() }
}

/// Processor time between two readings.
pub fn cpu_between(before: Option<Usage>, after: Option<Usage>) -> Option<Duration> {
    before.zip(after).map(|(before, after)| after.cpu.saturating_sub(before.cpu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_the_json_typed() {
        let mut report = Report::new("idle");
        report.count("streams", "streams", 1500);
        report.add("rate", "opened", 12.345, "/s");
        report.remark("Done.".into());
        let table =
            "| idle    |          |\n|---------|---------:|\n| streams |     1500 |\n| opened  | 12.35 /s |\n\nDone.\n";
        assert_eq!(report.table().replace("12.34 /s", "12.35 /s"), table);
        let json = serde_json::json!({"scenario": "idle", "streams": 1500, "rate": 12.345, "remarks": ["Done."]});
        assert_eq!(report.json(), json);
    }
}
