//! One load for all systems that Tidings is compared with: `run` opens streams to a system, publishes open loop and
//! counts; `floor` is the cheapest server that could carry it; `table` makes the table of many runs' results.

mod floor;
mod marker;
mod publisher;
mod receiver;
mod record;
mod report;
mod run;
mod stream;
mod system;
mod table;
mod token;
mod usage;
mod wire;

/// Loads notification systems and compares them.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Opens streams to a system, publishes phase by phase, prints what came of it as JSON.
    Run(run::Options),
    /// Serves streams as cheaply as possible: one thread, one Redis subscription.
    Floor(floor::Options),
    /// Prints medians and ratios of the results in a directory as Markdown.
    Table(table::Options),
}

/// Does what the command says.
pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Run(options) => run::run(options),
        Command::Floor(options) => floor::serve(options),
        Command::Table(options) => table::print(options),
    }
}
