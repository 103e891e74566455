//! The keys of a JSON Web Key Set, and which of them may have signed a token.

use anyhow::{Context, ensure};
use jsonwebtoken::{Header, jwk::Jwk};
use serde::Deserialize;
use serde_json::Value;

use super::{Rejected, claims::Claims, keys::Key};

/// Most keys of a set.
const SET_KEYS: usize = 1_000;
/// Most keys that are tried for one token. One that its token names is among the first.
pub(super) const TRIED_KEYS: usize = 32;
/// Most keys that a note names, and most characters of each.
const NAMED: usize = 20;
const NAME_CHARS: usize = 64;

/// Keys, and what there is to say about those that are not used.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// Names the keys beyond the bound.
    pub(super) beyond: Option<String>,
    /// Names the keys that are no use here.
    pub(super) unusable: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set, key by key: one of a kind that we do not know must not hide the others.
    ///
    /// # Errors
    /// When it is no set, or has no key that can be used.
    pub(super) fn parse(json: &[u8]) -> anyhow::Result<Self> {
        let written: Written = serde_json::from_slice(json).context("the answer is not a key set")?;
        let (mut keys, mut beyond, mut unusable) = (Vec::new(), Vec::new(), Vec::new());
        for value in written.keys {
            let name = name(&value);
            match serde_json::from_value::<Jwk>(value).ok().as_ref().and_then(Key::from_jwk) {
                None => unusable.push(name),
                Some(_) if keys.len() >= SET_KEYS => beyond.push(name),
                Some(key) => keys.push(key),
            }
        }
        ensure!(!keys.is_empty(), "the key set has no key for signatures");
        let beyond = note("the key set has more than 1000 keys for signatures, tokens of these are refused", &beyond);
        let what = "these keys of the key set are not for signatures, or of a kind that is not known";
        Ok(Self { keys, beyond, unusable: note(what, &unusable) })
    }

    /// The claims of a token that one of the keys signed: those that it names are tried first.
    ///
    /// # Errors
    /// [`Rejected::Signature`] when none did, [`Rejected::Unnamed`] when not all that may have could be tried.
    pub(super) fn verify(&self, token: &str, header: &Header) -> Result<Claims, Rejected> {
        let may_have = || self.keys.iter().filter(|key| key.signs(header));
        let (named, others) =
            (may_have().filter(|key| key.is_named(header)), may_have().filter(|key| !key.is_named(header)));
        let answer = Key::first_of(named.chain(others).take(TRIED_KEYS), token);
        let is_cut = matches!(answer, Err(Rejected::Signature)) && may_have().nth(TRIED_KEYS).is_some();
        if is_cut { Err(Rejected::Unnamed) } else { answer }
    }

    /// Whether a newer set may have the key of a token that got this answer here. Not when this set has the key that
    /// the token names.
    pub(super) fn may_lack(&self, header: &Header, answer: &Result<Claims, Rejected>) -> bool {
        let is_open = matches!(answer, Err(Rejected::Signature | Rejected::Unnamed));
        is_open && !self.keys.iter().any(|key| key.signs(header) && key.is_named(header))
    }
}

fn name(key: &Value) -> String {
    let id = key.get("kid").and_then(Value::as_str);
    // Quoted and cut: it is the issuer's text.
    id.map_or("one without a kid".to_owned(), |id| format!("{:?}", id.chars().take(NAME_CHARS).collect::<String>()))
}

fn note(what: &str, names: &[String]) -> Option<String> {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    (!names.is_empty()).then(|| format!("{what}: {shown}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_names_a_bounded_number_of_keys() {
        let names: Vec<_> = (0..22).map(|n| name(&serde_json::json!({"kid": format!("k\n{n}")}))).collect();
        assert_eq!(note("these", &names[..1]).as_deref(), Some(r#"these: "k\n0""#));
        let note = note("these", &names).unwrap();
        assert!(note.ends_with(r#""k\n19" and 2 more"#) && !note.contains('\n'), "{note}");
        assert_eq!(name(&serde_json::json!({"kid": "x".repeat(100)})).len(), NAME_CHARS + 2);
    }
}
