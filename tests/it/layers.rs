//! The line of dependencies, read from the sources: which module may import which, and no cycle between rooms.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{ROOT, architecture::sources};

/// The storeys from the bottom to the top. A module imports modules of the storeys below its own.
const LINE: &[&[&str]] = &[
    &["domain", "metrics", "client"],
    &["config"],
    &["frame", "message", "auth"],
    &["bus", "store"],
    &["live", "health"],
    &["actions"],
    &["http", "ingest", "tasks"],
    &["app"],
    &["cli"],
];

/// A file's module path below `crate`: `live::hub` of `live/hub/mod.rs`.
type Module = Vec<String>;

struct File {
    name: String,
    module: Module,
    imports: Vec<Module>,
    /// Names that the file offers from elsewhere, with where they stand.
    exports: BTreeMap<String, Module>,
}

fn split(path: &str) -> Module {
    path.split("::").map(|segment| segment.trim().to_owned()).collect()
}

fn module_of(name: &str) -> Module {
    let path = name.trim_end_matches(".rs").replace('/', "::");
    let path = path.strip_suffix("::mod").unwrap_or(&path);
    if path == "lib" || path == "main" { Vec::new() } else { split(path) }
}

/// The code of a file without comments and without its modules of tests.
fn code_of(text: &str) -> String {
    let mut kept = String::new();
    let mut in_tests = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let tests =
            line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'));
        in_tests = (in_tests || tests) && line != "}";
        if !in_tests && !line.trim_start().starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The paths of a `use` tree: `a::{b, c::{d, e}}` has three.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let inner = rest.rsplit_once('}').expect("a brace that closes").0;
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for character in inner.chars() {
        depth += i32::from(character == '{') - i32::from(character == '}');
        if character == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().expect("there is one").push(character);
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| leaves(part).into_iter().map(|leaf| format!("{prefix}{leaf}"))).collect()
}

/// A path of a file's code as a path below `crate`; none for one of another crate. `children` are the modules that the file
/// declares.
fn absolute(path: &str, module: &[String], children: &[&str]) -> Option<Module> {
    let path = path.split(" as ").next().expect("a path").trim().trim_end_matches("::self").trim_end_matches("::*");
    let mut segments = split(path);
    let mut base = match segments[0].as_str() {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len() - 1].to_vec(),
        child if children.contains(&child) => [module, &segments[..1]].concat(),
        _ => return None,
    };
    segments.remove(0);
    while segments.first().is_some_and(|segment| segment == "super") {
        base.pop();
        segments.remove(0);
    }
    base.extend(segments);
    Some(base)
}

/// Takes the `use` statements out of the code: each with whether it passes its names on, and what is left.
fn statements(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut found, mut rest, mut lines) = (Vec::new(), String::new(), code.lines());
    while let Some(line) = lines.next() {
        let Some((visibility, tree)) = line
            .split_once("use ")
            .filter(|(before, _)| matches!(before.trim(), "" | "pub" | "pub(crate)" | "pub(super)"))
        else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            tree.push_str(lines.next().expect("a statement that ends"));
        }
        found.push((visibility.contains("pub"), tree.replace(';', "")));
    }
    (found, rest)
}

/// The paths in code that begin with `first::`.
fn inline<'a>(code: &'a str, first: &'a str) -> impl Iterator<Item = &'a str> {
    let is_path = |character: char| character.is_alphanumeric() || "_:".contains(character);
    code.match_indices(first).filter_map(move |(at, _)| {
        let path = code[at..].split(|character| !is_path(character)).next()?;
        let begins =
            !code[..at].ends_with(is_path) && path.strip_prefix(first).is_some_and(|rest| rest.starts_with("::"));
        begins.then(|| path.trim_end_matches(':'))
    })
}

fn read(name: String, text: &str) -> File {
    let (module, code) = (module_of(&name), code_of(text));
    let (statements, rest) = statements(&code);
    let declared = rest.lines().filter_map(|line| line.trim_end_matches(';').split_once("mod "));
    let children: Vec<&str> =
        declared.filter(|(before, _)| matches!(*before, "" | "pub " | "pub(crate) ")).map(|(_, name)| name).collect();
    let (mut imports, mut exports) = (Vec::new(), BTreeMap::new());
    for (is_export, tree) in &statements {
        for path in leaves(tree).iter().filter_map(|leaf| absolute(leaf, &module, &children)) {
            if *is_export {
                exports.insert(path.last().expect("a name").clone(), path.clone());
            }
            imports.push(path);
        }
    }
    for first in ["crate", "self", "super"].iter().chain(&children) {
        imports.extend(inline(&rest, first).filter_map(|path| absolute(path, &module, &children)));
    }
    File { name, module, imports, exports }
}

fn files() -> Vec<File> {
    let source = Path::new(ROOT).join("src");
    let names =
        sources(&source).into_iter().map(|file| file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned());
    let of_tests = |name: &String| name.contains("tests/") || name.ends_with("tests.rs");
    let read = |name: String| read(name.clone(), &fs::read_to_string(source.join(&name)).unwrap());
    let files: Vec<File> = names.filter(|name| !of_tests(name)).map(read).collect();
    assert!(
        files.len() > 200 && files.iter().map(|file| file.imports.len()).sum::<usize>() > 1_000,
        "sources are read"
    );
    files
}

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
