//! The secret is rotated as `docs/operate.md` says, instance by instance, while publishers and streams go on.

use crate::{
    checker::{Issuer, Run, Shape},
    harness::{instance::setting, token::SECRET, *},
};

const FILE: &str = "TIDINGS_JWT_SECRET_FILE";
const NEW: &str = "the-secret-that-takes-the-place-of-the-first-one";

/// Restarts the instances one after the other with these secrets, the first of which signs.
async fn roll(cluster: &mut Cluster, run: &Run, path: &str, secrets: &[&str]) {
    std::fs::write(path, secrets.join("\n") + "\n").unwrap();
    for instance in &mut cluster.instances {
        let status = instance.terminate().await;
        assert_eq!(status.code(), Some(0), "{status}");
        instance.restart().await;
        run.flow().await;
    }
}

#[tokio::test]
async fn nobody_is_refused_while_the_secret_is_rotated_instance_by_instance() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwt-secret").display().to_string();
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    let mut cluster = cluster().instances(2).set(setting::SECRET, "").set(FILE, &path).start().await;
    let issuer = Issuer::default();
    let by_old = issuer.sign(&Token::of("u1"));
    let shape = Shape { users: 4, connections: 2, issuer: issuer.clone(), ..Shape::default() };
    let run = Run::start(cluster.edges(), shape).await;

    roll(&mut cluster, &run, &path, &[SECRET, NEW]).await;
    issuer.sign_with(NEW);
    let by_new = issuer.sign(&Token::of("u1"));
    run.flow().await;
    for edge in cluster.edges() {
        for token in [&by_old, &by_new] {
            edge.bearer(token).get("/api/notifications").await.expect(200);
        }
    }
    // What the first line is matters to `tidings token` only: both verify meanwhile.
    roll(&mut cluster, &run, &path, &[NEW, SECRET]).await;
    roll(&mut cluster, &run, &path, &[NEW]).await;
    for edge in cluster.edges() {
        edge.bearer(&by_old).get("/api/notifications").await.problem(401);
        edge.bearer(&by_new).get("/api/notifications").await.expect(200);
    }
    run.judge().await;
}

#[tokio::test]
async fn nobody_is_refused_who_comes_by_cookie_while_the_secret_is_rotated() {
    let mut cluster = cluster().start().await;
    let (old, issuer) = (Token::of("u1").sign(), Issuer::default());
    issuer.sign_with(NEW);
    let new = issuer.sign(&Token::of("u1"));
    for (secrets, verdicts) in [
        (format!("{SECRET}\n{NEW}"), [(&old, 200), (&new, 200)]),
        (format!("{NEW}\n{SECRET}"), [(&old, 200), (&new, 200)]),
        (NEW.to_owned(), [(&old, 401), (&new, 200)]),
    ] {
        let instance = &mut cluster.instances[0];
        instance.set(setting::SECRET, &secrets);
        instance.terminate().await;
        instance.restart().await;
        for (token, status) in verdicts {
            let nobody = cluster.edge().nobody();
            let request = nobody.request(reqwest::Method::GET, "/api/notifications");
            let answer = Answer::of(request.header("Cookie", format!("tidings_token={token}"))).await;
            assert_eq!(answer.status, status, "{answer:?}");
        }
    }
}
