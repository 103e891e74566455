//! How a connection to Postgres is secured, after libpq's `sslmode`.
//!
//! `disable`; `prefer` (the default) and `require` encrypt without asking who answers; `verify-ca` and `verify-full`
//! check the certificate and the host's name against `sslrootcert` or the system's roots.

use std::{path::PathBuf, str::FromStr, sync::Arc};

use anyhow::Context as _;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

/// A parsed `DATABASE_URL`.
#[derive(Clone)]
pub(super) struct Target {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        // The parse errors of the URL are not shown: they could quote the password.
        let mut url = Url::parse(text).map_err(|_| anyhow::anyhow!("not a postgres:// URL"))?;
        let (mode, root) = take_tls_options(&mut url);
        let verify = matches!(mode.as_deref(), Some("verify-ca" | "verify-full"));
        let mut config = tokio_postgres::Config::from_str(url.as_str())
            .map_err(|_| anyhow::anyhow!("not a usable postgres:// URL"))?;
        config.ssl_mode(match mode.as_deref() {
            None | Some("prefer" | "allow") => SslMode::Prefer,
            Some("disable") => SslMode::Disable,
            Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(_) => anyhow::bail!("sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
        });
        config.application_name("tidings").connect_timeout(std::time::Duration::from_secs(5));
        config.keepalives_idle(std::time::Duration::from_secs(30));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = if verify { verifying(provider, root)? } else { trusting(provider)? };
        Ok(Self { config, tls: MakeRustlsConnect::new(tls) })
    }
}

/// Takes `sslmode` and `sslrootcert` out of the URL: the driver does not know all their values.
fn take_tls_options(url: &mut Url) -> (Option<String>, Option<PathBuf>) {
    let (mut mode, mut root, mut rest) = (None, None, Vec::new());
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "sslmode" => mode = Some(value.into_owned()),
            "sslrootcert" => root = Some(PathBuf::from(value.as_ref())),
            _ => rest.push((name.into_owned(), value.into_owned())),
        }
    }
    if rest.is_empty() {
        url.set_query(None);
    } else {
        url.query_pairs_mut().clear().extend_pairs(rest);
    }
    (mode, root)
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

/// Accepts whoever answers, as libpq does below `verify-ca`; the handshake's signatures are still checked.
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

pub(super) async fn connect(target: &Target) -> ConnectionResult<AsyncPgConnection> {
    let (client, connection) = target
        .config
        .connect(target.tls.clone())
        .await
        .map_err(|error| ConnectionError::BadConnection(describe(&error)))?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
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
