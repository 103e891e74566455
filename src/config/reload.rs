//! The settings that a process takes over from its files while it runs.

use std::collections::BTreeSet;

use toml::Table;

use super::options::Options;

/// Settings that take effect by a reload. For all others the process starts again. The login of `database-url` is taken over too, which
/// only its user can tell from the rest of the URL.
const RELOADED: [&str; 5] = ["jwt-secret", "jwt-public-key", "kinds-file", "cors-origins", "log"];

impl Options {
    /// The names of the settings in force that differ: those that a reload takes over, then those that need a restart.
    ///
    /// # Errors
    /// When a value has no form in TOML, by which they are compared.
    pub fn differences(&self, fresh: &Self) -> Result<(Vec<String>, Vec<String>), toml::ser::Error> {
        let (old, new) = (Table::try_from(self)?, Table::try_from(fresh)?);
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let different = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
        Ok(different.cloned().partition(|name| RELOADED.contains(&name.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_and_never_shown() {
        let options = |pairs: &[(&str, &str)]| {
            let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Options::default().effective(variables).unwrap().0
        };
        let secret = ("TIDINGS_JWT_SECRET", "0123456789abcdef0123456789abcdef");
        let old = options(&[("TIDINGS_WRITERS", "3"), ("TIDINGS_LOG", "info")]);
        let new = options(&[("TIDINGS_WRITERS", "4"), secret]);
        let expected = (vec!["jwt-secret".to_owned(), "log".to_owned()], vec!["writers".to_owned()]);
        assert_eq!(old.differences(&new), Ok(expected));
        assert_eq!(new.differences(&new), Ok((Vec::new(), Vec::new())));
    }
}
