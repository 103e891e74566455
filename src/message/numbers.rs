//! Numbers of `data` that would not keep their value: they are refused, because a publisher would never learn of the change.
//!
//! A whole number from -2^63 to 2^64 - 1 is kept as it is, every other number as a double (IEEE 754). A double stands for what the
//! publisher wrote if its shortest text has the same value; readers of JSON in most languages would keep no more.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Number, value::RawValue};

use super::{
    check::DATA_DEPTH,
    problem::{Problem, Problems, escape},
};

/// Up to so many characters a number without an exponent has 15 digits at most, which every double keeps.
const CERTAIN: usize = 16;
/// Most characters of a number that an error repeats.
const SHOWN: usize = 40;

/// Finds the first number in the field `data` of a body that would not keep its value.
pub(super) fn altered(body: &[u8]) -> Option<Problem> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    // Most bodies have none anywhere, and to know that takes one look at each byte.
    if !any_altered(body) {
        return None;
    }
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    find(body.data?, "/data", 0)
}

/// What is wrong with a body that could not be read: a number that no double holds, or what was found.
pub(super) fn or_altered(body: &[u8], found: Problems) -> Problems {
    altered(body).map_or(found, |problem| Problems(vec![problem]))
}

/// Whether any number of a JSON text would not keep its value.
fn any_altered(mut text: &[u8]) -> bool {
    while let Some((first, rest)) = text.split_first() {
        text = match first {
            b'"' => behind_string(rest),
            b'-' | b'0'..=b'9' => {
                let end = text.iter().position(|byte| !is_of_number(*byte)).unwrap_or(text.len());
                let (number, rest) = text.split_at(end);
                if str::from_utf8(number).is_ok_and(is_altered) {
                    return true;
                }
                rest
            }
            _ => rest,
        };
    }
    false
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+-.eE".contains(&byte)
}

/// What follows a string whose first quote was passed.
fn behind_string(mut text: &[u8]) -> &[u8] {
    while let Some(end) = text.iter().position(|byte| b"\"\\".contains(byte)) {
        let escapes = text[end] == b'\\';
        text = text.get(end + 1 + usize::from(escapes)..).unwrap_or_default();
        if !escapes {
            return text;
        }
    }
    &[]
}

/// Looks into a value; recursion ends where `data` may not go on.
fn find(value: &RawValue, pointer: &str, depth: usize) -> Option<Problem> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'{' | b'[' if depth == DATA_DEPTH => None,
        b'{' => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            fields.iter().find_map(|(key, field)| find(field, &format!("{pointer}/{}", escape(key)), depth + 1))
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            items.iter().enumerate().find_map(|(index, item)| find(item, &format!("{pointer}/{index}"), depth + 1))
        }
        b'-' | b'0'..=b'9' if is_altered(text) => Some(Problem {
            pointer: pointer.to_owned(),
            detail: format!(
                "the number {} would not keep its value: write it as a text, or as a whole number from -2^63 to 2^64 - 1, or with as many \
                 digits as a double has",
                shown(text)
            ),
        }),
        _ => None,
    }
}

fn shown(number: &str) -> String {
    if number.len() <= SHOWN { number.to_owned() } else { format!("{}...", &number[..SHOWN]) }
}

/// Whether a number of JSON has another value after it was read.
fn is_altered(number: &str) -> bool {
    let has_exponent = number.contains(['e', 'E']);
    if (number.len() <= CERTAIN && !has_exponent) || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return false;
    }
    // Of two shortest texts of a double, the one that readers get counts.
    let double = number.parse().ok().and_then(Number::from_f64);
    double.is_none_or(|double| Decimal::of(number) != Decimal::of(&double.to_string()))
}

