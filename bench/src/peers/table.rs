//! The table: medians over runs, and how many times Tidings' figure each of them is.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::BufReader,
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Args;

use super::report::{Connect, Phase, Report};
use crate::figures::compare::median;

/// The system that the others are compared with.
const OWN: &str = "Tidings";
/// Rates of the columns about processor time.
const ORDINARY: u64 = 10_000;
const HIGH: u64 = 40_000;
/// Bounds of the 99th percentile for the highest rates, in milliseconds.
const UNICAST_P99_MS: f64 = 100.0;
const BROADCAST_P99_MS: f64 = 200.0;

/// The input of a table.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Directory with the JSON of runs
    directory: PathBuf,
    /// Rows in this order, separated by semicolons
    #[arg(long, value_delimiter = ';')]
    systems: Vec<String>,
}

type Figure = fn(&Runs) -> Option<f64>;

/// Heading, digits after the point, and how a run's figure is found.
const COLUMNS: &[(&str, usize, Figure)] = &[
    ("KB per idle stream", 2, |runs| runs.all("idle", |run| Some(run.connect.memory_kib_each()))),
    ("unicast CPU us at 10k/s", 1, |runs| runs.all("unicast", |run| Some(at(run, ORDINARY)?.server_cpu_us))),
    ("at 40k/s", 1, |runs| runs.all("unicast", |run| Some(at(run, HIGH)?.server_cpu_us))),
    ("broker CPU us per message at 10k/s", 1, |runs| runs.all("unicast", |run| at(run, ORDINARY)?.broker_cpu_us)),
    ("highest unicast/s, p99 < 100 ms", 0, |runs| runs.all("unicast", |run| highest(run, UNICAST_P99_MS))),
    ("p50 ms at 10k/s", 2, |runs| runs.all("unicast", |run| Some(at(run, ORDINARY)?.p50_ms))),
    ("p99 ms at 10k/s", 2, |runs| runs.all("unicast", |run| Some(at(run, ORDINARY)?.p99_ms))),
    ("broadcast CPU us", 1, |runs| runs.all("broadcast", |run| Some(measured(run)?.server_cpu_us))),
    ("highest broadcast/s, p99 < 200 ms", 0, |runs| runs.all("broadcast", |run| highest(run, BROADCAST_P99_MS))),
    ("CPU us per connect", 0, |runs| runs.all("idle", |run| Some(run.connect.server_cpu_us))),
    ("10,000 connects at once, s", 2, |runs| runs.all("unicast", at_once)),
    ("bytes per delivery", 0, |runs| runs.all("unicast", |run| Some(measured(run)?.bytes))),
];

/// A system's runs.
struct Runs(Vec<Report>);

impl Runs {
    /// The median over the runs of a scenario; none when a figure is missing in half of them or more.
    fn all(&self, scenario: &str, figure: impl Fn(&Report) -> Option<f64>) -> Option<f64> {
        let runs = self.0.iter().filter(|run| run.scenario == scenario);
        let figures: Vec<Option<f64>> = runs.map(figure).collect();
        let found: Vec<f64> = figures.iter().copied().flatten().collect();
        if found.len() * 2 > figures.len() { median(found) } else { None }
    }
}

/// The longest phase at this rate, if everything came in it.
fn at(run: &Report, rate: u64) -> Option<&Phase> {
    let phases = run.phases.iter().filter(|phase| !phase.warm_up && phase.rate == rate && phase.held(f64::INFINITY));
    phases.max_by(|a, b| a.seconds.total_cmp(&b.seconds))
}

/// The phase after the warm-up, if everything came in it.
fn measured(run: &Report) -> Option<&Phase> {
    run.phases.iter().find(|phase| !phase.warm_up).filter(|phase| phase.held(f64::INFINITY))
}

/// Deliveries per second of the last rate that held.
fn highest(run: &Report, p99_ms: f64) -> Option<f64> {
    let phases = run.phases.iter().filter(|phase| !phase.warm_up && phase.held(p99_ms));
    let rates = phases.map(|phase| phase.rate * run.streams / run.users);
    rates.max().map(|rate| rate as f64)
}

fn at_once(run: &Report) -> Option<f64> {
    (run.connect.opened == run.streams).then_some(run.connect.seconds)
}

/// Prints it.
///
/// # Errors
/// When a file is no report.
pub fn print(options: &Options) -> anyhow::Result<()> {
    let systems = read(&options.directory)?;
    let named = options.systems.iter().filter_map(|name| Some((name.as_str(), systems.get(name)?)));
    let rows: Vec<(&str, &Runs)> = named.collect();
    let own: Vec<Option<f64>> = match systems.get(OWN) {
        Some(runs) => COLUMNS.iter().map(|(.., figure)| figure(runs)).collect(),
        None => vec![None; COLUMNS.len()],
    };
    heading("system");
    for (name, runs) in &rows {
        row(name, COLUMNS.iter().map(|(_, digits, figure)| shown(figure(runs), *digits)));
    }
    println!("\nAs multiples of Tidings' figures:\n");
    heading("system");
    for (name, runs) in &rows {
        let ratio = |(index, (.., figure)): (usize, &(_, _, Figure))| Some(figure(runs)? / own[index]?);
        row(name, COLUMNS.iter().enumerate().map(|column| shown(ratio(column), 2)));
    }
    faults(&rows);
    Ok(())
}

fn read(directory: &PathBuf) -> anyhow::Result<BTreeMap<String, Runs>> {
    let mut systems: BTreeMap<String, Runs> = BTreeMap::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let file = BufReader::new(File::open(&path)?);
            let report: Report =
                serde_json::from_reader(file).with_context(|| format!("{} is no report", path.display()))?;
            systems.entry(report.system.clone()).or_insert_with(|| Runs(Vec::new())).0.push(report);
        }
    }
    Ok(systems)
}

fn heading(first: &str) {
    row(first, COLUMNS.iter().map(|(heading, ..)| (*heading).to_owned()));
    row("---", COLUMNS.iter().map(|_| "---:".to_owned()));
}

fn row(name: &str, cells: impl Iterator<Item = String>) {
    println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
}

fn shown(figure: Option<f64>, digits: usize) -> String {
    match figure {
        Some(figure) if figure >= 10_000.0 => format!("{:.0}k", figure / 1_000.0),
        Some(figure) => format!("{figure:.digits$}"),
        None => "-".to_owned(),
    }
}

/// Names the faults: streams that did not open or stay open, and deliveries.
fn faults(rows: &[(&str, &Runs)]) {
    println!();
    for (name, runs) in rows {
        for run in &runs.0 {
            let Report { scenario, connect: Connect { unanswered, .. }, retries, .. } = run;
            if unanswered + retries > 0 {
                println!(
                    "- {name}, {scenario}: {unanswered} streams did not open; {retries} times one was refused or ended, and \
                     was tried again."
                );
            }
            for phase in run.phases.iter().filter(|phase| phase.faults() > 0) {
                let Phase { rate, expected, lost, repeated, out_of_order, foreign, resets, .. } = phase;
                println!(
                    "- {name}, {scenario} at {rate} messages/s: of {expected} deliveries {lost} did not come in time to be \
                     counted, {repeated} came twice, {out_of_order} out of order, {foreign} to others; {resets} cursors were not resumed."
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(shown(Some(40_000.0), 0), "40k");
        assert_eq!(shown(Some(1.234), 2), "1.23");
        assert_eq!(shown(None, 2), "-");
    }
}
