//! Every setting as it is written: one struct for the flags, the file's keys and the environment's variables.
//!
//! The names, the help texts, the defaults and the bounds are defined only here.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::builder::BoolishValueParser;
use serde::{Deserialize, Serialize};

/// The default address at which HTTP is served.
pub(super) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The environment's name of a setting: `TIDINGS_` and the setting's name, but for those that platforms set.
pub fn variable(name: &str) -> String {
    let upper = name.replace('-', "_").to_uppercase();
    match upper.as_str() {
        "DATABASE_URL" | "DATABASE_URL_FILE" | "REDIS_URL" | "REDIS_URL_FILE" | "PORT" => upper,
        _ => format!("TIDINGS_{upper}"),
    }
}

/// A setting's name as the file and the flags have it.
pub(super) fn key(field: &str) -> String {
    field.replace('_', "-")
}

fn help(doc: &str, field: &str, default: &str) -> String {
    format!("{}{default} [env: {}]", doc.trim().trim_end_matches('.'), variable(field))
}

/// A number with its bounds, checked.
fn bounded<T: Copy + PartialOrd + std::fmt::Display>(
    field: &str,
    value: T,
    least: T,
    most: T,
    wrong: &mut Vec<String>,
) -> T {
    if !(value >= least && value <= most) {
        wrong.push(format!("{} ({}): {value} is not from {least} to {most}", key(field), variable(field)));
    }
    value
}

macro_rules! options {
    (
        texts { $( $heading:literal { $(
            $(#[doc = $doc:literal])+ $(#[arg($($arg:tt)*)])? $text:ident: $text_type:ty $(= $shown:literal)?;
        )* } )* }
        numbers { $( $topic:literal { $(
            $(#[doc = $meaning:literal])+ $number:ident: $number_type:ty = $default:literal, $least:literal to $most:literal;
        )* } )* }
    ) => {
        /// Settings as given by one source or by all of them together; what is none was not given.
        ///
        /// Holds secrets: deliberately without `Debug`.
        #[derive(Clone, Default, clap::Args, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Options {
            /// TOML file with settings. Its keys are the flags without the leading dashes.
            #[arg(long, value_name = "PATH", help_heading = "Sources",
                help = "TOML file with settings. Its keys are the flags without the leading dashes [env: TIDINGS_CONFIG]")]
            #[serde(skip)]
            pub config: Option<PathBuf>,
            $($(
                $(#[doc = $doc])+
                #[arg(long, help_heading = $heading, hide_short_help = true,
                    help = help(concat!($($doc),+), stringify!($text), concat!($(" [default: ", $shown, "]")?))
                    $(, $($arg)*)?)]
                pub $text: Option<$text_type>,
            )*)*
            $($(
                $(#[doc = $meaning])+
                #[arg(long, value_name = "NUMBER", help_heading = $topic, hide_short_help = true,
                    help = help(concat!($($meaning),+), stringify!($number),
                        &format!(" [default: {}, {} to {}]", $default, $least, $most)))]
                pub $number: Option<$number_type>,
            )*)*
        }

        /// The numbers in force.
        pub(super) struct Numbers {
            $($(pub(super) $number: $number_type,)*)*
        }

        impl Options {
            /// The numbers in force; adds a line to `wrong` for each that is out of bounds.
            pub(super) fn numbers(&self, wrong: &mut Vec<String>) -> Numbers {
                Numbers { $($(
                    $number: bounded(stringify!($number), self.$number.unwrap_or($default), $least, $most, wrong),
                )*)* }
            }

            /// Sets every number that was not given to its default.
            pub(super) fn fill_numbers(&mut self) {
                $($(self.$number.get_or_insert($default);)*)*
            }
        }
    };
}

