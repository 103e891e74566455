//! The parser against the standard's examples, and against itself under every chunking.

use super::*;
use proptest::prelude::*;

type Parsed = (Vec<(String, String, String)>, String, Option<Duration>);

fn parse(chunks: &[&[u8]]) -> Parsed {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for chunk in chunks {
        parser.feed(chunk, |event| events.push((event.kind.into(), event.data.into(), event.id.into()))).unwrap();
    }
    (events, parser.last_event_id().to_owned(), parser.retry())
}

fn events(text: &str) -> Vec<(String, String, String)> {
    parse(&[text.as_bytes()]).0
}

fn event(kind: &str, data: &str, id: &str) -> (String, String, String) {
    (kind.into(), data.into(), id.into())
}

#[test]
fn lines_end_with_cr_lf_or_both() {
    for end in ["\n", "\r", "\r\n"] {
        let text = ["event: a", "data: 1", "data: 2", "id: x", "", "data: 3", "", ""].join(end);
        assert_eq!(events(&text), [event("a", "1\n2", "x"), event("message", "3", "x")], "{end:?}");
    }
}

#[test]
fn a_cr_at_the_end_of_a_chunk_and_its_lf_are_one_line_end() {
    let (events, ..) = parse(&[b"data: 1\r", b"\n", b"data: 2\r", b"", b"\n\r", b"\n"]);
    assert_eq!(events, [event("message", "1\n2", "")]);
}

#[test]
fn a_byte_order_mark_counts_only_at_the_very_start() {
    assert_eq!(events("\u{feff}data: 1\n\n"), [event("message", "1", "")]);
    assert_eq!(events("\u{feff}\u{feff}data: 1\n\n"), []);
    assert_eq!(events(":\n\u{feff}data: 1\n\n"), []);
}

#[test]
fn one_space_after_the_colon_is_dropped_and_no_more() {
    assert_eq!(events("data:a\ndata: b\ndata:  c\n\n"), [event("message", "a\nb\n c", "")]);
}

#[test]
fn the_standards_examples_hold() {
    assert_eq!(events("data\n\ndata\ndata\n\ndata:"), [event("message", "", ""), event("message", "\n", "")]);
    assert_eq!(
        events(": test\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n"),
        [event("message", "first", "1"), event("message", "second", ""), event("message", " third", "")]
    );
}

#[test]
fn a_block_without_data_is_no_event_but_moves_the_cursor() {
    let (events, id, _) = parse(&[b"id: e.5\n\nevent: x\n\ndata: 1\n\n"]);
    assert_eq!(events, [event("message", "1", "e.5")]);
    assert_eq!(id, "e.5");
}

#[test]
fn an_unfinished_block_neither_fires_nor_moves_the_cursor() {
    let (events, id, _) = parse(&[b"id: e.5\n\nid: e.6\ndata: 1\n"]);
    assert_eq!(events, []);
    assert_eq!(id, "e.5");
}

#[test]
fn an_id_with_a_null_is_ignored() {
    let (_, id, _) = parse(&[b"id: a\n\nid: b\0c\n\n"]);
    assert_eq!(id, "a");
}

#[test]
fn only_a_number_changes_the_retry_time() {
    let (.., retry) = parse(&[b"retry: 2381\nretry: 1x\nretry: -5\nretry:\nretry: 99999999999999999999999\n"]);
    assert_eq!(retry, Some(Duration::from_millis(2381)));
}

#[test]
fn bad_utf8_is_replaced_and_does_not_eat_the_line_end() {
    let (events, ..) = parse(&[b"data: a\xF0\x9F\n\n"]);
    assert_eq!(events, [event("message", "a\u{fffd}", "")]);
}

#[test]
fn a_reconnect_carries_its_cursor_on() {
    let mut parser = Parser::default().resuming("e.7");
    let mut ids = Vec::new();
    parser.feed(b"data: 1\n\n", |event| ids.push(event.id.to_owned())).unwrap();
    assert_eq!(ids, ["e.7"]);
}

#[test]
fn a_line_or_event_without_an_end_is_refused() {
    let mut parser = Parser::new(8);
    assert_eq!(parser.feed(b"data: 12345", |_| {}), Err(Oversized(8)));
    let mut parser = Parser::new(8);
    assert_eq!(parser.feed(b"data:123\ndata:456\ndata:7\n", |_| {}), Err(Oversized(8)));
}

const TOKENS: &[&[u8]] = &[
    b"data:",
    b"data: x",
    b"id: e.1",
    b"id:\0",
    b"event: state",
    b"retry: 17",
    b":",
    b"\r",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\xEF\xBB\xBF",
    b"\xF0\x9F\x98\x80",
    b"\xC3",
];

fn streams() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(TOKENS), 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn chunking_never_changes_the_events(stream in streams(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        ends.extend([0, stream.len()]);
        ends.sort_unstable();
        let chunks: Vec<&[u8]> = ends.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        let whole = parse(&[&stream]);
        prop_assert_eq!(&parse(&chunks), &whole);
        prop_assert_eq!(&parse(&single), &whole);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        parse(&[&bytes]);
    }
}
