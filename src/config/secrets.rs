//! HS256 secrets: one on each line, so that one takes the place of another while both verify tokens.
//!
//! A text that may mean something else than it says is refused: a wrong secret shows only when tokens get 401.

use secrecy::SecretString;

/// Fewest bytes of a secret: as many as the digest has (RFC 7518, 3.2).
const SECRET_BYTES: usize = 32;
/// Most secrets at a time: each costs a digest for a token that none of them has signed.
const MOST_SECRETS: usize = 4;

/// What is wrong with a text, and on which line, counted from 1. Never repeats the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {problem}")]
pub struct WrongLine {
    pub(super) line: usize,
    pub(super) problem: &'static str,
}

/// One to four secrets. The first signs, all verify.
#[derive(Debug, Clone)]
pub struct Secrets {
    signing: SecretString,
    others: Vec<SecretString>,
}

impl Secrets {
    /// Reads one secret from each line of a text without a line break at its end.
    ///
    /// # Errors
    /// Names the first line that is not plainly a secret.
    pub fn parse(text: &str) -> Result<Self, WrongLine> {
        let lines: Vec<_> = match text.rsplit_once('\n') {
            // Only a line break may have a carriage return before it: one at the end is part of nothing.
            Some((before, last)) => {
                let before = before.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
                before.chain([last]).collect()
            }
            None => vec![text],
        };
        for (index, line) in lines.iter().enumerate() {
            let problem = if index >= MOST_SECRETS {
                Some("is one too many: there may be 4 secrets at most")
            } else if lines[..index].contains(line) {
                Some("repeats an earlier line")
            } else {
                problem(line, lines.len() > 1)
            };
            if let Some(problem) = problem {
                return Err(WrongLine { line: index + 1, problem });
            }
        }
        let mut secrets = lines.into_iter().map(SecretString::from);
        // There is always a first line. An empty secret would sign what anybody can forge, so this is no place for a default.
        let signing = secrets.next().ok_or(WrongLine { line: 1, problem: "is empty" })?;
        Ok(Self { signing, others: secrets.collect() })
    }

    /// Reads the secrets of a file, whose last line may end with a line break.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_file(text: &str) -> Result<Self, WrongLine> {
        Self::parse(without_last_break(text))
    }

    /// The secret that signs.
    pub fn signing(&self) -> &SecretString {
        &self.signing
    }

    /// All secrets, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.signing).chain(&self.others)
    }
}

/// A text without the line break that editors put at the end of a file.
pub(super) fn without_last_break(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

fn problem(line: &str, is_one_of_several: bool) -> Option<&'static str> {
    if line.is_empty() {
        return Some("is empty");
    }
    if line.trim() != line {
        return Some("begins or ends with a space");
    }
    if line.starts_with("-----") {
        return Some("is PEM: a secret is a text of its own, and a public key has its own setting");
    }
    if line.contains(|character: char| character.is_control() || character == '\u{feff}') {
        return Some("holds a character that is not shown");
    }
    if line.contains("\\n") {
        return Some("holds a backslash and an n: put each secret on a line of its own");
    }
    if is_one_of_several && line.starts_with('#') {
        return Some("begins with #: there are no comments here");
    }
    (line.len() < SECRET_BYTES).then_some("has fewer than 32 bytes; `openssl rand -hex 32` makes a good secret")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "a second secret with spaces inside";

    fn read(text: &str) -> Vec<String> {
        Secrets::parse(text).unwrap().iter().map(|secret| secret.expose_secret().to_owned()).collect()
    }

    #[test]
    fn each_line_is_a_secret_and_the_first_signs() {
        assert_eq!(read(ONE), [ONE]);
        assert_eq!(read(&format!("{ONE}\n{TWO}")), [ONE, TWO]);
        assert_eq!(read(&format!("{TWO}\r\n{ONE}")), [TWO, ONE]);
        let secrets = Secrets::parse_file(&format!("{TWO}\r\n{ONE}\r\n")).unwrap();
        assert_eq!(secrets.signing().expose_secret(), TWO);
        assert!(!format!("{secrets:?}").contains("second"));
    }

    #[test]
    fn a_doubtful_line_is_named_and_not_shown() {
        let short = &ONE[1..];
        let five: Vec<_> = (0..5).map(|n| format!("{ONE}{n}")).collect();
        for (text, line) in [
            (String::new(), 1),
            (short.to_owned(), 1),
            (format!("{ONE}\n{short}"), 2),
            (format!("{ONE}\n\n{TWO}"), 2),
            (format!("\n{ONE}"), 1),
            (format!("{ONE}\n"), 2),
            (format!("{ONE}\r"), 1),
            (format!("{ONE}\n {TWO}"), 2),
            (format!("{ONE} \n{TWO}"), 1),
            (format!("{ONE}\t\n{TWO}"), 1),
            (format!("\u{feff}{ONE}"), 1),
            (format!("{ONE}\u{a0}"), 1),
            (format!("{ONE}\u{0}{ONE}"), 1),
            (format!("{ONE}\n{ONE}"), 2),
            (format!("{ONE}\\n{TWO}"), 1),
            (format!("{ONE}\n# the one of last year, long enough"), 2),
            (format!("-----BEGIN PUBLIC KEY-----\n{ONE}\n-----END PUBLIC KEY-----"), 1),
            (five.join("\n"), 5),
        ] {
            let wrong = Secrets::parse(&text).unwrap_err();
            assert_eq!(wrong.line, line, "{text:?}: {wrong}");
            assert!(!wrong.to_string().contains("0123") && !wrong.to_string().contains("second"), "{wrong}");
        }
        assert_eq!(Secrets::parse_file(&format!("{ONE}\n\n")).unwrap_err().line, 2, "one line break ends a file");
        assert_eq!(read(&five[..4].join("\n")).len(), 4);
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(secrets in prop::collection::hash_set("[a-zA-Z0-9+/=]{32,64}", 1..=4)) {
            let secrets: Vec<_> = secrets.into_iter().collect();
            prop_assert_eq!(&read(&secrets.join("\n")), &secrets);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\PC|[\n\r\t ])*") {
            if let Ok(secrets) = Secrets::parse(&text) {
                prop_assert!(secrets.iter().count() <= MOST_SECRETS);
            }
        }
    }
}
