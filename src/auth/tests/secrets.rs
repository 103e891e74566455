//! The secrets that this instance makes itself: its signing secret, tokens and tickets.

use secrecy::ExposeSecret;

use super::*;
use crate::auth::{Grant, Ticket, local_secret, mint};

#[test]
fn processes_that_start_at_once_get_the_same_secret() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b");
    let threads: Vec<_> =
        (0..8).map(|_| data.clone()).map(|data| std::thread::spawn(move || local_secret(&data).unwrap())).collect();
    let secrets: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap().expose_secret().to_owned()).collect();
    assert!(secrets.iter().all(|secret| *secret == secrets[0] && secret.len() == 64));
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "no drafts stay behind");
}

#[cfg(unix)]
#[test]
fn the_secret_is_for_its_owner_only() {
    use std::{fs, os::unix::fs::PermissionsExt};
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    local_secret(&data).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("jwt-secret"))), (0o700, 0o600));
    fs::set_permissions(data.join("jwt-secret"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(local_secret(&data).is_err());
    fs::set_permissions(data.join("jwt-secret"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(data.join("jwt-secret"), "short").unwrap();
    assert!(local_secret(&data).is_err());
}

#[tokio::test]
async fn a_minted_token_is_accepted() {
    let settings = AuthSettings { issuer: Some("i".into()), audience: Some("a".into()), ..with_secret() };
    let key = crate::domain::user::UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() };
    let grant = Grant {
        key: key.clone(),
        scope: "admin".into(),
        ttl: Duration::from_mins(1),
        token_id: None,
        topics: Vec::new(),
    };
    let token = mint(&SECRET.into(), &settings, &grant, Utc::now()).unwrap();
    let identity = verdict(&settings, &token).await.unwrap();
    assert_eq!(identity.key, key);
    assert!(identity.admin);
}

#[test]
fn tickets_differ_and_are_found_by_their_hash() {
    let (one, other) = (Ticket::random(), Ticket::random());
    assert_ne!(one.text, other.text);
    assert_eq!(Ticket::hash_of(&one.text), Some(one.hash));
    for text in ["", "x", &one.text[1..], &format!("{}A", one.text), &"\u{e9}".repeat(22)] {
        assert_eq!(Ticket::hash_of(text), None, "{text:?}");
    }
}
