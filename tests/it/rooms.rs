//! The rooms of the store import each other in one direction, so none of them is part of a cycle.

use std::{
    fs,
    path::{Path, PathBuf},
};

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store");

/// From the bottom up: a room imports only from the floors below its own.
const FLOORS: [&[&str]; 7] = [
    &["schema", "database"],
    &["content"],
    &["log"],
    &["handle"],
    &["inbox", "topics", "settings", "access"],
    &["publish", "presence"],
    &["fanouts", "timed"],
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// What a file names directly below `store::`, alone or in braces.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, word) in code.match_indices("store::") {
        let rest = &code[start + word.len()..];
        if !rest.starts_with('{') {
            found.extend(identifiers(rest).next());
            continue;
        }
        let mut depth = 0;
        let mut at_name = false;
        for (index, character) in rest.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            at_name |= matches!(character, '{' | ',') && depth == 1;
            if at_name && character.is_alphabetic() {
                found.extend(identifiers(&rest[index..]).next());
                at_name = false;
            }
        }
    }
    found
}

fn identifiers(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').map(str::to_owned)
}

#[test]
fn rooms_of_the_store_import_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for file in sources(Path::new(STORE)) {
        let name = file.strip_prefix(STORE).unwrap().to_str().unwrap().to_owned();
        if name == "mod.rs" {
            continue;
        }
        let room = name.split(['/', '.']).next().unwrap();
        let own = floor(room).unwrap_or_else(|| panic!("{room} has no floor"));
        let text = fs::read_to_string(&file).unwrap();
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for import in imports(&code) {
            // A name of no room comes from `store/mod.rs`, which imports all rooms.
            let is_below = floor(&import).is_some_and(|floor| floor < own);
            if import != room && !is_below {
                wrong.push(format!("{name} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_read_alone_and_in_braces() {
    let code =
        "use crate::store::log::page; use crate::{x::Y, store::{database::{a, b}, handle::Store, schema::{c}}, z}; d";
    assert_eq!(imports(code), ["log", "database", "handle", "schema"]);
}
