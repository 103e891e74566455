//! The line of dependencies, read from the sources: which module may import which, and no cycle between rooms.

mod imports;
mod store;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use self::imports::{File, Module, files, read, split};
use crate::ROOT;

/// The storeys from the bottom to the top. A module imports modules of the storeys below its own.
const LINE: &[&[&str]] = &[
    &["domain", "metrics", "client"],
    &["config"],
    &["frame", "message", "auth"],
    &["store"],
    &["bus"],
    &["live", "health"],
    &["actions"],
    &["http", "ingest", "tasks"],
    &["app"],
    &["cli"],
];

fn storey(module: &str) -> usize {
    LINE.iter().position(|storey| storey.contains(&module)).unwrap_or_else(|| panic!("{module} stands in no storey"))
}

#[test]
fn imports_go_down_the_line() {
    let mut wrong = BTreeSet::new();
    for file in files() {
        let Some(own) = file.module.first() else { continue };
        for import in file.imports.iter().filter(|import| !import.is_empty() && import[0] != *own) {
            if storey(&import[0]) >= storey(own) {
                wrong.insert(format!("{} imports {}", file.name, import.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "against the line: {wrong:#?}");
}

/// The directory that a file belongs to, at most two levels deep: `live/hub` of `live/hub/rooms/state.rs`.
fn room(file: &File) -> String {
    let is_directory = Path::new(ROOT).join("src").join(file.module.join("/")).is_dir();
    let depth = if is_directory { file.module.len() } else { file.module.len().saturating_sub(1) };
    file.module[..depth.min(2)].join("/")
}

/// Whether two rooms differ and neither is inside the other: a room may use the words of the one that it is a part of.
fn are_apart(one: &str, other: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !inside(one, other) && !inside(other, one)
}

/// The file in which an imported path stands; a name that a module only passes on stands where it comes from.
fn target<'a>(path: &[String], by_module: &BTreeMap<&[String], &'a File>) -> Option<&'a File> {
    let length = (1..=path.len()).rev().find(|length| by_module.contains_key(&path[..*length]))?;
    let file = by_module[&path[..length]];
    match path.get(length).and_then(|name| file.exports.get(name)) {
        Some(origin) if origin != path => target(origin, by_module),
        _ => Some(file),
    }
}

#[test]
fn no_cycle_joins_files_of_different_rooms() {
    let files = files();
    let by_module: BTreeMap<&[String], &File> = files.iter().map(|file| (file.module.as_slice(), file)).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in &files {
        let passed_on: BTreeSet<&Module> = file.exports.values().collect();
        let used = file.imports.iter().filter(|import| !passed_on.contains(import));
        let targets = used.filter_map(|import| target(import, &by_module)).map(|target| target.name.as_str());
        edges.entry(&file.name).or_default().extend(targets.filter(|name| *name != file.name));
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|name| (*name, reachable(name, &edges))).collect();
    let rooms: BTreeMap<&str, String> = files.iter().map(|file| (file.name.as_str(), room(file))).collect();
    let mut cycles = BTreeSet::new();
    for (from, targets) in &edges {
        let back = targets.iter().filter(|to| are_apart(&rooms[from], &rooms[*to]) && reached[*to].contains(from));
        cycles.extend(back.map(|to| format!("{from} imports {to}, and is reached from it")));
    }
    assert!(cycles.is_empty(), "cycles: {cycles:#?}");
}

fn reachable<'a>(from: &str, edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = edges[from].iter().copied().collect();
    while let Some(name) = open.pop() {
        if found.insert(name) {
            open.extend(edges[name].iter().copied());
        }
    }
    found
}

#[test]
fn a_wrong_import_is_found() {
    let text = "use crate::{http::Parts, store::{Store, log::{self, page}}};\nfn f() { crate::app::run() }\n\
                // use crate::cli::X;\n#[cfg(test)]\nmod tests {\n    use crate::tasks::T;\n}\n";
    let imports = read("live/hub/mod.rs".to_owned(), text).imports;
    let imports: BTreeSet<String> = imports.iter().map(|import| import.join("::")).collect();
    let wanted = ["app::run", "http::Parts", "store::Store", "store::log", "store::log::page"];
    assert_eq!(imports.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
    assert!(storey("http") >= storey("live") && storey("app") >= storey("live") && storey("store") < storey("live"));
    let relative =
        read("live/hub/rooms.rs".to_owned(), "use super::{Feed, member::Member};\npub use self::state::State;\n");
    assert_eq!(
        relative.imports,
        ["live::hub::Feed", "live::hub::member::Member", "live::hub::rooms::state::State"].map(split)
    );
    assert_eq!(relative.exports["State"], split("live::hub::rooms::state::State"));
}
