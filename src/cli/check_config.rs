//! `tidings check-config`: the settings in force, or their faults.

use crate::{
    auth::Authenticator,
    cli::Mistake,
    config::{self, options::Options},
};

/// Prints the settings in force as a TOML file, secrets hidden.
///
/// # Errors
/// When a setting is wrong, or a key for tokens cannot be used.
pub fn run(flags: Options) -> anyhow::Result<()> {
    let (options, settings) = flags.effective(config::environment())?;
    if settings.auth.has_key() {
        Authenticator::new(&settings.auth, None).map_err(|error| Mistake(format!("{error:#}")))?;
    }
    print!("{}", options.masked()?);
    Ok(())
}
