//! The rules that must hold at the end; no IO, so that the judge itself can be tested.

use std::collections::{BTreeMap, HashMap};

/// One publish as its publisher saw it.
#[derive(Debug, Clone)]
pub struct Published {
    pub number: u64,
    pub users: Vec<String>,
    /// False when the publisher never got an answer.
    pub acknowledged: bool,
}

/// One notification as a client got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub seq: i64,
    pub number: u64,
}

/// All that one client got, over all its connections.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub user: String,
    pub heard: Vec<Heard>,
    /// The verdict of each connection that got one.
    pub verdicts: Vec<String>,
    /// Whether a verdict may be a reset: the client has reloaded its list then.
    pub may_reset: bool,
    /// Answers and frames that break the contract.
    pub offences: Vec<String>,
}

/// How many acknowledged notifications have not reached a client that should have them.
pub fn missing(published: &[Published], logs: &[Log]) -> usize {
    logs.iter().map(|log| lost(published, log).len()).sum()
}

/// Everything that is wrong, in words.
pub fn complaints(published: &[Published], logs: &[Log]) -> Vec<String> {
    let known: HashMap<_, _> = published.iter().map(|each| (each.number, each)).collect();
    let mut found: Vec<_> =
        logs.iter().enumerate().flat_map(|(index, log)| complain(index, log, published, &known)).collect();
    found.extend(disagreements(logs));
    found
}

fn complain(index: usize, log: &Log, published: &[Published], known: &HashMap<u64, &Published>) -> Vec<String> {
    let mut found = log.offences.clone();
    found.extend(lost(published, log).iter().map(|number| format!("n-{number} is lost")));
    for (index, verdict) in log.verdicts.iter().enumerate() {
        let may_be = if index == 0 { "fresh" } else { "resumed" };
        if verdict != may_be && !(log.may_reset && verdict == "reset") {
            found.push(format!("verdict {verdict}"));
        }
    }
    for pair in log.heard.windows(2) {
        let [before, after] = pair else { continue };
        // Nothing but publishes happens here, so the seqs of one user have no gaps.
        if after.seq != before.seq + 1 {
            found.push(format!("n-{} with seq {} follows seq {}", after.number, after.seq, before.seq));
        }
    }
    let mut times = BTreeMap::new();
    log.heard.iter().for_each(|heard| *times.entry(heard.number).or_insert(0) += 1);
    found.extend(
        times.iter().filter(|(_, times)| **times > 1).map(|(number, times)| format!("n-{number} came {times} times")),
    );
    for number in times.keys() {
        match known.get(number) {
            None => found.push(format!("n-{number} was never published")),
            Some(each) if !each.users.contains(&log.user) => found.push(format!("n-{number} was for {:?}", each.users)),
            Some(_) => {}
        }
    }
    found.into_iter().map(|what| format!("client {index} of {}: {what}", log.user)).collect()
}

fn lost(published: &[Published], log: &Log) -> Vec<u64> {
    let heard: std::collections::HashSet<_> = log.heard.iter().map(|heard| heard.number).collect();
    let due = published.iter().filter(|each| each.acknowledged && each.users.contains(&log.user));
    due.map(|each| each.number).filter(|number| !heard.contains(number)).collect()
}

/// Clients of one user must have got the same, in the same order.
fn disagreements(logs: &[Log]) -> Vec<String> {
    let mut first: HashMap<&str, &Log> = HashMap::new();
    let mut found = Vec::new();
    for log in logs {
        if first.entry(&log.user).or_insert(log).heard != log.heard {
            found.push(format!("two clients of {} got different things", log.user));
        }
    }
    found
}

#[test]
fn the_judge_accepts_correct_logs() {
    assert_eq!(complaints(&published(), &[log("a", &[(1, 1), (2, 3)]), log("b", &[(1, 2), (2, 3)])]), [""; 0]);
}

#[test]
fn the_judge_finds_every_fault() {
    let cases: [(&str, &[(i64, u64)]); 6] = [
        ("n-3 is lost", &[(1, 1)]),
        ("follows seq", &[(2, 1), (1, 3)]),
        ("follows seq", &[(1, 1), (3, 3)]),
        ("n-1 came 2 times", &[(1, 1), (2, 1), (3, 3)]),
        ("n-2 was for", &[(1, 1), (2, 2), (3, 3)]),
        ("n-9 was never published", &[(1, 1), (2, 3), (3, 9)]),
    ];
    for (complaint, heard) in cases {
        let found = complaints(&published(), &[log("a", heard)]);
        assert!(found.iter().any(|each| each.contains(complaint)), "{complaint}: {found:?}");
    }
    let mut reset = log("a", &[(1, 1), (2, 3)]);
    reset.verdicts.push("reset".to_owned());
    assert_eq!(complaints(&published(), &[reset.clone()]), ["client 0 of a: verdict reset"]);
    assert_eq!(complaints(&published(), &[Log { may_reset: true, ..reset }]), [""; 0]);
    let found = complaints(&published(), &[log("a", &[(1, 1), (2, 3)]), log("a", &[(1, 1), (2, 3), (3, 4)])]);
    assert_eq!(found, ["two clients of a got different things"]);
}

#[cfg(test)]
fn published() -> Vec<Published> {
    let entry = |number, users: &[&str], acknowledged| Published {
        number,
        users: users.iter().map(ToString::to_string).collect(),
        acknowledged,
    };
    vec![entry(1, &["a"], true), entry(2, &["b"], true), entry(3, &["a", "b"], true), entry(4, &["a"], false)]
}

#[cfg(test)]
fn log(user: &str, heard: &[(i64, u64)]) -> Log {
    let heard = heard.iter().map(|&(seq, number)| Heard { seq, number }).collect();
    Log { user: user.to_owned(), heard, verdicts: vec!["fresh".to_owned()], ..Log::default() }
}
