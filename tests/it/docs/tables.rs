//! The tables in `docs/` agree with the code. `UPDATE_DOCS=1` writes them again.

use std::{fmt::Write as _, fs, path::PathBuf};

use clap::CommandFactory as _;
use tidings::{cli::Cli, metrics};

fn check(name: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == expected, "docs/{name} is not what the code says: run the tests with UPDATE_DOCS=1");
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn the_settings_page_lists_every_setting() {
    let mut page = String::from(
        "# Settings\n\nAfter this page you know every setting of the server. A test generates it from `tidings serve --help`.\n\n\
         ```sh\nTIDINGS_HEARTBEAT_SECONDS=10 tidings check-config | grep heartbeat\n```\n\n\
         - A setting is a flag, an environment variable, or a key of the TOML file that `--config` names.\n\
         - The key in the file is the flag without the leading dashes.\n\
         - Flags override the environment, and the environment overrides the file.\n\
         - Unknown keys and unknown `TIDINGS_*` variables are errors.\n\
         - `tidings check-config` prints the settings in force and hides secrets.\n",
    );
    let mut command = Cli::command();
    command.build();
    let serve = command.find_subcommand("serve").unwrap();
    let settings: Vec<_> = serve.get_arguments().filter(|argument| argument.get_help_heading().is_some()).collect();
    let mut headings: Vec<_> = settings.iter().filter_map(|setting| setting.get_help_heading()).collect();
    let mut seen = std::collections::HashSet::new();
    headings.retain(|heading| seen.insert(*heading));
    for heading in headings {
        let _ = write!(page, "\n## {heading}\n\n| flag | variable | meaning |\n| --- | --- | --- |\n");
        for setting in settings.iter().filter(|setting| setting.get_help_heading() == Some(heading)) {
            let help = setting.get_help().map(ToString::to_string).unwrap_or_default();
            let (meaning, variable) = help.rsplit_once(" [env: ").unwrap_or((&help, ""));
            let (flag, variable) = (setting.get_long().unwrap(), variable.trim_end_matches(']'));
            let _ = writeln!(page, "| `--{flag}` | `{variable}` | {} |", cell(meaning));
        }
    }
    check("settings.md", &page);
}

#[test]
fn the_metrics_page_lists_every_metric() {
    let mut page = String::from(
        "# Metrics\n\nAfter this page you know every metric of an instance. A test generates it from the code.\n\n\
         ```sh\ncurl -fsS -o /dev/null http://127.0.0.1:8080/health/ready\n\
         curl -fsS http://127.0.0.1:8080/metrics | grep '^tidings_http_request_seconds_count'\n```\n\n\
         `/metrics` answers in the text format of Prometheus. A metric appears after its first value. \
         [Operate](operate.md#watch) says which of them to alert on.\n\n\
         | name | kind | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    for metric in metrics::ALL {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let _ = writeln!(page, "| `{}` | {kind} | {} | {} |", metric.name, metric.labels, cell(metric.help));
    }
    check("metrics.md", &page);
}
