//! Line breaks that JSON leaves as they are: U+0085, U+2028 and U+2029. Clients that split a stream by the lines of Unicode, such as
//! `splitlines` of Python does, would cut an event there, so everything that is sent has them as escapes.

use memchr::memchr2;

/// The bytes of one, and its escape.
type Break = (&'static [u8], &'static [u8]);

/// Outside of strings JSON has none of them.
const BREAKS: [Break; 3] =
    [("\u{85}".as_bytes(), br"\u0085"), ("\u{2028}".as_bytes(), br"\u2028"), ("\u{2029}".as_bytes(), br"\u2029")];

/// Escapes them in the JSON that begins at this place of a text.
pub(super) fn escape(text: &mut Vec<u8>, start: usize) {
    let Some((first, _)) = text.get(start..).and_then(find) else { return };
    let json = text.split_off(start + first);
    let mut rest = json.as_slice();
    while let Some((at, (found, written))) = find(rest) {
        text.extend_from_slice(&rest[..at]);
        text.extend_from_slice(written);
        rest = &rest[at + found.len()..];
    }
    text.extend_from_slice(rest);
}

/// The same in JSON that goes out by itself.
pub fn escaped(json: String) -> String {
    if find(json.as_bytes()).is_none() {
        return json;
    }
    let mut text = json.into_bytes();
    escape(&mut text, 0);
    // Whole characters were replaced by ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// The first of them and where it stands.
fn find(text: &[u8]) -> Option<(usize, Break)> {
    let mut from = 0;
    loop {
        // They begin with one of two bytes, which only begin characters.
        from += memchr2(0xc2, 0xe2, text.get(from..)?)?;
        if let Some(known) = BREAKS.into_iter().find(|(found, _)| text[from..].starts_with(found)) {
            return Some((from, known));
        }
        from += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_is_escaped_and_nothing_else() {
        let json = "\"a\u{85}b\u{2028}\u{2029}\u{2027}\u{202a}\u{84}é€\u{2028}\"";
        let due = "\"a\\u0085b\\u2028\\u2029\u{2027}\u{202a}\u{84}é€\\u2028\"";
        assert_eq!(escaped(json.to_owned()), due);
        let mut text = format!("\u{2028}{json}").into_bytes();
        escape(&mut text, '\u{2028}'.len_utf8());
        assert_eq!(text, format!("\u{2028}{due}").into_bytes(), "what stands before the place is left alone");
    }

    proptest! {
        #[test]
        fn the_value_stays_and_the_text_is_one_line(value in "(\\PC|[\\u{85}\\u{2028}\\u{2029}\\\\\"])*") {
            let text = escaped(serde_json::to_string(&value).unwrap());
            prop_assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
            let raw = text.contains(['\u{85}', '\u{2028}', '\u{2029}']);
            prop_assert!(!raw);
        }
    }
}
