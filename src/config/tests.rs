//! The settings that sources may contain, and their precedence.

use std::{fs, path::Path, time::Duration};

use clap::{Args, Command, FromArgMatches};
use secrecy::ExposeSecret;

use super::{Invalid, Settings, options::Options};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn load(flags: Options, pairs: &[(&str, &str)]) -> Result<Settings, Invalid> {
    flags.effective(environment(pairs)).map(|(_, settings)| settings)
}

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    load(Options::default(), pairs).unwrap_err().0
}

fn file(text: &str) -> (tempfile::TempDir, Options) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("tidings.toml");
    fs::write(&config, text).unwrap();
    (dir, Options { config: Some(config), ..Options::default() })
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn nothing_at_all_is_a_working_setup_on_loopback() {
    let settings = load(Options::default(), &[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.data_dir, Path::new("./tidings-data"));
    assert_eq!(settings.prefix, "tidings");
    assert_eq!(settings.auth.cookie, "tidings_token");
    assert_eq!(settings.stream.heartbeat, Duration::from_secs(20));
    assert_eq!(settings.retention.keep, Duration::from_hours(90 * 24));
    assert!(settings.database.is_none() && settings.redis.is_none() && !settings.auth.has_key());
}

#[test]
fn the_environment_wins_over_the_file_and_flags_win_over_both() {
    let (_dir, mut flags) = file("page-rows = 10\nwriters = 3\nmax-replay = 30\nheartbeat-seconds = 5\n");
    flags.max_replay = Some(32);
    let settings = load(flags, &[("TIDINGS_WRITERS", "4"), ("TIDINGS_MAX_REPLAY", "31")]).unwrap();
    assert_eq!(settings.stream.page_rows, 10);
    assert_eq!(settings.publish.writers, 4);
    assert_eq!(settings.stream.max_replay, 32);
    assert_eq!(settings.stream.heartbeat, Duration::from_secs(5));
}

#[test]
fn the_environment_may_name_the_file() {
    let (_dir, flags) = file("writers = 3\n");
    let settings = load(Options::default(), &[("TIDINGS_CONFIG", text(&flags.config.unwrap()))]).unwrap();
    assert_eq!(settings.publish.writers, 3);
}

#[test]
fn a_platforms_port_wins_over_the_file_but_not_over_a_listen_beside_it() {
    let (_dir, flags) = file("listen = '127.0.0.1:1'\n");
    let key = ("TIDINGS_JWT_SECRET", SECRET);
    let listen = |flags, pairs: &[_]| load(flags, pairs).unwrap().listen.to_string();
    assert_eq!(listen(flags.clone(), &[key, ("PORT", "7")]), "0.0.0.0:7");
    assert_eq!(listen(flags, &[key, ("PORT", "7"), ("TIDINGS_LISTEN", "127.0.0.1:8")]), "127.0.0.1:8");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let settings = load(Options::default(), &[("DATABASE_URL", ""), ("TIDINGS_WRITERS", "")]).unwrap();
    assert!(settings.database.is_none());
    assert_eq!(settings.publish.writers, 2);
}

#[test]
fn unknown_names_are_errors_that_suggest_the_nearest() {
    let found = problems(&[("TIDINGS_HEARTBEAT_SECOND", "1"), ("TIDINGS_QQQ", "1"), ("UNRELATED", "1")]);
    assert_eq!(found.len(), 2);
    assert!(found[0].contains("TIDINGS_HEARTBEAT_SECOND;") && found[0].contains("TIDINGS_HEARTBEAT_SECONDS?"));
    let (_dir, flags) = file("page_rows = 1\n[tokens]\nx = 1\n");
    let found = load(flags, &[]).unwrap_err().0;
    assert!(found.iter().any(|line| line.contains("page_rows; did you mean page-rows?")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("unknown setting tokens")), "{found:?}");
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_called_tidings_are_none_of_ours() {
    let pairs = [
        ("TIDINGS_SERVICE_HOST", "10.0.0.1"),
        ("TIDINGS_SERVICE_PORT", "80"),
        ("TIDINGS_SERVICE_PORT_HTTP", "80"),
        ("TIDINGS_PORT", "tcp://10.0.0.1:80"),
        ("TIDINGS_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("TIDINGS_PORT_80_TCP_PROTO", "tcp"),
        ("TIDINGS_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("TIDINGS_TOKEN", "for the client commands"),
    ];
    assert!(load(Options::default(), &pairs).is_ok());
    assert!(problems(&[("TIDINGS_PORT", "80")])[0].contains("unknown setting TIDINGS_PORT"));
}

#[test]
fn a_secret_may_come_from_a_file_without_its_last_line_break() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    for written in [SECRET.to_owned(), format!("{SECRET}\n"), format!("{SECRET}\r\n")] {
        fs::write(&path, written).unwrap();
        let settings = load(Options::default(), &[("TIDINGS_JWT_SECRET_FILE", text(&path))]).unwrap();
        assert_eq!(settings.auth.secrets.unwrap().signing().expose_secret(), SECRET);
    }
}

#[test]
fn several_secrets_and_several_keys_come_by_file_or_by_variable() {
    let dir = tempfile::tempdir().unwrap();
    let (secrets, keys) =
        (format!("{SECRET}\nanother secret that is long enough"), [key("AAAA"), key("BBBB")].join("\n"));
    let (secret_file, key_file) = (dir.path().join("secrets"), dir.path().join("keys"));
    fs::write(&secret_file, format!("{secrets}\n")).unwrap();
    fs::write(&key_file, &keys).unwrap();
    let by_file = [("TIDINGS_JWT_SECRET_FILE", text(&secret_file)), ("TIDINGS_JWT_PUBLIC_KEY_FILE", text(&key_file))];
    let on_one_line = keys.replace('\n', "\\n");
    let by_variable = [("TIDINGS_JWT_SECRET", secrets.as_str()), ("TIDINGS_JWT_PUBLIC_KEY", on_one_line.as_str())];
    for (pairs, place) in [(by_file, text(&key_file)), (by_variable, "jwt-public-key (TIDINGS_JWT_PUBLIC_KEY)")] {
        let auth = load(Options::default(), &pairs).unwrap().auth;
        assert_eq!(
            auth.secrets.unwrap().iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>().join("\n"),
            secrets
        );
        assert_eq!(auth.public_keys.iter().map(|key| key.pem.clone()).collect::<Vec<_>>(), [key("AAAA"), key("BBBB")]);
        assert!(auth.public_keys[1].place.ends_with(&format!("{place}: line 5")), "{}", auth.public_keys[1].place);
    }
}

fn key(body: &str) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

#[test]
fn a_doubtful_line_of_a_secrets_file_is_named_with_the_file_and_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hush");
    let (open, other) = (("TIDINGS_LISTEN", "0.0.0.0:80"), "another secret that is long enough");
    for (setting, written, line) in [
        ("TIDINGS_JWT_SECRET_FILE", format!("{SECRET}\n\n{other}\n"), "line 2"),
        ("TIDINGS_JWT_SECRET_FILE", format!("{SECRET}\n{other} \n"), "line 2"),
        ("TIDINGS_JWT_SECRET_FILE", format!("{SECRET}\nanother\n"), "line 2"),
        ("TIDINGS_JWT_PUBLIC_KEY_FILE", format!("{}{SECRET}\n", key("AAAA")), "line 4"),
        ("TIDINGS_JWT_PUBLIC_KEY_FILE", format!("{SECRET}\n"), "line 1"),
    ] {
        fs::write(&path, written).unwrap();
        let found = problems(&[(setting, text(&path)), open]);
        assert_eq!(found.len(), 1, "{found:?}");
        let begin = format!("({setting}): {}: {line} ", text(&path));
        assert!(found[0].contains(&begin), "{found:?}");
        assert!(!found[0].contains("0123") && !found[0].contains("another"), "{found:?}");
    }
    let by_variable = problems(&[("TIDINGS_JWT_SECRET", &format!("{SECRET}\n{SECRET}"))]);
    assert!(by_variable[0].starts_with("jwt-secret (TIDINGS_JWT_SECRET): line 2 "), "{by_variable:?}");
}

#[test]
fn a_secret_set_twice_in_one_source_is_an_error_and_in_two_the_later_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, SECRET).unwrap();
    let found = problems(&[("TIDINGS_JWT_SECRET", SECRET), ("TIDINGS_JWT_SECRET_FILE", text(&path))]);
    assert!(found[0].contains("TIDINGS_JWT_SECRET and TIDINGS_JWT_SECRET_FILE"), "{found:?}");
    let (_dir, flags) = file(&format!("jwt-secret = '{}'\n", "x".repeat(40)));
    let settings = load(flags, &[("TIDINGS_JWT_SECRET_FILE", text(&path))]).unwrap();
    assert_eq!(settings.auth.secrets.unwrap().signing().expose_secret(), SECRET);
}

