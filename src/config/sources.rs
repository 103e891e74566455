//! Reads the file and the environment and lays them over each other: file, then environment, then flags.

use std::{
    collections::BTreeMap,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, Command, FromArgMatches};
use toml::Table;

use super::{
    Invalid, Settings,
    options::{Options, key, variable},
    secrets::without_last_break,
};

/// Settings that may come from a file of their own, for secrets that are mounted.
const SECRETS: [&str; 4] = ["database-url", "redis-url", "jwt-secret", "jwt-public-key"];
/// The files that secrets were read from, by the settings that they hold.
#[derive(Default)]
pub(super) struct Files(BTreeMap<&'static str, String>);

/// Variables of the client commands, which the server has no use for.
const CLIENT_VARIABLES: [&str; 2] = ["TIDINGS_URL", "TIDINGS_TOKEN"];

impl Options {
    /// The settings in force: these flags take precedence over `environment`, and that over the file that either names.
    ///
    /// Secrets are read from their files, and defaults are filled in. The second value is the same as final types.
    ///
    /// # Errors
    /// Names everything that is unknown, unreadable or out of its bounds.
    pub fn effective(
        self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Settings), Invalid> {
        let mut wrong = Vec::new();
        let mut files = Files::default();
        let mut options = self.over(environment, &mut files, &mut wrong).unwrap_or_else(|error| {
            wrong.push(error.to_string());
            Self::default()
        });
        options.fill();
        let settings = options.validated(&files, &mut wrong);
        if wrong.is_empty() { Ok((options, settings)) } else { Err(Invalid(wrong)) }
    }

    fn over(
        mut self,
        environment: impl IntoIterator<Item = (String, String)>,
        files: &mut Files,
        wrong: &mut Vec<String>,
    ) -> Result<Self, Box<dyn Error>> {
        let (variables, named) = read_environment(environment, wrong);
        let file = self.config.take().or(named);
        let mut table = file.map(|path| read_file(&path, wrong)).unwrap_or_default();
        check_pairs(&table, key, wrong);
        check_pairs(&variables, variable, wrong);
        overlay(&mut table, variables);
        let flags = Table::try_from(&self)?;
        check_pairs(&flags, |name| format!("--{name}"), wrong);
        overlay(&mut table, flags);
        read_secrets(&mut table, files, wrong);
        Ok(table.try_into()?)
    }
}

/// The names of all settings, as the file has them.
fn names() -> Vec<String> {
    let command = Options::augment_args(Command::new("tidings"));
    command.get_arguments().map(|argument| key(argument.get_id().as_str())).filter(|name| name != "config").collect()
}

fn read_file(path: &Path, wrong: &mut Vec<String>) -> Table {
    let mut complain = |problem: String| wrong.push(format!("{}: {problem}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    // The parser's own display quotes the faulty line, which may hold a secret.
    let table = text.and_then(|text| text.parse::<Table>().map_err(|error| position(&text, &error)));
    let names = names();
    let mut known = Table::new();
    for (name, value) in table.inspect_err(|problem| complain(problem.clone())).unwrap_or_default() {
        let alone = Table::from_iter([(name.clone(), value.clone())]);
        if !names.contains(&name) {
            complain(unknown(&name, &names));
        } else if let Err(error) = alone.try_into::<Options>() {
            complain(format!("{name}: {}", error.message()));
        } else {
            known.insert(name, value);
        }
    }
    known
}

fn position(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.lines().count().max(1), error.message())
}

/// The environment's settings and the file that `TIDINGS_CONFIG` names; an empty variable counts as not set.
fn read_environment(
    environment: impl IntoIterator<Item = (String, String)>,
    wrong: &mut Vec<String>,
) -> (Table, Option<PathBuf>) {
    let names = names();
    let variables: Vec<_> = names.iter().map(|name| variable(name)).collect();
    let (mut table, mut file) = (Table::new(), None);
    for (name, value) in environment {
        let known = variables.iter().position(|variable| *variable == name);
        match known.map(|index| &names[index]) {
            _ if value.is_empty() => {}
            Some(key) => match parse(key, &value) {
                Ok(parsed) => table.extend(parsed),
                Err(reason) => wrong.push(format!("{name}: {reason}")),
            },
            None if name == "TIDINGS_CONFIG" => file = Some(value.into()),
            None if !name.starts_with("TIDINGS_") || is_foreign(&name, &value) => {}
            None => wrong.push(unknown(&name, &variables)),
        }
    }
    (table, file)
}

/// Reads a variable's value the way its flag is read.
fn parse(name: &str, value: &str) -> Result<Table, String> {
    let command = Options::augment_args(Command::new("tidings").no_binary_name(true));
    let matches = command.try_get_matches_from([format!("--{name}={value}")]);
    let options = matches.and_then(|matches| Options::from_arg_matches(&matches));
    // Clap's own message would repeat the value, which may be a secret.
    let options = options.map_err(|error| {
        let source = Error::source(&error).map(ToString::to_string);
        source.unwrap_or_else(|| "not a value of this setting".into())
    })?;
    Table::try_from(options).map_err(|error| error.to_string())
}

/// Whether a variable is none of ours: a client command's, or one that Kubernetes sets for a service called tidings.
fn is_foreign(name: &str, value: &str) -> bool {
    let from_service = name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || value.starts_with("tcp://")
        || value.starts_with("udp://")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()));
    from_service || CLIENT_VARIABLES.contains(&name)
}

