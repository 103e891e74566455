//! The faults of a document by JSON pointer, and the deserializing that finds them.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::domain::text::Malformed;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SettingsProblem)]
pub struct Problem {
    /// JSON pointer to the fault, such as `/title`; empty for the body as a whole.
    pub pointer: String,
    /// The fault, with the bound that was broken.
    pub detail: String,
}

/// All faults of one document: at least one, if it is returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// A single problem.
    pub(crate) fn one(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(vec![Problem { pointer: pointer.into(), detail: detail.into() }])
    }

    /// Adds the fault at a pointer, if there is one.
    pub(crate) fn note(&mut self, pointer: impl Into<String>, result: Result<(), Malformed>) {
        if let Err(Malformed(detail)) = result {
            self.add(pointer, detail);
        }
    }

    /// Notes something that is wrong.
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Problem { pointer: pointer.into(), detail: detail.into() });
    }

    /// All that was noted, as an error; nothing, when nothing was.
    ///
    /// # Errors
    /// When something was noted.
    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The same problems, one level deeper.
    pub(crate) fn below(mut self, prefix: &str) -> Self {
        for problem in &mut self.0 {
            problem.pointer.insert_str(0, prefix);
        }
        self
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { pointer, detail }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let colon = if pointer.is_empty() { "" } else { ": " };
            write!(f, "{separator}{pointer}{colon}{detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Reads JSON and names faults by JSON pointer. Keeping track of the pointer doubles the work and most bodies are valid, so
/// only the invalid ones are read with it.
pub(crate) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problems> {
    serde_json::from_slice(bytes).or_else(|_| deserialize_with_path(bytes))
}

fn deserialize_with_path<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problems> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Problems::one(pointer(error.path()), error.inner().to_string()))?;
    json.end().map_err(|error| Problems::one("", error.to_string()))?;
    Ok(value)
}

/// The same of JSON that was read already.
pub(crate) fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Problems> {
    serde_path_to_error::deserialize(value).map_err(|error: serde_path_to_error::Error<serde_json::Error>| {
        Problems::one(pointer(error.path()), error.inner().to_string())
    })
}

/// A path as RFC 6901 writes it.
fn pointer(path: &Path) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => format!("/{}", escape(key)),
        Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

/// A key as a step of a JSON pointer.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
