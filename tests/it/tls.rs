//! The connection to Postgres is encrypted, and checked when it is asked to be.

use std::path::Path;

use tempfile::TempDir;

use crate::harness::*;

/// Makes a certificate for `127.0.0.1`, signed by itself, and its key: `server.crt` and `server.key`.
pub fn certificate(directory: &Path) {
    let openssl = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=CA:FALSE", "-keyout", "server.key"])
        .args(["-out", "server.crt"])
        .current_dir(directory)
        .output()
        .expect("openssl runs");
    assert!(openssl.status.success(), "{}", String::from_utf8_lossy(&openssl.stderr));
    for file in ["server.key", "server.crt"] {
        postgres::give_to_owner(&directory.join(file));
    }
}

/// A server with a certificate in this directory.
pub async fn secured(directory: &Path) -> Postgres {
    certificate(directory);
    postgres::give_to_owner(directory);
    let file = |name: &str| directory.join(name).display().to_string();
    let certificate = format!("ssl_cert_file={}", file("server.crt"));
    let key = format!("ssl_key_file={}", file("server.key"));
    Postgres::start_with(&["ssl=on", &certificate, &key]).await
}

async fn uses_tls(postgres: &Postgres) -> bool {
    let connection = postgres.connect().await;
    let secured = "select coalesce(bool_and(ssl), false) from pg_stat_ssl join pg_stat_activity using (pid) \
                   where application_name = 'tidings'";
    connection.query_one(secured, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_server_is_checked_against_the_given_root_and_spoken_to_in_secret() {
    let directory = TempDir::new().unwrap();
    let postgres = secured(directory.path()).await;
    let root = directory.path().join("server.crt");
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", postgres.url(), root.display());
    let mut instance = Instance::new(&[("DATABASE_URL", &url)]);
    instance.launch();
    instance.ready().await;
    eventually("the database answers", async || {
        (instance.edge().user("u1").get("/api/notifications").await.status == 200).then_some(())
    })
    .await;
    assert!(uses_tls(&postgres).await);
}

#[tokio::test]
async fn an_untrusted_server_is_refused_when_it_must_be_verified() {
    let directory = TempDir::new().unwrap();
    let postgres = secured(directory.path()).await;
    for (mode, status) in [("verify-full", 503), ("require", 200)] {
        let url = format!("{}?sslmode={mode}", postgres.url());
        let mut instance = Instance::new(&[("DATABASE_URL", &url)]);
        instance.launch();
        instance.ready().await;
        assert_eq!(instance.edge().user("u1").get("/api/notifications").await.status, status, "{mode}");
    }
}
