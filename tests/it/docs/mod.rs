//! The documents: every shell block runs, every link leads somewhere, every sentence is short, every table agrees with the code.
//!
//! [`block`] reads the fenced blocks of a page, [`session`] runs them, [`shape`] compares their outputs. A page is proved
//! by a test of its own in [`pages`].

mod block;
mod links;
mod pages;
mod prose;
mod session;
mod shape;
mod stage;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Pages that are made from the code: their words are those of the code.
const GENERATED: &[&str] = &["docs/settings.md", "docs/metrics.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page by its path in the repository.
#[track_caller]
fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// All pages of `docs/`, by their paths in the repository.
fn docs() -> Vec<String> {
    let entries = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut names: Vec<_> =
        pages.map(|path: PathBuf| format!("docs/{}", path.file_name().unwrap().display())).collect();
    names.sort();
    names
}

/// All pages that people read: those of `docs/` and the two at the top.
fn everything() -> Vec<String> {
    let mut names = docs();
    names.extend(["README.md", "ARCHITECTURE.md"].map(str::to_owned));
    names
}
