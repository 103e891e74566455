//! The imports of every source file: its `use` statements, and the paths inside its code.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{ROOT, architecture::sources};

/// A file's module path below `crate`: `live::hub` of `live/hub/mod.rs`.
pub type Module = Vec<String>;

pub struct File {
    pub name: String,
    pub module: Module,
    pub imports: Vec<Module>,
    /// Names that the file offers from elsewhere, with where they stand.
    pub exports: BTreeMap<String, Module>,
}

pub fn split(path: &str) -> Module {
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
            kept.push_str(&without_scope(line));
            kept.push('\n');
        }
    }
    kept
}

/// A line without the path of `pub(in path)`, which says for whom an item is and imports nothing.
fn without_scope(line: &str) -> String {
    let scoped = line.split_once("pub(in ").and_then(|(before, rest)| Some((before, rest.split_once(')')?.1)));
    scoped.map_or_else(|| line.to_owned(), |(before, rest)| format!("{before}pub{rest}"))
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

pub fn read(name: String, text: &str) -> File {
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

pub fn files() -> Vec<File> {
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
