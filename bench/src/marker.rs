//! The content of every message: `~number~due~`, in text that needs no escaping anywhere, found without parsing the rest.

use memchr::memchr;

/// Replaces the number in a message to all users of a run.
const ALL: &[u8] = b"all";

/// The content of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// The message's number within the run; it is for user `n % users`.
    pub n: u64,
    /// When it is due, in microseconds since publishing began.
    pub t: u64,
}

impl Marker {
    /// The text of a message.
    pub fn text(self) -> String {
        format!("~{}~{}~", self.n, self.t)
    }

    /// The text, filled up to so many bytes.
    pub fn padded(self, bytes: usize) -> String {
        format!("{:x<bytes$}", self.text())
    }
}

/// The text of a message to all users of the run, due so many microseconds after publishing began.
pub fn text_for_all(t: u64) -> String {
    format!("~all~{t}~")
}

/// A marker that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A message to one user.
    One(Marker),
    /// A message to all users, with the time at which it was due.
    All(u64),
}

/// The first marker in a text.
pub fn find(mut text: &[u8]) -> Option<Found> {
    loop {
        text = &text[memchr(b'~', text)? + 1..];
        if let Some(found) = read(text) {
            return Some(found);
        }
    }
}

/// Reads the text after the first tilde.
fn read(text: &[u8]) -> Option<Found> {
    let (for_all, rest) = match text.strip_prefix(ALL) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (n, rest) = if for_all { (0, rest) } else { number(rest)? };
    let (t, rest) = number(rest.strip_prefix(b"~")?)?;
    rest.starts_with(b"~").then_some(if for_all { Found::All(t) } else { Found::One(Marker { n, t }) })
}

/// The number that a text begins with, and the rest.
pub fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    Some((number, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_leads_back_to_its_marker() {
        let given = Marker { n: u64::MAX, t: 0 };
        let data = format!("{{\"title\":\"{}\"}}", given.text());
        assert_eq!(find(data.as_bytes()), Some(Found::One(given)));
        assert_eq!(find(text_for_all(7).as_bytes()), Some(Found::All(7)));
        assert_eq!(given.padded(300).len(), 300);
        assert_eq!(find(given.padded(300).as_bytes()), Some(Found::One(given)));
    }

    #[test]
    fn other_tildes_are_no_markers() {
        assert_eq!(find(b"~user/~1~x~2~3~"), Some(Found::One(Marker { n: 2, t: 3 })));
        assert_eq!(find(b"~1~2"), None);
        assert_eq!(find(b""), None);
    }
}
