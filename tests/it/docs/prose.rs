//! Short sentences, short paragraphs, a short first page.

use super::{GENERATED, everything, read};

const SENTENCE_WORDS: usize = 30;
const PARAGRAPH_WORDS: usize = 80;
const README_LINES: usize = 150;

/// The lines of a page outside of its blocks, with their numbers.
pub fn lines(page: &str) -> Vec<(usize, &str)> {
    let mut is_block = false;
    let outside = |(_, line): &(usize, &str)| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        !is_block && !is_fence
    };
    page.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(outside).collect()
}

/// A line with one word instead of each piece of code.
pub fn without_code(line: &str) -> String {
    let parts: Vec<_> = line.split('`').collect();
    let word = |(index, part): (usize, &&str)| if index % 2 == 1 { "code".to_owned() } else { (*part).to_owned() };
    parts.iter().enumerate().map(word).collect()
}

/// Paragraphs, items of lists and cells of tables, each with the line on which it begins.
fn paragraphs(page: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (number, line) in lines(page) {
        let text = without_code(&line.replace("\\|", "/"));
        let is_code = !is_open && text.starts_with("    ");
        let text = text.trim();
        if let Some(row) = text.strip_prefix('|') {
            found.extend(row.split('|').map(|cell| (number, cell.to_owned())));
            is_open = false;
        } else if is_code || text.is_empty() || text.starts_with('#') || text.starts_with("<!--") {
            is_open = false;
        } else if is_open && !is_item(text) {
            let (_, paragraph) = found.last_mut().unwrap();
            paragraph.push(' ');
            paragraph.push_str(text);
        } else {
            found.push((number, text.to_owned()));
            is_open = true;
        }
    }
    found
}

fn is_item(text: &str) -> bool {
    let numbered = text.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    text.starts_with("- ") || text.starts_with("* ") || numbered
}

/// How many words a text has; the target of a link is none.
fn words(text: &str) -> usize {
    let mut told = String::new();
    let mut parts = text.split("](");
    told += parts.next().unwrap_or_default();
    parts.for_each(|part| told += part.split_once(')').map_or(part, |(_, rest)| rest));
    told.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

fn sentences(paragraph: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    for word in paragraph.split_whitespace() {
        let sentence = sentences.last_mut().unwrap();
        sentence.push(' ');
        sentence.push_str(word);
        if word.trim_end_matches([')', '"', '*']).ends_with(['.', '!', '?']) {
            sentences.push(String::new());
        }
    }
    sentences
}

fn faults(page: &str) -> Vec<String> {
    let text = read(page);
    let mut found = Vec::new();
    for (line, paragraph) in paragraphs(&text) {
        if words(&paragraph) > PARAGRAPH_WORDS {
            found.push(format!("{page}:{line}: a paragraph of {} words", words(&paragraph)));
        }
        for sentence in sentences(&paragraph).iter().filter(|sentence| words(sentence) > SENTENCE_WORDS) {
            found.push(format!("{page}:{line}: a sentence of {} words:{sentence}", words(sentence)));
        }
    }
    found
}

#[test]
fn sentences_and_paragraphs_are_short() {
    let pages = everything().into_iter().filter(|page| !GENERATED.contains(&page.as_str()));
    let found: Vec<_> = pages.flat_map(|page| faults(&page)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_first_page_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines, {README_LINES} at most");
}

#[test]
fn words_are_counted_as_a_reader_does() {
    let page = "One `a b c` two\nthree. Four [five six](x.md#y) - seven!\n\n- Item\n  goes on\n- next\n\n| a | b c |\n| --- | --- |\n\n\
                ```sh\nnot this\n```\n\n    nor this\n    or that\n";
    let found = paragraphs(page);
    let counted: Vec<_> =
        found.iter().map(|(line, text)| (*line, words(text))).filter(|(_, words)| *words > 0).collect();
    assert_eq!(counted, [(1, 8), (4, 3), (6, 1), (8, 1), (8, 2)]);
    assert_eq!(sentences(&found[0].1).iter().map(|text| words(text)).collect::<Vec<_>>(), [4, 4, 0]);
}
