//! Converts settings as written into final types, and reports all faults at once.

use std::{fs, time::Duration};

use secrecy::SecretString;
use url::Url;

use super::{
    AuthSettings, DatabaseSettings, Invalid, Origins, PublicKey, PublishSettings, RedisSettings, RetentionSettings,
    Secrets, Settings, SignalSettings, StreamSettings,
    options::{DEFAULT_LISTEN, Numbers, Options, variable},
    pem,
    sources::Files,
};
use crate::domain::kinds::{SHIPPED, Seed};

impl Settings {
    /// Reads all sources: `flags` over the process' environment over the file that either names.
    ///
    /// # Errors
    /// Names every setting that is unknown, unreadable or out of its bounds.
    pub fn load(flags: Options) -> Result<Self, Invalid> {
        flags.effective(super::environment()).map(|(_, settings)| settings)
    }
}

impl Options {
    /// The settings as final types; adds a line to `wrong` for each that is out of its bounds.
    pub(super) fn validated(&self, files: &Files, wrong: &mut Vec<String>) -> Settings {
        let numbers = self.numbers(wrong);
        let settings = Settings {
            listen: self.listen.unwrap_or(DEFAULT_LISTEN),
            keep_alive: seconds(numbers.keep_alive_seconds),
            data_dir: self.data_dir.clone().unwrap_or_default(),
            prefix: prefix(self, wrong),
            database: database(self, &numbers, wrong),
            redis: redis(self, wrong),
            probe_interval: seconds(numbers.probe_seconds),
            auth: auth(self, &numbers, files, wrong),
            stream: stream(self, &numbers),
            publish: publish(self, &numbers),
            kinds: kinds(self, wrong),
            subscriptions: numbers.max_subscriptions,
            signals: signals(&numbers),
            presence_grace: seconds(numbers.presence_grace_seconds),
            retention: retention(&numbers),
            cors_origins: Origins::of(origins(self, wrong)),
            log: log(self, wrong),
            drain_delay: seconds(numbers.drain_delay_seconds),
            drain: seconds(numbers.drain_seconds),
        };
        let has_key = self.jwt_secret.is_some() || self.jwt_public_key.is_some() || self.jwks_url.is_some();
        if !has_key && !settings.listen.ip().is_loopback() {
            let reach = format!(
                "{} can be reached from other machines and no key for tokens is configured; set TIDINGS_JWT_SECRET, \
                 TIDINGS_JWT_PUBLIC_KEY or TIDINGS_JWKS_URL, or listen on 127.0.0.1",
                settings.listen
            );
            complain(wrong, "listen", &reach);
        }
        settings
    }
}

/// The time of a bounded number: those out of bounds are refused elsewhere.
fn seconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count).unwrap_or_default()
}

fn days(count: f64) -> Duration {
    seconds(count * 86_400.0)
}

fn complain(wrong: &mut Vec<String>, name: &str, problem: &str) {
    wrong.push(format!("{name} ({}): {problem}", variable(name)));
}

fn prefix(options: &Options, wrong: &mut Vec<String>) -> String {
    let prefix = options.prefix.clone().unwrap_or_default();
    let plain = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if prefix.is_empty() || prefix.len() > 32 || !plain {
        complain(wrong, "prefix", "must be 1 to 32 characters of A-Z, a-z, 0-9, _ and -");
    }
    prefix
}

fn database(options: &Options, numbers: &Numbers, wrong: &mut Vec<String>) -> Option<DatabaseSettings> {
    let url = options.database_url.as_deref()?;
    let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    // The store reads the options after the question mark: the driver supports fewer of them.
    let address = url.split('?').next().unwrap_or_default();
    if !postgres || address.parse::<tokio_postgres::Config>().is_err() {
        complain(wrong, "database-url", "must be postgres://user:password@host/database");
    }
    Some(DatabaseSettings {
        url: url.into(),
        pool_size: numbers.pool_size,
        statement_timeout: seconds(numbers.statement_timeout_seconds),
        migrate: options.migrate.unwrap_or_default(),
    })
}

fn redis(options: &Options, wrong: &mut Vec<String>) -> Option<RedisSettings> {
    let urls: Vec<&str> = options.redis_url.as_deref()?.split(',').map(str::trim).collect();
    let known = |url: &&str| {
        Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss" | "unix" | "redis+unix"))
    };
    if !urls.iter().all(known) {
        complain(wrong, "redis-url", "must be redis://host or rediss://host, or several of them separated by commas");
    }
    Some(RedisSettings {
        cluster: options.redis_cluster.unwrap_or_default() || urls.len() > 1,
        urls: urls.into_iter().map(SecretString::from).collect(),
    })
}

