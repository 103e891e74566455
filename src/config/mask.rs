//! Shows settings without their secrets.

use super::options::Options;

const HIDDEN: &str = "***";

impl Options {
    /// These settings as a TOML file, with secrets and the passwords of URLs hidden.
    ///
    /// # Errors
    /// When a value has no form in TOML.
    pub fn masked(mut self) -> Result<String, toml::ser::Error> {
        self.jwt_secret = self.jwt_secret.map(|_| HIDDEN.into());
        self.database_url = self.database_url.as_deref().map(mask_url);
        self.jwks_url = self.jwks_url.as_deref().map(mask_url);
        self.redis_url = self.redis_url.map(|urls| urls.split(',').map(mask_url).collect::<Vec<_>>().join(","));
        toml::to_string(&self)
    }
}

/// Hides the password of a URL, before the host and in the query. A text that is no URL is hidden as a whole.
pub fn mask_url(url: &str) -> String {
    let Some((scheme, rest)) = url.trim().split_once("://") else {
        return HIDDEN.into();
    };
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let address = match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{HIDDEN}@{host}"),
            None => format!("{user}@{host}"),
        },
        None => address.to_owned(),
    };
    let query = query.map(|query| query.split('&').map(mask_pair).collect::<Vec<_>>().join("&"));
    query.map_or(format!("{scheme}://{address}"), |query| format!("{scheme}://{address}?{query}"))
}

fn mask_pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if name.to_lowercase().contains("pass") => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    }
}
