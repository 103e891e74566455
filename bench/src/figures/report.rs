//! The figures of a run, as a table for people or as JSON for programs.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    figures::{meter::Spent, times::Times},
    load::publishers::Published,
    streams::{fleet::Fleet, protocol::Outcome},
};

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name in JSON, unit included.
    pub key: String,
    /// Its name in the table.
    pub label: String,
    /// None when it was not measured.
    pub value: Option<f64>,
    /// As shown in the table.
    pub unit: &'static str,
}

/// All figures of a run, in the order in which they are read.
#[derive(Debug, Clone)]
pub struct Report {
    pub scenario: &'static str,
    pub figures: Vec<Figure>,
    /// Sentences below the table.
    pub remarks: Vec<String>,
    /// Nothing was lost, repeated, out of order, foreign or reset.
    pub clean: bool,
    /// Points over time, for programs only.
    curve: Vec<[f64; 2]>,
}

impl Report {
    /// An empty report.
    pub fn new(scenario: &'static str) -> Self {
        Self { scenario, figures: Vec::new(), remarks: Vec::new(), clean: true, curve: Vec::new() }
    }

    /// A report that begins with the run's size.
    pub fn of(scenario: &'static str, fleet: &Fleet) -> Self {
        let mut report = Self::new(scenario);
        report.count("streams", "streams", fleet.streams as u64);
        report.count("users", "users", fleet.users.count as u64);
        report.count("instances", "instances", fleet.targets.len() as u64);
        report
    }

    /// Adds a figure that may not have been measured.
    pub fn maybe(&mut self, key: &str, label: &str, value: Option<f64>, unit: &'static str) {
        self.figures.push(Figure { key: key.to_owned(), label: label.to_owned(), value, unit });
    }

    /// Adds a figure.
    pub fn add(&mut self, key: &str, label: &str, value: f64, unit: &'static str) {
        self.maybe(key, label, Some(value), unit);
    }

    /// Adds a count.
    pub fn count(&mut self, key: &str, label: &str, value: u64) {
        self.add(key, label, value as f64, "");
    }

    /// A figure that was added; none when it was not measured.
    pub fn figure(&self, key: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.key == key)?.value
    }

    /// Adds the memory over time: seconds and MB.
    pub fn curve(&mut self, points: Vec<[f64; 2]>) {
        self.curve = points;
    }

    /// Adds how the streams of a phase were opened.
    pub fn opened(&mut self, outcome: &Outcome) {
        let kinds = [("fresh", "answered fresh"), ("resumed", "answered resumed"), ("reset", "answered reset")];
        for ((key, label), count) in kinds.into_iter().zip(outcome.verdicts).filter(|(_, count)| *count > 0) {
            self.count(key, label, count);
        }
    }

    /// Adds the outcome of the publishes.
    pub fn published(&mut self, published: &Published) {
        let accepted = published.count();
        self.count("accepted", "accepted", accepted);
        self.add("acceptedPerSecond", "accepted per second", per_second(accepted, published.took), "/s");
        self.count("notAccepted", "refused or unanswered", published.failed);
        self.points("answered", "publish answered after", &published.answered);
        if let Some(why) = &published.trouble {
            self.remarks.push(format!("Last refusal of a publish: {why}."));
        }
    }

    /// Adds the outcome of the run.
    pub fn outcome(&mut self, outcome: &Outcome) {
        self.clean &= outcome.is_clean();
        self.count("deliveries", "delivered", outcome.deliveries);
        self.count("expectedDeliveries", "deliveries that had to be", outcome.expected);
        self.count("lost", "lost", outcome.lost);
        self.count("repeated", "repeated", outcome.faults.repeated);
        self.count("outOfOrder", "out of order", outcome.faults.out_of_order);
        self.count("foreign", "at another user's stream", outcome.faults.foreign);
        self.count("resets", "cursors that could not be resumed", outcome.faults.resets);
        self.count("streamRetries", "streams ended or refused, then tried again", outcome.retries);
        if let Some(why) = &outcome.trouble {
            self.remarks.push(format!("Last end of a stream: {why}."));
        }
    }

    /// Adds a distribution's points, in milliseconds, if it holds any time.
    pub fn points(&mut self, key: &str, label: &str, times: &Times) {
        let shares = [("P50", "p50", 0.5), ("P99", "p99", 0.99), ("P999", "p99.9", 0.999), ("Max", "max", 1.0)];
        for (suffix, name, share) in shares.into_iter().filter(|_| times.count() > 0) {
            self.add(&format!("{key}{suffix}Ms"), &format!("{label}, {name}"), times.milliseconds_at(share), "ms");
        }
    }

    /// Adds the processor time of all processes, divided by a count.
    pub fn cpu_per(&mut self, key: &str, label: &str, spent: &Spent, things: u64) {
        let each =
            |used: Option<Duration>| used.filter(|_| things > 0).map(|used| used.as_secs_f64() * 1e6 / things as f64);
        for (name, title, used) in parties(spent) {
            self.maybe(&format!("{name}CpuPer{key}Us"), &format!("{title} CPU per {label}"), each(used), "us");
        }
    }

    /// Adds the processor time of all processes as a share of one core.
    pub fn cpu_share(&mut self, key: &str, label: &str, spent: &Spent) {
        let window = spent.window.as_secs_f64();
        for (name, title, used) in parties(spent) {
            let share = used.filter(|_| window > 0.0).map(|used| 100.0 * used.as_secs_f64() / window);
            self.maybe(&format!("{name}{key}"), &format!("{title} {label}"), share, "% of a core");
        }
    }

    /// For people: a Markdown table, aligned.
    pub fn table(&self) -> String {
        let row = |figure: &Figure| vec![figure.label.clone(), text(figure.value, figure.unit)];
        let mut text = table(&[self.scenario.to_owned(), String::new()], self.figures.iter().map(row));
        for remark in &self.remarks {
            let _ = writeln!(text, "\n{remark}");
        }
        text
    }

    /// For programs: the figures by key.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("scenario".into(), self.scenario.into());
        object.insert("clean".into(), self.clean.into());
        self.figures.iter().for_each(|figure| drop(object.insert(figure.key.clone(), number(figure.value))));
        if !self.curve.is_empty() {
            object.insert("memoryCurve".into(), json!(self.curve));
        }
        object.insert("remarks".into(), self.remarks.clone().into());
        object.into()
    }
}

