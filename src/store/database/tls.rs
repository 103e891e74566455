//! The server of a `DATABASE_URL`, and how a connection to it is secured, after libpq's `sslmode`.
//!
//! `disable`; `prefer` (the default) and `require` encrypt without a check of the certificate; `verify-ca` and `verify-full`
//! check the certificate and the host's name against `sslrootcert` or the system's roots. A socket of Unix needs none.

use std::{
    future::poll_fn,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use anyhow::Context as _;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use percent_encoding::percent_decode_str;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{
    AsyncMessage,
    config::{Host, SslMode, SslNegotiation},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{negotiation::Negotiator, sqlstate::Coded};

/// A parsed `DATABASE_URL`.
#[derive(Clone)]
pub(crate) struct Target {
    config: tokio_postgres::Config,
    negotiator: Negotiator,
    certificates: Option<PathBuf>,
}

impl Target {
    /// The file of the certificates that the URL names.
    pub(crate) fn certificates(&self) -> Option<&Path> {
        self.certificates.as_deref()
    }
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (url, mode, root) = take_tls_options(text);
        let verify = matches!(mode.as_deref(), Some("verify-ca" | "verify-full"));
        // The parser's own error is not shown: it could quote the password.
        let mut config =
            tokio_postgres::Config::from_str(&url).map_err(|_| anyhow::anyhow!("not a usable postgres:// URL"))?;
        let mode = match mode.as_deref() {
            None | Some("prefer" | "allow") => SslMode::Prefer,
            Some("disable") => SslMode::Disable,
            Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(_) => anyhow::bail!("sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
        };
        // With these two the driver asks nothing of the server and hands the socket to the negotiator at once.
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        check_hosts(&mut config)?;
        config.application_name("tidings").connect_timeout(std::time::Duration::from_secs(5));
        config.keepalives_idle(std::time::Duration::from_secs(30));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = if verify { verifying(provider, root.clone())? } else { trusting(provider)? };
        Ok(Self { config, negotiator: Negotiator { mode, tls: MakeRustlsConnect::new(tls) }, certificates: root })
    }
}

/// The driver's negotiator serves hosts with a name. An address without one is named after itself. The directory of a
/// Unix socket must be the only host, because it has no TLS.
fn check_hosts(config: &mut tokio_postgres::Config) -> anyhow::Result<()> {
    let sockets = config.get_hosts().iter().filter(|host| !matches!(host, Host::Tcp(_))).count();
    anyhow::ensure!(
        sockets == 0 || config.get_hosts().len() == 1,
        "the directory of a Unix socket may not stand in a list of hosts"
    );
    if config.get_hosts().is_empty() {
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    Ok(())
}

/// Takes `sslmode` and `sslrootcert` out of the URL: the driver does not know all their values. The rest stays as it
/// is, for a URL with a socket's directory for a host is none to other parsers.
fn take_tls_options(text: &str) -> (String, Option<String>, Option<PathBuf>) {
    let (address, query) = text.split_once('?').unwrap_or((text, ""));
    let (mut mode, mut root, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let decode = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(decode(value)),
            Some(("sslrootcert", value)) => root = Some(PathBuf::from(decode(value))),
            _ => rest.push(pair),
        }
    }
    (format!("{address}?{}", rest.join("&")), mode, root)
}

fn verifying(provider: Arc<CryptoProvider>, root: Option<PathBuf>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match root {
        Some(path) => {
            for certificate in
                CertificateDer::pem_file_iter(&path).with_context(|| format!("sslrootcert {}", path.display()))?
            {
                roots.add(certificate.context("sslrootcert")?).context("sslrootcert")?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn trusting(provider: Arc<CryptoProvider>) -> anyhow::Result<ClientConfig> {
    Ok(ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth())
}

/// Accepts any certificate, as libpq does below `verify-ca`; the handshake's signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) async fn connect(target: &Target) -> ConnectionResult<AsyncPgConnection> {
    #[cfg(unix)]
    if let [Host::Unix(directory)] = target.config.get_hosts() {
        return connect_to_socket(&target.config, directory).await;
    }
    let connected = target.config.connect(target.negotiator.clone()).await;
    let (client, connection) = connected.map_err(|error| ConnectionError::BadConnection(describe(&error)))?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// A server on this machine, which does not encrypt.
#[cfg(unix)]
async fn connect_to_socket(
    config: &tokio_postgres::Config,
    directory: &std::path::Path,
) -> ConnectionResult<AsyncPgConnection> {
    let socket = open_socket(config, directory).await?;
    let connected = config.clone().ssl_mode(SslMode::Disable).connect_raw(socket, tokio_postgres::NoTls).await;
    let (client, connection) = connected.map_err(|error| ConnectionError::BadConnection(describe(&error)))?;
    // Ends when the client is dropped and the answers to its requests have arrived.
    tokio::spawn(connection);
    AsyncPgConnection::try_from(client).await
}

#[cfg(unix)]
async fn open_socket(
    config: &tokio_postgres::Config,
    directory: &std::path::Path,
) -> ConnectionResult<Coded<tokio::net::UnixStream>> {
    let port = config.get_ports().first().unwrap_or(&5432);
    let socket = tokio::net::UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).await;
    socket.map(Coded::new).map_err(|error| ConnectionError::BadConnection(format!("{}: {error}", directory.display())))
}

/// Opens a connection that listens on a channel: `take` gets each payload, `ended` is called when the connection has ended. Both run
/// on the connection's own task, which ends when the client is dropped.
pub(crate) async fn listen(
    target: &Target,
    channel: &str,
    take: impl Fn(&str) + Send + 'static,
    ended: impl FnOnce() + Send + 'static,
) -> Result<tokio_postgres::Client, String> {
    #[cfg(unix)]
    if let [Host::Unix(directory)] = target.config.get_hosts() {
        let socket = open_socket(&target.config, directory).await.map_err(|error| error.to_string())?;
        let connected =
            target.config.clone().ssl_mode(SslMode::Disable).connect_raw(socket, tokio_postgres::NoTls).await;
        let (client, connection) = connected.map_err(|error| describe(&error))?;
        tokio::spawn(drive(connection, take, ended));
        return ask_to_listen(client, channel).await;
    }
    let connected = target.config.connect(target.negotiator.clone()).await;
    let (client, connection) = connected.map_err(|error| describe(&error))?;
    tokio::spawn(drive(connection, take, ended));
    ask_to_listen(client, channel).await
}

async fn ask_to_listen(client: tokio_postgres::Client, channel: &str) -> Result<tokio_postgres::Client, String> {
    let asked = client.batch_execute(&format!("listen {channel}")).await;
    asked.map(|()| client).map_err(|error| describe(&error))
}

/// Serves a connection until it ends.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, take: impl Fn(&str), ended: impl FnOnce())
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(notification) = message {
            take(notification.payload());
        }
    }
    ended();
}

/// The driver's error with its causes, which it leaves out of its own text.
fn describe(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