fn unknown(name: &str, names: &[String]) -> String {
    let likeness = |candidate: &&String| (strsim::jaro_winkler(name, candidate) * 1e6).round();
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|nearest| likeness(nearest) > 0.85e6) {
        Some(nearest) => format!("unknown setting {name}; did you mean {nearest}?"),
        None => format!("unknown setting {name}"),
    }
}

/// Within one source a secret comes as itself or in a file, not both.
fn check_pairs(table: &Table, shown: impl Fn(&str) -> String, wrong: &mut Vec<String>) {
    for name in SECRETS {
        let file = format!("{name}-file");
        if table.contains_key(name) && table.contains_key(&file) {
            wrong.push(format!("{} and {} are both set: set one", shown(name), shown(&file)));
        }
    }
}

/// Lays the stronger source over the weaker. A secret and the setting of its file replace each other.
fn overlay(weaker: &mut Table, stronger: Table) {
    for name in SECRETS {
        let file = format!("{name}-file");
        if stronger.contains_key(name) || stronger.contains_key(&file) {
            weaker.remove(name);
            weaker.remove(&file);
        }
    }
    if stronger.contains_key("port") {
        weaker.remove("listen");
    }
    weaker.extend(stronger);
}

impl Files {
    /// A setting as it is called where it was written, with its file if it came from one.
    pub(super) fn source(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(path) => source_in(&format!("{name}-file"), path),
            None => format!("{name} ({})", variable(name)),
        }
    }
}

fn source_in(setting: &str, path: &str) -> String {
    format!("{setting} ({}): {path}", variable(setting))
}

fn read_secrets(table: &mut Table, files: &mut Files, wrong: &mut Vec<String>) {
    for name in SECRETS {
        let setting = format!("{name}-file");
        let Some(path) = table.remove(&setting).and_then(|path| path.as_str().map(ToOwned::to_owned)) else {
            continue;
        };
        match read_secret(Path::new(&path)) {
            Ok(text) => {
                table.insert(name.into(), text.into());
                files.0.insert(name, path);
            }
            Err(error) => wrong.push(format!("{}: {error}", source_in(&setting, &path))),
        }
    }
}

fn read_secret(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let secret = without_last_break(&text);
    if secret.is_empty() { Err(io::Error::other("the file is empty")) } else { Ok(secret.to_owned()) }
}
