//! The newest value of each subject, in memory: for an instance that is alone.

use std::collections::HashMap;

use super::KEPT_SUBJECTS;
use crate::domain::signal::{Address, Signal, Subject, TopicKey};

/// Most topics of which values are kept; when there are more, the one that was quiet for longest goes.
const TOPICS: usize = 1_000;

#[derive(Default)]
pub(super) struct Kept(HashMap<TopicKey, HashMap<Subject, Signal>>);

impl Kept {
    /// Keeps a signal to a topic. Its number is higher than that of the value before, even if the clock was set back.
    pub(super) fn keep(&mut self, signal: &mut Signal) {
        let Address::Topic(topic) = &signal.subject.to else { return };
        let topic = topic.clone();
        if self.0.len() >= TOPICS && !self.0.contains_key(&topic) {
            let newest = |values: &HashMap<Subject, Signal>| values.values().map(|value| value.sent_at).max();
            let quiet = self.0.iter().min_by_key(|(_, values)| newest(values)).map(|(topic, _)| topic.clone());
            quiet.inspect(|quiet| drop(self.0.remove(quiet)));
        }
        let values = self.0.entry(topic).or_default();
        if let Some(older) = values.get(&signal.subject) {
            signal.sent_at = signal.sent_at.max(older.sent_at + 1);
        }
        values.insert(signal.subject.clone(), signal.clone());
        if values.len() > KEPT_SUBJECTS {
            let oldest = values.values().min_by_key(|value| value.sent_at).map(|value| value.subject.clone());
            oldest.inspect(|oldest| drop(values.remove(oldest)));
        }
    }

    pub(super) fn of(&self, topics: &[TopicKey]) -> Vec<Signal> {
        topics.iter().filter_map(|topic| self.0.get(topic)).flat_map(HashMap::values).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn signal(topic: usize, key: usize, sent_at: u64) -> Signal {
        let topic = TopicKey { tenant: "t".parse().unwrap(), topic: format!("team:{topic}").parse().unwrap() };
        let subject = Subject { to: Address::Topic(topic), kind: "k".into(), key: key.to_string().into() };
        Signal { subject, interval: Duration::ZERO, sent_at, bytes: "x".into() }
    }

    fn topic(signal: &Signal) -> TopicKey {
        let Address::Topic(topic) = &signal.subject.to else { unreachable!("these are to topics") };
        topic.clone()
    }

    #[test]
    fn the_newest_value_of_each_subject_is_kept_within_bounds() {
        let mut kept = Kept::default();
        for (sent_at, key) in (1..).zip(0..=KEPT_SUBJECTS) {
            kept.keep(&mut signal(1, key, sent_at));
        }
        kept.keep(&mut signal(1, 5, 1_000));
        let values = kept.of(&[topic(&signal(1, 0, 0))]);
        assert_eq!(values.len(), KEPT_SUBJECTS);
        assert!(values.iter().all(|value| value.sent_at > 1), "the oldest went");
        assert!(values.iter().any(|value| value.sent_at == 1_000));
        for (sent_at, number) in (2_000..).zip(2..=TOPICS + 1) {
            kept.keep(&mut signal(number, 0, sent_at));
        }
        assert_eq!(kept.0.len(), TOPICS);
        assert!(kept.of(&[topic(&signal(1, 0, 0))]).is_empty(), "the quietest topic went");
    }

    #[test]
    fn a_later_signal_is_newer_even_if_the_clock_was_set_back() {
        let mut kept = Kept::default();
        let (mut first, mut second) = (signal(1, 0, 1_000), signal(1, 0, 7));
        kept.keep(&mut first);
        kept.keep(&mut second);
        assert_eq!((first.sent_at, second.sent_at), (1_000, 1_001));
        assert_eq!(kept.of(&[topic(&first)]), [second]);
    }
}
