//! The secrets that this instance makes itself: its signing secret, tokens and tickets.

use secrecy::ExposeSecret;

use super::*;
use crate::auth::{Grant, Ticket, local_secret, mint, read_local_secret};

fn read(data: &std::path::Path) -> Vec<String> {
    local_secret(data).unwrap().iter().map(|secret| secret.expose_secret().to_owned()).collect()
}

#[test]
fn processes_that_start_at_once_get_the_same_secret() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b");
    let threads: Vec<_> = (0..8).map(|_| data.clone()).map(|data| std::thread::spawn(move || read(&data))).collect();
    let secrets: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(secrets.len(), 8);
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
}

#[cfg(unix)]
#[test]
fn the_file_of_the_generated_secret_may_hold_several() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read_local_secret(dir.path()).unwrap().is_none());
    let made = read(dir.path());
    assert_eq!(read(dir.path()), made, "it is made once");
    let path = dir.path().join("jwt-secret");
    for (written, read_back) in
        [(format!("{SECRET}\n"), vec![SECRET]), (format!("{}\n{SECRET}\n", made[0]), vec![&made[0], SECRET])]
    {
        std::fs::write(&path, written).unwrap();
        assert_eq!(read(dir.path()), read_back);
        assert_eq!(read_local_secret(dir.path()).unwrap().unwrap().signing().expose_secret(), read_back[0]);
    }
    for (wrong, line) in [
        (SECRET[1..].to_owned(), "line 1"),
        (format!("{SECRET}\n\n"), "line 2"),
        (format!("{SECRET}\nshort"), "line 2"),
    ] {
        std::fs::write(&path, wrong).unwrap();
        let told = format!("{:#}", local_secret(dir.path()).unwrap_err());
        assert!(told.contains(path.to_str().unwrap()) && told.contains(line) && !told.contains("0123"), "{told}");
    }
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
