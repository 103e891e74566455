//! The types of the stream's events, by their names on the wire.

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// The verdict on the cursor, the first event of every stream.
    Hello,
    /// A notification arrived.
    Notification,
    /// The state of some items changed.
    State,
    /// A subscription of the user changed.
    Subscription,
    /// The user's preferences changed.
    Settings,
    /// A signal.
    Signal,
    /// The stream is alive.
    Heartbeat,
    /// The token expires soon.
    Expiring,
    /// The server ends the stream.
    Bye,
}

impl EventType {
    /// The types of the log's changes.
    pub(super) const CHANGES: [Self; 4] = [Self::Notification, Self::State, Self::Subscription, Self::Settings];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Notification => "notification",
            Self::State => "state",
            Self::Subscription => "subscription",
            Self::Settings => "settings",
            Self::Signal => "signal",
            Self::Heartbeat => "heartbeat",
            Self::Expiring => "expiring",
            Self::Bye => "bye",
        }
    }

    /// Whether the event is a change of the log.
    pub fn is_change(self) -> bool {
        Self::CHANGES.contains(&self)
    }

    /// The type of a change by its name.
    pub(super) fn of_change(name: &str) -> Option<Self> {
        Self::CHANGES.into_iter().find(|event| event.as_str() == name)
    }
}