/// The value of a number, whatever it was written like; the sign is left out, because reading keeps it.
#[derive(PartialEq, Eq)]
struct Decimal {
    /// Without zeros at either end; empty for zero.
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    fn of(number: &str) -> Self {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole.trim_start_matches('-'), fraction].concat();
        let digits = all.trim_end_matches('0');
        // One that is out of any bounds belongs to a number that is zero, or to no double.
        let exponent: i64 = exponent.parse().unwrap_or(i64::from(i32::MAX));
        let behind = all.len() as i64 - digits.len() as i64 - fraction.len() as i64;
        let digits = digits.trim_start_matches('0').to_owned();
        let exponent = if digits.is_empty() { 0 } else { exponent.saturating_add(behind) };
        Self { digits, exponent }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn place(data: &str) -> Option<String> {
        altered(format!(r#"{{"title":"1e-400","data":{data},"other":1e-400}}"#).as_bytes()).map(|found| found.pointer)
    }

    #[test]
    fn numbers_that_keep_their_value_are_taken() {
        for number in [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "0e999999999999999999999",
            "1",
            "-1",
            "120.50",
            "18446744073709551615",
            "-9223372036854775808",
            "9007199254740993",
            "1e20",
            "100000000000000000000",
            "1E+2",
            "1.7976931348623157e308",
            "5e-324",
            "0.1",
            "1e-7",
            "0.30000000000000004",
            "2.2250738585072014E-308",
            "123456789012345.6",
            "1.000000000000000000000000",
        ] {
            assert_eq!(place(number), None, "{number}");
            assert_eq!(place(&format!(r#"[{{"a":"\\","b":{number}}}]"#)), None, "{number}");
        }
    }

    #[test]
    fn numbers_that_would_change_are_named_by_their_place() {
        for number in [
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "1e-400",
            "-1e-400",
            "1e400",
            "-1e400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0.1234567890123456789",
            "12345678901234567.5",
            "1e23456",
            "3.14159265358979323846",
            "4e-324",
            "1.7976931348623157e309",
        ] {
            assert_eq!(place(number).as_deref(), Some("/data"), "{number}");
            let deep = format!(r#"{{"x":"\"7","a/b":[1,"2e-400",{{"~":{number}}}]}}"#);
            assert_eq!(place(&deep).as_deref(), Some("/data/a~1b/2/~0"), "{number}");
        }
        let long = altered(format!(r#"{{"data":{}}}"#, "7".repeat(5_000)).as_bytes()).unwrap();
        assert!(long.detail.len() < 300 && long.detail.contains("7777..."), "{}", long.detail);
    }

    #[test]
    fn what_is_no_data_is_no_concern_and_depth_is_bounded() {
        assert_eq!(altered(br#"{"data":{},"x":1e-400}"#), None);
        assert_eq!(altered(br#"{"data":{"a":1e-400,"a":1}}"#), None, "the last of a repeated name counts");
        assert_eq!(altered(b"1e-400"), None);
        let nested = |depth: usize| format!(r#"{{"data":{}1e-400{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(altered(nested(DATA_DEPTH).as_bytes()).is_some());
        assert_eq!(altered(nested(200_000).as_bytes()), None);
    }

    #[test]
    fn of_two_shortest_texts_of_a_double_the_one_that_readers_get_is_taken() {
        let refused = ["1615231779454563.3", "1615231779454563.25"].map(|text| place(text).is_some());
        assert_eq!((place("1615231779454563.2"), refused), (None, [true, true]));
    }

    proptest! {
        #[test]
        fn every_double_is_taken_and_reads_back_as_itself(double in any::<f64>()) {
            let Some(number) = serde_json::Number::from_f64(double) else { return Ok(()) };
            let text = number.to_string();
            prop_assert_eq!(place(&text), None);
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value.as_f64(), Some(double));
        }

        #[test]
        fn what_is_taken_reads_as_the_same_decimal(text in "-?(0|[1-9][0-9]{0,22})(\\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?") {
            let read: Option<Value> = serde_json::from_str(&text).ok();
            let same = read.is_some_and(|value| Decimal::of(&value.to_string()) == Decimal::of(&text));
            prop_assert_eq!(place(&text).is_none(), same, "{}", text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|[\\{\\}\\[\\]\":,a-z0-9eE+.\\\\-]*") {
            let _ = altered(text.as_bytes());
            let _ = altered(format!("{{\"data\":{text}}}").as_bytes());
        }
    }
}
