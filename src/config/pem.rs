//! Public keys as they are written: one text may hold several in PEM. What a key is for is decided by [`crate::auth`].

use super::secrets::WrongLine;

/// Most keys of one text: each costs a verification for a token that none of them has signed.
const MOST_KEYS: usize = 16;

/// A public key and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The one PEM block.
    pub pem: String,
    /// The setting, the file if it came from one, and the line.
    pub place: String,
}

/// A block that has begun.
struct Open<'a> {
    line: usize,
    label: &'a str,
    lines: Vec<&'a str>,
}

/// The PEM blocks of a text with the lines on which they begin. Only blank lines may stand between them.
///
/// # Errors
/// Names the first line that is no part of a public key.
pub(super) fn blocks(text: &str) -> Result<Vec<(usize, String)>, WrongLine> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut open: Option<Open<'_>> = None;
    for (index, line) in text.lines().map(str::trim).enumerate() {
        let wrong = |problem| WrongLine { line: index + 1, problem };
        match (&mut open, label(line, "BEGIN"), label(line, "END")) {
            (None, Some(label), _) => {
                open = Some(Open {
                    line: index + 1,
                    label: check(label, blocks.len()).map_err(wrong)?,
                    lines: vec![line],
                });
            }
            (None, None, _) if line.is_empty() => {}
            (None, None, _) => return Err(wrong("stands outside of a key: only PEM public keys may be here")),
            (Some(block), None, Some(label)) if block.label == label => {
                block.lines.push(line);
                let pem = block.lines.join("\n") + "\n";
                if blocks.iter().any(|(_, known)| *known == pem) {
                    return Err(WrongLine { line: block.line, problem: "begins a key that was given before" });
                }
                blocks.push((block.line, pem));
                open = None;
            }
            (Some(block), None, None) if is_base64(line) => block.lines.push(line),
            _ => return Err(wrong("is no part of the key that began above it")),
        }
    }
    match open {
        Some(Open { line, .. }) => Err(WrongLine { line, problem: "begins a key without an end" }),
        None if blocks.is_empty() => {
            Err(WrongLine { line: 1, problem: "begins no public key: -----BEGIN PUBLIC KEY-----" })
        }
        None => Ok(blocks),
    }
}

fn check(label: &str, before: usize) -> Result<&str, &'static str> {
    if label.ends_with("PRIVATE KEY") {
        Err("begins a private key: give the public key only")
    } else if before >= MOST_KEYS {
        Err("begins one key too many: there may be 16 at most")
    } else {
        Ok(label)
    }
}

/// The label of a line that begins or ends a block.
fn label<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?.strip_prefix(word)?.strip_prefix(' ')?.strip_suffix("-----")
}

fn is_base64(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(body: &str) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    #[test]
    fn a_text_may_hold_several_keys() {
        let (one, two) = (key("AAAA\nBB=="), key("CCCC"));
        assert_eq!(blocks(&one), Ok(vec![(1, one.clone())]));
        assert_eq!(blocks(&format!("\n{one}\n \n{two}\n")), Ok(vec![(2, one.clone()), (8, two.clone())]));
        assert_eq!(blocks(&one.replace('\n', "\r\n  ")), Ok(vec![(1, one)]));
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line() {
        let one = key("AAAA");
        let many: String = (0..17).map(|n| key(&format!("A{n}"))).collect();
        for (text, line) in [
            (String::new(), 1),
            ("a secret".to_owned(), 1),
            (format!("# ours\n{one}"), 1),
            (format!("{one}and more\n"), 4),
            (format!("{one}{one}"), 4),
            (one.replace("AAAA", "AA AA"), 2),
            (one.replace("AAAA", ""), 2),
            (one.replace("END PUBLIC", "END OTHER"), 3),
            (one.replace("-----END PUBLIC KEY-----\n", ""), 1),
            (format!("{one}-----END PUBLIC KEY-----\n"), 4),
            (one.replace("-----END PUBLIC KEY-----\n", &one), 3),
            (format!("{one}{}", one.replace("PUBLIC", "PRIVATE")), 4),
            (one.replace("PUBLIC", "EC PRIVATE"), 1),
            (many, 49),
        ] {
            assert_eq!(blocks(&text).map_err(|wrong| wrong.line), Err(line), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_in_order(bodies in prop::collection::hash_set("[A-Za-z0-9+/]{4,64}", 1..=16)) {
            let keys: Vec<_> = bodies.iter().map(|body| key(body)).collect();
            let read: Vec<_> = blocks(&keys.join("\n")).unwrap().into_iter().map(|(_, pem)| pem).collect();
            prop_assert_eq!(read, keys);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\PC|\n|-----(BEGIN|END) [A-Z ]*-----)*") {
            let _ = blocks(&text);
        }
    }
}
