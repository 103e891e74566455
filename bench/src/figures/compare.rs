//! Several runs of one scenario: repeated, or at two targets alternately; medians, and the ratio of the two.

use serde_json::{Map, Value, json};

use crate::figures::report::{Figure, Report, number, table, text};

/// All runs at one target.
pub struct Side {
    /// The measured target.
    pub url: String,
    /// The runs, in order.
    pub runs: Vec<Report>,
}

impl Side {
    /// The figures of all runs, each the median of those runs that have it, in the order of the first run.
    fn medians(&self) -> Vec<Figure> {
        let figures = self.runs.first().map(|report| report.figures.clone()).unwrap_or_default();
        let of = |key: &str| {
            let same = self.runs.iter().flat_map(|run| run.figures.iter().filter(|figure| figure.key == key));
            median(same.filter_map(|figure| figure.value).collect())
        };
        figures.into_iter().map(|figure| Figure { value: of(&figure.key), ..figure }).collect()
    }

    fn json(&self, medians: &[Figure]) -> Value {
        let runs: Vec<Value> = self.runs.iter().map(Report::json).collect();
        json!({"url": self.url, "median": by_key(medians.iter().map(|figure| (figure, figure.value))), "runs": runs})
    }
}

/// The median: the middle value, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

/// A figure of the second target as a multiple of the first's.
fn ratio(first: &Figure, second: &[Figure]) -> Option<f64> {
    let other = second.iter().find(|figure| figure.key == first.key)?.value?;
    first.value.filter(|value| *value != 0.0).map(|value| other / value)
}

fn by_key<'a>(figures: impl Iterator<Item = (&'a Figure, Option<f64>)>) -> Map<String, Value> {
    figures.map(|(figure, value)| (figure.key.clone(), number(value))).collect()
}

/// For people: a column for each target, and the ratio where there are two.
pub fn as_table(scenario: &str, sides: &[Side]) -> String {
    let medians: Vec<Vec<Figure>> = sides.iter().map(Side::medians).collect();
    let mut heads = vec![scenario.to_owned()];
    heads.extend(sides.iter().map(|side| side.url.clone()));
    heads.extend((sides.len() > 1).then(|| "ratio".to_owned()));
    let rows = medians[0].iter().map(|figure| {
        let others = medians.iter().map(|side| side.iter().find(|other| other.key == figure.key));
        let mut row = vec![figure.label.clone()];
        row.extend(others.map(|other| text(other.and_then(|other| other.value), figure.unit)));
        row.extend(medians.get(1).map(|second| text(ratio(figure, second), "")));
        row
    });
    let runs = sides.iter().map(|side| side.runs.len()).max().unwrap_or(0);
    format!("{}\nMedians of {runs} runs.\n", table(&heads, rows))
}

/// For programs: every run, the medians, and the ratio of the second target's to the first's.
pub fn as_json(scenario: &str, sides: &[Side]) -> Value {
    let medians: Vec<Vec<Figure>> = sides.iter().map(Side::medians).collect();
    let targets: Vec<Value> = sides.iter().zip(&medians).map(|(side, medians)| side.json(medians)).collect();
    let clean = sides.iter().flat_map(|side| &side.runs).all(|run| run.clean);
    let mut all = json!({"scenario": scenario, "clean": clean, "targets": targets});
    if let [first, second] = &medians[..] {
        all["ratio"] = by_key(first.iter().map(|figure| (figure, ratio(figure, second)))).into();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(url: &str, values: &[Option<f64>]) -> Side {
        let run = |value: &Option<f64>| {
            let mut report = Report::new("idle");
            report.maybe("cpuUs", "CPU", *value, "us");
            report
        };
        Side { url: url.to_owned(), runs: values.iter().map(run).collect() }
    }

    #[test]
    fn medians_and_their_ratio_are_of_the_runs_that_have_the_figure() {
        let sides = [side("a", &[Some(4.0), Some(1.0), Some(2.0)]), side("b", &[Some(3.0), None, Some(5.0)])];
        let json = as_json("idle", &sides);
        assert_eq!(json["targets"][0]["median"]["cpuUs"], 2);
        assert_eq!(json["targets"][1]["median"]["cpuUs"], 4);
        assert_eq!(json["targets"][1]["runs"][1]["cpuUs"], Value::Null);
        assert_eq!(json["ratio"]["cpuUs"], 2);
        let table = as_table("idle", &sides);
        assert!(table.contains("| CPU  | 2 us | 4 us |     2 |"), "{table}");
    }

    #[test]
    fn a_figure_that_was_not_measured_has_no_ratio() {
        let json = as_json("idle", &[side("a", &[None]), side("b", &[Some(1.0)])]);
        assert_eq!(json["ratio"]["cpuUs"], Value::Null);
        assert_eq!(median(Vec::new()), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
    }
}
