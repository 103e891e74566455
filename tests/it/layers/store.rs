//! The rooms of the store import each other in one direction, so none of them is part of a cycle.

use std::collections::BTreeSet;

use super::imports::{File, files, read};

/// The floors from the bottom to the top. A room imports rooms of the floors below its own.
const FLOORS: &[&[&str]] = &[
    &["schema"],
    &["database"],
    &["content"],
    &["log"],
    &["handle"],
    &["inbox", "topics", "settings", "access", "relay", "inlet"],
    &["publish", "presence"],
    &["fanouts", "timed"],
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Imports of a file below `store` that do not lead to a floor below its own. A name of no room comes from `store/mod.rs`, which
/// imports all rooms.
fn wrong_imports(file: &File) -> BTreeSet<String> {
    let Some(room) = file.module.get(1).filter(|_| file.module[0] == "store") else { return BTreeSet::new() };
    let own = floor(room).unwrap_or_else(|| panic!("{room} has no floor"));
    let inside = file.imports.iter().filter(|import| import.first().is_some_and(|first| first == "store"));
    let names = inside.filter_map(|import| import.get(1));
    let wrong = names.filter(|name| *name != room && floor(name).is_none_or(|floor| floor >= own));
    wrong.map(|name| format!("{} imports {name}", file.name)).collect()
}

#[test]
fn rooms_of_the_store_import_only_what_lies_below_them() {
    let wrong: BTreeSet<String> = files().iter().flat_map(wrong_imports).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_import_of_the_same_floor_or_of_one_above_is_found() {
    let text = "use crate::{domain::lock, store::{Store, database::pool, log::{self, page}, schema::inbox}};\n\
                use super::list;\nfn f() { crate::store::timed::run() }\n";
    let wrong = wrong_imports(&read("store/log/streams.rs".to_owned(), text));
    assert_eq!(wrong, ["Store", "timed"].map(|name| format!("store/log/streams.rs imports {name}")).into());
    let wrong = wrong_imports(&read("store/topics/kinds.rs".to_owned(), "use crate::store::inbox::list;\n"));
    assert_eq!(wrong, ["store/topics/kinds.rs imports inbox".to_owned()].into());
    assert_eq!(wrong_imports(&read("http/inbox.rs".to_owned(), text)), BTreeSet::new());
}
