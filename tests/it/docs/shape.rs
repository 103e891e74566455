//! Whether an output agrees with a page: the same except for ids, times, the first part of cursors, and delays.

use chrono::{DateTime, NaiveTime};
use serde_json::Value;
use uuid::Uuid;

/// The end of a text of which only the beginning is shown.
const CUT: &str = "...";
/// Fields with a number that the server draws.
const DRAWN: &[&str] = &["retryMs"];

/// Whether the output holds the same JSON, value by value.
pub fn json_agrees(shown: &str, found: &str) -> bool {
    let values =
        |text: &str| serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>().ok();
    match (values(shown), values(found)) {
        (Some(shown), Some(found)) => shown.len() == found.len() && shown.iter().zip(&found).all(|(a, b)| same(a, b)),
        _ => false,
    }
}

/// Whether the lines that are shown are in the output, in their order; other lines may be between them.
pub fn text_agrees(shown: &str, found: &str) -> bool {
    let mut found = found.lines();
    let mut wanted = shown.lines().filter(|line| !line.trim().is_empty());
    wanted.all(|line| found.any(|other| same_line(line.trim_end(), other.trim_end())))
}

fn same_line(shown: &str, found: &str) -> bool {
    for field in ["data: ", ""] {
        let value = |line: &str| serde_json::from_str::<Value>(line.strip_prefix(field)?).ok();
        if let (Some(shown), Some(found)) = (value(shown), value(found)) {
            return same(&shown, &found);
        }
    }
    same_text(shown, found)
}

fn same(shown: &Value, found: &Value) -> bool {
    match (shown, found) {
        (Value::Object(shown), Value::Object(found)) => {
            let agrees = |(name, value): (&String, &Value)| {
                found.get(name).is_some_and(|other| same(value, other) || (DRAWN.contains(&&**name) && other.is_u64()))
            };
            shown.len() == found.len() && shown.iter().all(agrees)
        }
        (Value::Array(shown), Value::Array(found)) => {
            shown.len() == found.len() && shown.iter().zip(found).all(|(shown, found)| same(shown, found))
        }
        (Value::String(shown), Value::String(found)) => same_text(shown, found),
        _ => shown == found,
    }
}

fn same_text(shown: &str, found: &str) -> bool {
    match shown.strip_suffix(CUT) {
        Some(beginning) => found.starts_with(beginning),
        None => canonical(shown) == canonical(found),
    }
}

/// A text with a name instead of each word that differs from run to run.
fn canonical(text: &str) -> String {
    if text.strip_prefix("retry: ").is_some_and(|delay| delay.parse::<u64>().is_ok()) {
        return "retry: <delay>".to_owned();
    }
    let is_word = |character: char| character.is_ascii_alphanumeric() || "_.:+-".contains(character);
    let mut canonical = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let end = rest[start..].find(|character| !is_word(character)).map_or(rest.len(), |length| start + length);
        canonical.push_str(&rest[..start]);
        canonical.push_str(&name_of(&rest[start..end]));
        rest = &rest[end..];
    }
    canonical + rest
}

fn name_of(word: &str) -> String {
    if Uuid::try_parse(word).is_ok() {
        return "<id>".to_owned();
    }
    if DateTime::parse_from_rfc3339(word).is_ok() || NaiveTime::parse_from_str(word, "%H:%M:%S").is_ok() {
        return "<time>".to_owned();
    }
    match word.split_once('.') {
        Some((epoch, seq)) if is_epoch(epoch) && seq.parse::<u64>().is_ok() => format!("<epoch>.{seq}"),
        _ => word.to_owned(),
    }
}

fn is_epoch(text: &str) -> bool {
    (8..=24).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[test]
fn only_words_that_differ_from_run_to_run_are_skipped() {
    let item = |id: &str, at: &str, cursor: &str, title: &str| {
        format!(r#"{{"id":"{id}","createdAt":"{at}","cursor":"{cursor}","title":"{title}","retryMs":{}}}"#, id.len())
    };
    let (one, other) = ("01a1fd8b-3bb8-714c-952f-5b26408629a5", "01a1ff44-b67d-7550-a301-3b243b40cc17");
    let shown = item(one, "2026-11-21T09:00:00Z", "3f9a01b2c7.4", "Paid");
    assert!(json_agrees(&shown, &item(other, "2027-01-02T03:04:05.678901Z", "0123456789.4", "Paid")));
    assert!(!json_agrees(&shown, &item(other, "2027-01-02T03:04:05Z", "0123456789.5", "Paid")), "another position");
    assert!(!json_agrees(&shown, &item(other, "2027-01-02T03:04:05Z", "0123456789.4", "Lost")), "another title");
    assert!(!json_agrees(&shown, &item("7", "2027-01-02T03:04:05Z", "0123456789.4", "Paid")), "no id");
    assert!(!json_agrees(r#"{"a":1}"#, r#"{"a":1,"b":2}"#) && !json_agrees("1 2", "1"));
    assert!(
        json_agrees(r#"{"ticket":"..."}"#, r#"{"ticket":"x"}"#)
            && !json_agrees(r#"{"ticket":"..."}"#, r#"{"ticket":1}"#)
    );
    let frames = "retry: 2000\n\nid: 3f9a01b2c7.4\nevent: state\ndata: {\"read\":true}\n";
    assert!(text_agrees(frames, "retry: 3999\nid: aaaaaaaaaa.4\nevent: state\ndata: {\"read\": true}\n"));
    assert!(
        !text_agrees(frames, "id: aaaaaaaaaa.4\nretry: 3999\nevent: state\ndata: {\"read\":true}\n"),
        "another order"
    );
    assert!(text_agrees(
        "-- fresh at 3f9a01b2c7.0, 1 unread\n09:30:00  high",
        "x\n-- fresh at aaaaaaaaaa.0, 1 unread\n10:00:00  high"
    ));
}
