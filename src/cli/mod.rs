//! The command line: one file per subcommand, each with its arguments and `run`.
//!
//! Error policy: a user's mistake (wrong settings or arguments, [`Mistake`]) ends with the exit code 2, every other failure
//! with 1. Both print one `error:` to standard error, without internal details.

pub mod access;
pub mod check_config;
pub mod log_filter;
pub mod migrate;
pub mod minter;
pub mod publish;
pub mod restored;
pub mod serve;
pub mod tail;
pub mod token;

use std::{ffi::OsString, process::ExitCode};

use clap::{
    Parser, Subcommand,
    builder::styling::{AnsiColor, Styles},
    error::ErrorKind,
};

use self::log_filter::LogFilter;
use crate::config::{Invalid, Settings, options::Options};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const BENCH_MOVED: &str = "the load generator is a program of its own: `tidings-bench`, \
    built by `cargo build --release -p tidings-bench`, has the subcommands that `tidings bench` had";

/// A durable inbox with a resumable stream over it.
///
/// Without a subcommand it serves. Settings come from a TOML file, the environment and flags, the later winning;
/// the file's keys are the flags' names.
#[derive(Parser)]
#[command(name = "tidings", version, styles = STYLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// The command; `serve` when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of `serve` where no subcommand is given.
    #[command(flatten)]
    pub options: Options,
}

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Serve (the default).
    Serve(Box<Options>),
    /// Bring the database's tables up to date and exit.
    Migrate(Box<Options>),
    /// Reset all clients after a restore of the database, and exit.
    Restored(Box<Options>),
    /// Check the settings and print those in force, secrets hidden.
    CheckConfig(Box<Options>),
    /// Print a token signed with the configured or generated secret.
    Token(token::Args),
    /// Follow a user's stream in the terminal.
    Tail(tail::Args),
    /// Publish a notification, or many from standard input.
    Publish(publish::Args),
    /// Says where the load generator is; it was a subcommand before.
    #[command(hide = true, disable_help_flag = true)]
    Bench {
        /// The arguments after it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
}

/// An error that the user can correct: wrong arguments or settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);

/// Runs the process: parses the arguments, sets up the log, runs the subcommand.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = LogFilter::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(cli, &log)));
    done.map_or_else(|error| report(&error), |()| ExitCode::SUCCESS)
}

/// Runs a subcommand to its end.
///
/// # Errors
/// [`Invalid`] and [`Mistake`] are the user's, the rest is ours.
pub async fn run(cli: Cli, log: &LogFilter) -> anyhow::Result<()> {
    match cli.command {
        None => Box::pin(serve::run(cli.options, log)).await,
        Some(Command::Serve(options)) => Box::pin(serve::run(*options, log)).await,
        Some(Command::Migrate(options)) => migrate::run(load(*options, log)?).await,
        Some(Command::Restored(options)) => restored::run(load(*options, log)?).await,
        Some(Command::CheckConfig(options)) => check_config::run(*options),
        Some(Command::Token(args)) => token::run(args),
        Some(Command::Tail(args)) => tail::run(args).await,
        Some(Command::Publish(args)) => publish::run(args).await,
        Some(Command::Bench { .. }) => Err(Mistake(BENCH_MOVED.to_owned()).into()),
    }
}

/// The settings of a subcommand, whose filter of the log is in force from then on.
fn load(options: Options, log: &LogFilter) -> anyhow::Result<Settings> {
    let settings = Settings::load(options)?;
    log.set(settings.log.as_deref());
    Ok(settings)
}

/// Prints the error with advice to correct it, and picks the exit code.
fn report(error: &anyhow::Error) -> ExitCode {
    let settings = error.is::<Invalid>();
    let hint = if settings { "\nhint: `tidings serve --help` explains every setting\n" } else { "" };
    // Clap colours the word as it does its own errors; a closed standard error is no reason to fail differently.
    let _ = clap::Error::raw(ErrorKind::ValueValidation, format!("{error:#}\n{hint}")).print();
    if settings || error.is::<Mistake>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}
