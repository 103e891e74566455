//! A block of the stream's text taken apart again, for transports that carry its parts in another form.

/// One block. Only what this server renders is understood: one line of data, a blank after each colon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block<'a> {
    /// The cursor after it, if it moves it.
    pub id: Option<&'a str>,
    /// The event; none for a block that only moves the cursor.
    pub event: Option<&'a str>,
    /// One line of JSON.
    pub data: &'a str,
}

impl<'a> Block<'a> {
    /// The blocks of rendered bytes, in order.
    pub fn all(bytes: &'a [u8]) -> impl Iterator<Item = Self> {
        // Frames are made of text, so the bytes are UTF-8.
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        text.split_terminator("\n\n").map(Self::of)
    }

    /// Whether it tells of a change of the log.
    pub fn is_change(&self) -> bool {
        matches!(self.event, Some("notification" | "state" | "subscription" | "settings"))
    }

    fn of(text: &'a str) -> Self {
        let mut block = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(": ")) {
            match name {
                "id" => block.id = Some(value),
                "event" => block.event = Some(value),
                "data" => block.data = value,
                _ => {}
            }
        }
        block
    }
}