fn parties(spent: &Spent) -> [(&'static str, &'static str, Option<Duration>); 4] {
    [
        ("server", "server", spent.servers),
        ("postgres", "Postgres", spent.database),
        ("redis", "Redis", spent.broker),
        ("load", "this tool's", spent.load),
    ]
}

/// A figure as people read it; `-` for one that was not measured.
pub fn text(value: Option<f64>, unit: &str) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let digits = if value.fract() == 0.0 { 0 } else { 2 };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

/// A figure as programs read it: whole numbers without a point, others with three decimals.
pub fn number(value: Option<f64>) -> Value {
    match value {
        None => Value::Null,
        Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => (value as i64).into(),
        Some(value) => ((value * 1000.0).round() / 1000.0).into(),
    }
}

/// An aligned Markdown table: the first column is of text, the others of figures.
pub fn table(heads: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(heads.to_vec()).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column == 0 { write!(text, "| {cell:width$} |") } else { write!(text, " {cell:>width$} |") };
        }
        text.push('\n');
        if index == 0 {
            widths.iter().enumerate().for_each(|(column, width)| text.push_str(&rule(column, *width)));
            text.push('\n');
        }
    }
    text
}

fn rule(column: usize, width: usize) -> String {
    let dashes = "-".repeat(width + 1);
    if column == 0 { format!("|{dashes}-|") } else { format!("{dashes}:|") }
}

/// How many a second.
pub fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { (count as f64 / time.as_secs_f64()).round() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_the_json_typed() {
        let mut report = Report::new("idle");
        report.count("streams", "streams", 1500);
        report.add("rate", "opened", 12.341, "/s");
        report.maybe("cpu", "CPU", None, "us");
        report.remarks.push("Done.".into());
        let table = "| idle    |          |\n|---------|---------:|\n| streams |     1500 |\n| opened  | 12.34 /s |\n\
                     | CPU     |        - |\n\nDone.\n";
        assert_eq!(report.table(), table);
        let json = json!({"scenario": "idle", "clean": true, "streams": 1500, "rate": 12.341, "cpu": null, "remarks": ["Done."]});
        assert_eq!(report.json(), json);
    }

    #[test]
    fn one_lost_notification_makes_a_run_unclean() {
        let mut report = Report::new("publish");
        report.outcome(&Outcome { expected: 3, ..Outcome::default() });
        assert!(report.clean);
        report.outcome(&Outcome { expected: 3, lost: 1, ..Outcome::default() });
        assert!(!report.clean);
        assert_eq!(report.json()["clean"], false);
    }
}
