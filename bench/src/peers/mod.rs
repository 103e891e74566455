//! Other systems under the same load: `run` opens streams to one, publishes open loop and counts. `floor` is the cheapest
//! server that could serve the load; `table` makes the table of many runs' results.

mod floor;
mod outlet;
mod report;
mod run;
pub mod socketio;
pub mod system;
mod table;
mod wire;

/// Loads notification systems and compares them.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Opens streams to a system, publishes phase by phase, prints the results as JSON.
    Run(Box<run::Options>),
    /// Serves streams as cheaply as possible: one thread, one Redis subscription.
    Floor(floor::Options),
    /// Prints medians and ratios of the results in a directory as Markdown.
    Table(table::Options),
}

/// Runs the command.
///
/// # Errors
/// When processes, servers or files are not there.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(options) => run::run(&options).await,
        Command::Floor(options) => floor::serve(&options),
        Command::Table(options) => table::print(&options),
    }
}
