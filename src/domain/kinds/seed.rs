//! The kinds of every tenant: the shipped file, or the operator's own.

use std::{collections::BTreeMap, sync::Arc};

use toml::Table;

use super::Definition;
use crate::domain::{
    problem::{self, Problems},
    text::{Malformed, word},
};

/// The file that is in force when no other is named.
pub const SHIPPED: &str = include_str!("seed.toml");

/// Kinds by name; cheap to clone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seed(Arc<BTreeMap<String, Arc<Definition>>>);

impl Seed {
    /// Reads a TOML file: a table for each kind, whose keys are those of the API.
    ///
    /// # Errors
    /// Names everything that is wrong with it, by kind and key.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            vec![format!("line {}: {}", before.lines().count().max(1), error.message())]
        })?;
        let (mut kinds, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, value) in table {
            match definition(&name, &value) {
                Ok(definition) => drop(kinds.insert(name, Arc::new(definition))),
                Err(Problems(problems)) => {
                    let line = |each: problem::Problem| format!("{name:?}{}: {}", dotted(&each.pointer), each.detail);
                    wrong.extend(problems.into_iter().map(line));
                }
            }
        }
        if wrong.is_empty() { Ok(Self(Arc::new(kinds))) } else { Err(wrong) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

fn definition(name: &str, value: &toml::Value) -> Result<Definition, Problems> {
    word(name).map_err(|Malformed(detail)| Problems::one("", detail))?;
    let value = serde_json::to_value(value).map_err(|error| Problems::one("", error.to_string()))?;
    if !value.is_object() {
        return Err(Problems::one("", "must be a table"));
    }
    let definition: Definition = problem::from_value(&value)?;
    definition.check().map(|()| definition)
}

/// A pointer as TOML writes the way to a key.
fn dotted(pointer: &str) -> String {
    pointer.replace('/', ".")
}