fn auth(options: &Options, numbers: &Numbers, files: &Files, wrong: &mut Vec<String>) -> AuthSettings {
    let cookie = options.cookie.clone().unwrap_or_default();
    if cookie.is_empty() || !cookie.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        complain(wrong, "cookie", "must be characters of A-Z, a-z, 0-9, _, - and .");
    }
    AuthSettings {
        secrets: secrets(options, files, wrong),
        public_keys: public_keys(options, files, wrong),
        jwks_url: jwks_url(options, wrong),
        issuer: options.jwt_issuer.clone(),
        audience: options.jwt_audience.clone(),
        leeway: seconds(numbers.jwt_leeway_seconds),
        cookie,
        query_token: options.query_token.unwrap_or_default(),
    }
}

fn secrets(options: &Options, files: &Files, wrong: &mut Vec<String>) -> Option<Secrets> {
    let read = Secrets::parse(options.jwt_secret.as_deref()?);
    read.map_err(|problem| wrong.push(format!("{}: {problem}", files.source("jwt-secret")))).ok()
}

fn public_keys(options: &Options, files: &Files, wrong: &mut Vec<String>) -> Vec<PublicKey> {
    let Some(text) = &options.jwt_public_key else { return Vec::new() };
    let source = files.source("jwt-public-key");
    // Some platforms keep variables on one line.
    let blocks = pem::blocks(&text.replace("\\n", "\n")).unwrap_or_else(|problem| {
        wrong.push(format!("{source}: {problem}"));
        Vec::new()
    });
    blocks.into_iter().map(|(line, pem)| PublicKey { pem, place: format!("{source}: line {line}") }).collect()
}

fn jwks_url(options: &Options, wrong: &mut Vec<String>) -> Option<Url> {
    let url = Url::parse(options.jwks_url.as_deref()?).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if url.is_none() {
        complain(wrong, "jwks-url", "must be an https:// or http:// URL");
    }
    url
}

fn origins(options: &Options, wrong: &mut Vec<String>) -> Vec<String> {
    let given = options.cors_origins.clone().unwrap_or_default();
    let origins: Vec<_> = given.iter().map(|origin| origin.trim().to_owned()).filter(|text| !text.is_empty()).collect();
    let is_origin = |text: &String| Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == *text);
    let any = origins.iter().any(|origin| origin == "*");
    if any && origins.len() > 1 {
        complain(wrong, "cors-origins", "`*` stands alone");
    }
    if !any && !origins.iter().all(is_origin) {
        complain(wrong, "cors-origins", "must be origins like https://app.example.com, without a path, or `*`");
    }
    origins
}

fn log(options: &Options, wrong: &mut Vec<String>) -> Option<String> {
    let filter = options.log.clone()?;
    if let Err(error) = env_filter::Builder::new().try_parse(&filter) {
        complain(wrong, "log", &error.to_string());
    }
    Some(filter)
}

fn stream(options: &Options, numbers: &Numbers) -> StreamSettings {
    StreamSettings {
        takeover: options.stream_takeover.unwrap_or(true),
        heartbeat: seconds(numbers.heartbeat_seconds),
        max_lifetime: seconds(numbers.max_lifetime_seconds),
        per_user: numbers.max_connections_per_user,
        per_instance: numbers.max_connections,
        max_replay: numbers.max_replay,
        page_rows: numbers.page_rows,
        ring_frames: numbers.ring_frames,
        ring_bytes: numbers.ring_bytes,
        signal_ring: numbers.signal_ring,
        write_stall: seconds(numbers.write_stall_seconds),
        messages_per_second: numbers.websocket_messages_per_second,
        retry: Duration::from_millis(numbers.retry_ms),
        head_check: seconds(numbers.head_check_seconds),
    }
}

fn publish(options: &Options, numbers: &Numbers) -> PublishSettings {
    PublishSettings {
        body_bytes: numbers.body_bytes,
        recipients: numbers.max_recipients,
        open_fanouts: numbers.max_open_fanouts,
        batch_items: numbers.batch_items,
        commit_rows: numbers.commit_rows,
        writers: numbers.writers,
        queue: numbers.publish_queue,
        inlet_look: Duration::from_millis(numbers.inlet_ms),
        inlet_listen: options.inlet_listen.unwrap_or_default(),
    }
}

fn kinds(options: &Options, wrong: &mut Vec<String>) -> Seed {
    let text = match &options.kinds_file {
        None => Ok(SHIPPED.to_owned()),
        Some(path) => fs::read_to_string(path).map_err(|error| vec![format!("{}: {error}", path.display())]),
    };
    text.and_then(|text| Seed::parse(&text)).unwrap_or_else(|problems| {
        problems.iter().for_each(|problem| complain(wrong, "kinds-file", problem));
        Seed::default()
    })
}

fn signals(numbers: &Numbers) -> SignalSettings {
    SignalSettings {
        data_bytes: numbers.signal_bytes,
        per_user: numbers.signals_per_user,
        per_tenant: numbers.signals_per_tenant,
    }
}

fn retention(numbers: &Numbers) -> RetentionSettings {
    RetentionSettings {
        keep: days(numbers.keep_days),
        remember: days(numbers.remember_days),
        sweep: seconds(numbers.sweep_seconds),
    }
}
