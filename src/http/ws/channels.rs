//! The kinds and topics to which one WebSocket is narrowed. It subscribes no user to a topic and takes nothing out of the log.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::domain::topic::TOPIC_BYTES;

/// Most channels in force, and most that one message names.
pub const MOST_CHANNELS: usize = 50;

/// Kinds and topics; none at all lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Channels(BTreeSet<Box<str>>);

impl Channels {
    /// The same and these.
    ///
    /// # Errors
    /// The fault, and the index of the name if it is one of them.
    pub fn with(&self, names: &[String]) -> Result<Self, (Option<usize>, String)> {
        check(names)?;
        let mut channels = self.clone();
        channels.0.extend(names.iter().map(|name| name.as_str().into()));
        if channels.0.len() > MOST_CHANNELS {
            return Err((
                None,
                format!("would make {} channels: at most {MOST_CHANNELS} are in force", channels.0.len()),
            ));
        }
        Ok(channels)
    }

    /// The same without these.
    ///
    /// # Errors
    /// As [`Channels::with`].
    pub fn without(&self, names: &[String]) -> Result<Self, (Option<usize>, String)> {
        check(names)?;
        let mut channels = self.clone();
        channels.0.retain(|channel| names.iter().all(|name| **name != **channel));
        Ok(channels)
    }

    /// Whether everything passes.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something of this kind, on this topic if on any, passes.
    pub fn passes(&self, kind: &str, topic: Option<&str>) -> bool {
        self.is_open() || self.0.contains(kind) || topic.is_some_and(|topic| self.0.contains(topic))
    }
}

fn check(names: &[String]) -> Result<(), (Option<usize>, String)> {
    if !(1..=MOST_CHANNELS).contains(&names.len()) {
        return Err((None, format!("must be 1 to {MOST_CHANNELS} kinds or topics")));
    }
    match names.iter().position(|name| !(1..=TOPIC_BYTES).contains(&name.len())) {
        Some(index) => Err((Some(index), format!("must be 1 to {TOPIC_BYTES} bytes"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn any_channel_narrows_and_the_last_one_that_goes_opens() {
        let open = Channels::default();
        assert!(open.passes("a", None) && open.is_open());
        let some = open.with(&names(&["a", "team:7"])).unwrap();
        assert!(some.passes("a", None) && some.passes("b", Some("team:7")));
        assert!(!some.passes("b", None) && !some.passes("team:7x", Some("team:8")));
        assert!(some.without(&names(&["a", "team:7", "never"])).unwrap().is_open());
    }

    #[test]
    fn channels_are_bounded() {
        let many: Vec<String> = (0..=MOST_CHANNELS).map(|number| number.to_string()).collect();
        let full = Channels::default().with(&many[..MOST_CHANNELS]).unwrap();
        assert_eq!(full.with(&many[..1]), Ok(full.clone()), "it is there already");
        assert!(full.with(&many[MOST_CHANNELS..]).is_err());
        assert!(full.with(&many).is_err() && full.without(&[]).is_err());
        assert_eq!(full.without(&names(&["a", ""])).unwrap_err().0, Some(1));
    }
}
