//! Links: every file and heading that a page names is there, and the index leads to every page.

use std::{collections::BTreeSet, path::Path};

use super::{docs, everything, prose, read, root};

/// The targets of a page's links and pictures.
fn targets(page: &str) -> Vec<String> {
    let text: String = prose::lines(page).into_iter().map(|(_, line)| prose::without_code(line) + "\n").collect();
    let after = text.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The names by which the headings of a page are linked to.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose::lines(page).into_iter().filter_map(|(_, line)| line.strip_prefix('#'));
    headings.map(|heading| anchor(heading.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    heading
        .to_lowercase()
        .chars()
        .filter(kept)
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

/// Why a link of a page leads nowhere, if it does.
fn fault(page: &str, target: &str) -> Option<String> {
    if target.contains("://") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = match path {
        "" => root().join(page),
        path => root().join(page).parent().unwrap_or(Path::new("")).join(path),
    };
    if !file.exists() {
        return Some(format!("{page}: there is no {target}"));
    }
    let is_there =
        heading.is_empty() || std::fs::read_to_string(file).is_ok_and(|text| anchors(&text).contains(heading));
    (!is_there).then(|| format!("{page}: there is no heading {target}"))
}

#[test]
fn every_link_leads_somewhere() {
    let faults =
        |page: &String| targets(&read(page)).iter().filter_map(|target| fault(page, target)).collect::<Vec<_>>();
    let found: Vec<_> = everything().iter().flat_map(faults).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_index_leads_to_every_page() {
    let listed: BTreeSet<_> = targets(&read("docs/README.md")).iter().map(|target| format!("docs/{target}")).collect();
    let missing: Vec<_> =
        docs().into_iter().filter(|page| page != "docs/README.md" && !listed.contains(page)).collect();
    assert_eq!(missing, [""; 0], "docs/README.md does not link to these");
}

#[test]
fn links_are_found_outside_of_code() {
    let page = "See [a](a.md#b-c) and `[no](x.md)`.\n\n```sh\n[no](y.md)\n```\n\n## B, `c`!\n\n![p](p.png)\n";
    assert_eq!(targets(page), ["a.md#b-c", "p.png"]);
    assert_eq!(anchors(page), BTreeSet::from(["b-c".to_owned()]));
}