options! {
    texts {
        "Server" {
            /// Address and port to serve HTTP on. An address other than loopback needs a key for tokens.
            #[arg(value_name = "ADDRESS:PORT")]
            listen: SocketAddr = "127.0.0.1:8080";
            /// Port to serve HTTP on at all addresses, as platforms set it. `listen` overrides it.
            #[arg(value_name = "PORT")]
            port: u16;
            /// Directory of the embedded database and of a generated secret.
            #[arg(value_name = "PATH")]
            data_dir: PathBuf = "./tidings-data";
            /// First part of every Redis key and channel: 1 to 32 characters of A-Z, a-z, 0-9, _ and -.
            #[arg(value_name = "TEXT")]
            prefix: String = "tidings";
            /// Origins whose pages may call the API, separated by commas. `*` allows all, without cookies.
            #[arg(value_name = "ORIGINS", value_delimiter = ',')]
            cors_origins: Vec<String>;
            /// Lines to log: levels by module. Without it `RUST_LOG` counts, and without both `warn,tidings=info`.
            #[arg(value_name = "FILTER")]
            log: String;
        }
        "Storage" {
            /// Postgres server, `postgres://user:password@host/database`. Without it the embedded database runs.
            #[arg(value_name = "URL")]
            database_url: String;
            /// File that holds the URL of the Postgres server.
            #[arg(value_name = "PATH")]
            database_url_file: PathBuf;
            /// Run the migrations on start. The embedded database always does.
            #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
                value_parser = BoolishValueParser::new(), hide_possible_values = true)]
            migrate: bool = "false";
            /// Listen for calls of the SQL functions with `wake`, on one more connection to Postgres.
            #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
                value_parser = BoolishValueParser::new(), hide_possible_values = true)]
            inlet_listen: bool = "false";
            /// Redis server, `redis://host` or `rediss://host`. Several URLs, separated by commas, are seed nodes of a cluster.
            #[arg(value_name = "URLS")]
            redis_url: String;
            /// File that holds the URL of the Redis server.
            #[arg(value_name = "PATH")]
            redis_url_file: PathBuf;
            /// The Redis server is a cluster: use sharded pub/sub. Several URLs imply it.
            #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
                value_parser = BoolishValueParser::new(), hide_possible_values = true)]
            redis_cluster: bool = "false";
        }
        "Tokens" {
            /// Secret of HS256 tokens, at least 32 bytes. Up to 4, one on each line: the first signs. Prefer the file: the list of
            /// processes shows flags.
            #[arg(value_name = "SECRET")]
            jwt_secret: String;
            /// File that holds the secret of HS256 tokens, or up to 4 of them, one on each line.
            #[arg(value_name = "PATH")]
            jwt_secret_file: PathBuf;
            /// PEM of the public keys of RS256, ES256, ES384 or `EdDSA` tokens, up to 16.
            #[arg(value_name = "PEM")]
            jwt_public_key: String;
            /// File that holds the PEM of the public keys.
            #[arg(value_name = "PATH")]
            jwt_public_key_file: PathBuf;
            /// URL of the issuer's public keys (JSON Web Key Set).
            #[arg(value_name = "URL")]
            jwks_url: String;
            /// The `iss` that every token must have.
            #[arg(value_name = "TEXT")]
            jwt_issuer: String;
            /// The `aud` that every token must have.
            #[arg(value_name = "TEXT")]
            jwt_audience: String;
            /// Name of the cookie that may carry the token.
            #[arg(value_name = "NAME")]
            cookie: String = "tidings_token";
            /// Accept tokens in the stream's query (`?token=`). Proxies may write them to their logs.
            #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
                value_parser = BoolishValueParser::new(), hide_possible_values = true)]
            query_token: bool = "false";
        }
        "Publishing" {
            /// TOML file with the kinds of notifications. It replaces the shipped file.
            #[arg(value_name = "PATH")]
            kinds_file: PathBuf;
        }
        "Streams" {
            /// Write streams over plain HTTP/1 to their sockets directly (Linux). Otherwise the HTTP server writes them,
            /// which takes several times the memory.
            #[arg(value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
                value_parser = BoolishValueParser::new(), hide_possible_values = true)]
            stream_takeover: bool = "true";
        }
    }
    numbers {
        "Server" {
            /// Time after which the server closes an idle connection, in seconds. A proxy in front must close it sooner.
            keep_alive_seconds: f64 = 75.0, 1.0 to 3_600.0;
        }
        "Tokens" {
            /// Allowed difference between the clocks of the issuer and the server, in seconds.
            jwt_leeway_seconds: f64 = 30.0, 0.0 to 600.0;
        }
        "Storage" {
            /// Most connections of an instance to the Postgres server.
            pool_size: usize = 8, 1 to 1_000;
            /// Longest duration of one SQL statement, in seconds.
            statement_timeout_seconds: f64 = 10.0, 0.1 to 3_600.0;
            /// Time between probe messages over the bus, in seconds.
            probe_seconds: f64 = 1.0, 0.05 to 60.0;
        }
        "Streams" {
            /// Most open streams of an instance.
            max_connections: usize = 20_000, 1 to 1_000_000;
            /// Most open streams of one user on an instance.
            max_connections_per_user: usize = 100, 1 to 100_000;
            /// Time between heartbeats, in seconds.
            heartbeat_seconds: f64 = 20.0, 0.05 to 300.0;
            /// Longest lifetime of a stream, in seconds. The server ends each stream after 75 to 100 % of it.
            max_lifetime_seconds: f64 = 3_600.0, 0.5 to 604_800.0;
            /// Most changes that the server replays to a client that reconnects. If there are more, the verdict is `reset`.
            max_replay: u64 = 5_000, 1 to 1_000_000;
            /// Most rows of one page of a replay.
            page_rows: usize = 200, 1 to 10_000;
            /// Frames kept in memory per connected user.
            ring_frames: usize = 64, 1 to 100_000;
            /// Bytes of frames kept in memory per connected user.
            ring_bytes: usize = 65_536, 1_024 to 67_108_864;
            /// Time after which the server drops a client that accepts no bytes, in seconds.
            write_stall_seconds: f64 = 30.0, 0.1 to 600.0;
            /// Most messages a second from one WebSocket client. A burst may have twice as many.
            websocket_messages_per_second: u32 = 20, 1 to 10_000;
            /// Shortest reconnect delay of clients, in milliseconds. Each client gets a random delay up to twice this.
            retry_ms: u64 = 2_000, 10 to 600_000;
            /// Time between head checks while the bus works, in seconds. Revocations and kinds are reloaded as often.
            head_check_seconds: f64 = 15.0, 0.05 to 3_600.0;
            /// Time from SIGTERM to the drain, in seconds. The instance is not ready, and accepts until load balancers have noticed.
            drain_delay_seconds: f64 = 0.0, 0.0 to 600.0;
            /// Longest time of the drain, from SIGTERM or the end of the delay to the exit, in seconds.
            drain_seconds: f64 = 30.0, 0.0 to 3_600.0;
        }
        "Publishing" {
            /// Most bytes of one publish. A batch may have 16 times as many.
            body_bytes: usize = 65_536, 1_024 to 4_194_304;
            /// Most users that one publish names.
            max_recipients: usize = 1_000, 1 to 100_000;
            /// Most unfinished fan-outs of one tenant. The server refuses further ones with 503.
            max_open_fanouts: usize = 10_000, 1 to 1_000_000;
            /// Most publishes in one batch request.
            batch_items: usize = 1_000, 1 to 10_000;
            /// Most inbox rows of one transaction.
            commit_rows: usize = 1_000, 1 to 100_000;
            /// Most append transactions at the same time.
            writers: usize = 2, 1 to 64;
            /// Most requests that wait for an append transaction. The server refuses further ones with 503.
            publish_queue: usize = 10_000, 1 to 1_000_000;
            /// Time between looks for publishes of the SQL functions, in milliseconds.
            inlet_ms: u64 = 100, 10 to 60_000;
        }
        "Topics" {
            /// Most subscriptions of one user.
            max_subscriptions: usize = 1_000, 1 to 100_000;
        }
        "Signals" {
            /// Most bytes of a signal's data.
            signal_bytes: usize = 4_096, 64 to 65_536;
            /// Most signals a second from one user, per instance.
            signals_per_user: u32 = 20, 1 to 100_000;
            /// Most signals a second from the publishers of one tenant, per instance.
            signals_per_tenant: u32 = 1_000, 1 to 1_000_000;
            /// Signals kept in memory per connected user until all of the user's streams have sent them.
            signal_ring: usize = 32, 1 to 10_000;
            /// Time that a user stays present after the last stream has ended, in seconds. All instances need the same
            /// value.
            presence_grace_seconds: f64 = 6.0, 4.0 to 600.0;
        }
        "Retention" {
            /// Longest time that a notification stays in inboxes, in days.
            keep_days: f64 = 90.0, 0.00001 to 3_650.0;
            /// Time that a removed notification stays available for replay and its idempotency key stays known, in days.
            remember_days: f64 = 7.0, 1.0 to 3_650.0;
            /// Time between sweeps for expired notifications, in seconds.
            sweep_seconds: f64 = 30.0, 0.05 to 86_400.0;
        }
    }
}

impl Options {
    /// Sets everything that was not given and has a default.
    pub(super) fn fill(&mut self) {
        let everywhere = |port| SocketAddr::from(([0, 0, 0, 0], port));
        let listen = self.port.take().map_or(DEFAULT_LISTEN, everywhere);
        self.listen.get_or_insert(listen);
        self.data_dir.get_or_insert_with(|| "./tidings-data".into());
        self.prefix.get_or_insert_with(|| "tidings".into());
        self.cookie.get_or_insert_with(|| "tidings_token".into());
        self.cors_origins.get_or_insert_default();
        self.migrate.get_or_insert(false);
        self.inlet_listen.get_or_insert(false);
        self.stream_takeover.get_or_insert(true);
        self.redis_cluster.get_or_insert(false);
        self.query_token.get_or_insert(false);
        self.fill_numbers();
    }
}