#[test]
fn a_secrets_file_that_is_missing_or_empty_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("url");
    assert!(problems(&[("DATABASE_URL_FILE", text(&path))])[0].starts_with("database-url-file (DATABASE_URL_FILE)"));
    fs::write(&path, "\n").unwrap();
    assert!(problems(&[("DATABASE_URL_FILE", text(&path))])[0].contains("empty"));
}

#[test]
fn all_problems_are_reported_at_once_with_name_and_bound() {
    let found = problems(&[
        ("TIDINGS_HEARTBEAT_SECONDS", "0.001"),
        ("TIDINGS_REMEMBER_DAYS", "0.5"),
        ("TIDINGS_KEEP_DAYS", "NaN"),
        ("TIDINGS_WRITERS", "many"),
        ("TIDINGS_JWT_SECRET", "too short, and not to be shown"),
        ("DATABASE_URL", "mysql://x"),
        ("REDIS_URL", "redis://a,b"),
        ("TIDINGS_PREFIX", "a{b}"),
        ("TIDINGS_COOKIE", "a;b"),
        ("TIDINGS_JWKS_URL", "file:///etc/keys"),
        ("TIDINGS_CORS_ORIGINS", "https://a.example/path"),
    ]);
    assert_eq!(found.len(), 11, "{found:#?}");
    assert!(found.iter().any(|line| line.contains("(TIDINGS_HEARTBEAT_SECONDS): 0.001 is not from 0.05 to 300")));
    assert!(!found.join("\n").contains("shown"));
}

