//! `tidings token`: a token for trying things out and for scripts of the same machine.

use std::{path::PathBuf, time::Duration};

use chrono::Utc;
use secrecy::SecretString;

use crate::{
    auth::{Grant, local_secret, mint},
    cli::Mistake,
    config::{Settings, options::Options},
    domain::{
        text::Malformed,
        topic::TopicPattern,
        user::{Tenant, UserId, UserKey},
    },
};

/// The user of the token and its rights.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The user of the token (`sub`).
    #[arg(long, value_name = "USER")]
    pub sub: UserId,
    /// The user's tenant.
    #[arg(long, value_name = "TENANT", default_value = "default")]
    pub tenant: Tenant,
    /// What the token allows besides the user's own inbox: `publish`, `admin`; several separated by spaces.
    #[arg(long, value_name = "WORDS", default_value = "", value_parser = scope)]
    pub scope: String,
    /// How long the token is valid: a number and s, m, h or d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = ttl)]
    pub ttl: Duration,
    /// A topic that the user may join without being a member, or a beginning such as `team:*`; may be repeated.
    #[arg(long = "topic", value_name = "PATTERN")]
    pub topics: Vec<TopicPattern>,
    /// The token's own id (`jti`), to revoke it by.
    #[arg(long, value_name = "ID")]
    pub jti: Option<String>,
    /// TOML file with the server's settings.
    #[arg(long, value_name = "PATH", help = "TOML file with the server's settings [env: TIDINGS_CONFIG]")]
    pub config: Option<PathBuf>,
    /// The server's data directory, where the generated secret is.
    #[arg(long, value_name = "PATH", help = "The server's data directory, with its secret [env: TIDINGS_DATA_DIR]")]
    pub data_dir: Option<PathBuf>,
}

/// Prints the token, without further text.
///
/// # Errors
/// When the settings are wrong or tokens come from another issuer.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Args { sub, tenant, scope, ttl, topics, jti, config, data_dir } = args;
    let settings = Settings::load(Options { config, data_dir, ..Options::default() })?;
    let secret = signing_secret(&settings)?;
    let grant = Grant { key: UserKey { tenant, user: sub }, scope, ttl, token_id: jti, topics };
    println!("{}", mint(&secret, &settings.auth, &grant, Utc::now())?);
    Ok(())
}

fn signing_secret(settings: &Settings) -> anyhow::Result<SecretString> {
    match &settings.auth.secrets {
        Some(secrets) => Ok(secrets.signing().clone()),
        None if settings.auth.has_key() => {
            Err(Mistake("only public keys are configured: tokens come from their issuer".into()).into())
        }
        None => Ok(local_secret(&settings.data_dir)?.signing().clone()),
    }
}

fn scope(text: &str) -> Result<String, Malformed> {
    let words: Vec<_> = text.split_whitespace().collect();
    if words.iter().all(|word| matches!(*word, "publish" | "admin")) {
        Ok(words.join(" "))
    } else {
        Err(Malformed("the scopes are publish and admin"))
    }
}

/// Reads `90s`, `30m`, `1h` or `7d`.
fn ttl(text: &str) -> Result<Duration, Malformed> {
    const WRONG: Malformed = Malformed("a number and s, m, h or d, such as 30m; 3650d at most");
    let split = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(WRONG),
    };
    let number: u64 = number.parse().map_err(|_| WRONG)?;
    let seconds = number.checked_mul(unit).filter(|seconds| (1..=3_650 * 86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or(WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_live_have_a_unit_and_bounds() {
        assert_eq!(ttl("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(ttl("2h"), Ok(Duration::from_hours(2)));
        for text in ["", "h", "1", "0s", "-1h", "1.5h", "1y", "3651d", "99999999999999999999d", "1ä"] {
            assert!(ttl(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn scopes_that_the_server_does_not_know_are_mistakes() {
        assert_eq!(scope(" publish  admin ").as_deref(), Ok("publish admin"));
        assert_eq!(scope("").as_deref(), Ok(""));
        assert!(scope("publsh").is_err());
    }
}