#[test]
fn a_file_that_cannot_be_parsed_is_not_quoted() {
    let (_dir, flags) = file("writers = 1\njwt-secret = \"hush hush\n");
    let found = load(flags, &[]).unwrap_err().0;
    assert!(found[0].contains("line 2") && !found[0].contains("hush"), "{found:?}");
}

#[test]
fn without_a_key_only_loopback_is_served() {
    for listen in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"] {
        let found = problems(&[("TIDINGS_LISTEN", listen)]);
        assert!(found[0].contains("TIDINGS_JWT_SECRET"), "{found:?}");
        assert!(load(Options::default(), &[("TIDINGS_LISTEN", listen), ("TIDINGS_JWT_SECRET", SECRET)]).is_ok());
    }
    assert!(load(Options::default(), &[("TIDINGS_LISTEN", "[::1]:80")]).is_ok());
}

#[test]
fn several_redis_urls_are_a_cluster() {
    let redis = |pairs: &[_]| load(Options::default(), pairs).unwrap().redis.unwrap();
    assert!(!redis(&[("REDIS_URL", "redis://a")]).cluster);
    assert!(redis(&[("REDIS_URL", "redis://a"), ("TIDINGS_REDIS_CLUSTER", "true")]).cluster);
    let several = redis(&[("REDIS_URL", "redis://a:1, rediss://b:2")]);
    assert!(several.cluster);
    assert_eq!(
        several.urls.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(),
        ["redis://a:1", "rediss://b:2"]
    );
}

#[test]
fn any_origin_excludes_other_origins() {
    let origins = |text| load(Options::default(), &[("TIDINGS_CORS_ORIGINS", text)]).map(|it| it.cors_origins);
    assert_eq!(
        origins("https://a.example, http://localhost:3000").unwrap().list()[..],
        ["https://a.example", "http://localhost:3000"]
    );
    assert_eq!(origins("*").unwrap().list()[..], ["*"]);
    for wrong in ["*,https://a.example", "a.example", "https://a.example/", "null"] {
        assert!(origins(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_output_of_check_config_shows_no_secret_and_loads_again() {
    let pairs = [
        ("TIDINGS_JWT_SECRET", "the-secret-that-is-never-shown-to-anybody"),
        ("DATABASE_URL", "postgres://app:hush@db:5432/tidings?sslmode=require&password=hush"),
        ("REDIS_URL", "redis://:hush@a:6379,redis://user:hush@b:6379/1"),
        ("TIDINGS_JWKS_URL", "https://client:hush@issuer.example/keys"),
    ];
    let (options, settings) = Options::default().effective(environment(&pairs)).unwrap();
    let shown = options.masked().unwrap();
    assert!(!shown.contains("hush") && !shown.contains("never-shown"), "{shown}");
    assert!(shown.contains("postgres://app:***@db:5432/tidings?sslmode=require&password=***"), "{shown}");
    assert!(!format!("{settings:?}").contains("never-shown"));
    let (_dir, flags) = file(&shown.replace("jwt-secret = \"***\"", &format!("jwt-secret = '{SECRET}'")));
    assert_eq!(load(flags, &[]).unwrap().stream.max_replay, settings.stream.max_replay);
}

#[test]
fn every_default_in_the_help_is_the_one_in_force() {
    let command = Options::augment_args(Command::new("tidings"));
    let mut flags = Vec::new();
    for argument in command.get_arguments() {
        let help = argument.get_help().unwrap().to_string();
        assert!(help.contains("[env: "), "{help}");
        if let Some((_, default)) = help.split_once("[default: ") {
            let value = default.split([']', ',']).next().unwrap();
            flags.push(format!("--{}={value}", argument.get_long().unwrap()));
        }
    }
    let matches = command.no_binary_name(true).try_get_matches_from(flags).unwrap();
    let written = Options::from_arg_matches(&matches).unwrap().effective([]).unwrap().0.masked().unwrap();
    assert_eq!(written, Options::default().effective([]).unwrap().0.masked().unwrap());
}
