//! Revoked users and tokens.

use chrono::{DateTime, TimeDelta};

use super::*;
use crate::auth::{Revocation, RevocationList, Target};

fn identity(issued_at: Option<i64>, token_id: Option<&str>) -> Identity {
    Identity {
        key: crate::domain::user::UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() },
        publish: false,
        admin: false,
        expires_at: DateTime::from_timestamp(4_000_000_000, 0).unwrap(),
        issued_at: issued_at.map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap()),
        token_id: token_id.map(Into::into),
        topics: Vec::new(),
    }
}

fn revocations(tenant: &str, target: Target, ends_in: Option<TimeDelta>) -> RevocationList {
    let revocations = RevocationList::default();
    let revoked_at = DateTime::from_timestamp_millis(1_000_700).unwrap();
    let expires_at = ends_in.map(|delta| Utc::now() + delta);
    revocations.replace(vec![Revocation { tenant: tenant.parse().unwrap(), target, revoked_at, expires_at }]);
    revocations
}

#[test]
fn a_users_older_tokens_are_refused_and_newer_ones_are_not() {
    let revocations = revocations("t", Target::User("u".parse().unwrap()), None);
    assert!(revocations.refuses(&identity(Some(999), None)));
    assert!(revocations.refuses(&identity(Some(1_000), None)), "of the same second");
    assert!(revocations.refuses(&identity(None, None)), "of unknown age");
    assert!(!revocations.refuses(&identity(Some(1_001), None)));
    revocations.replace(Vec::new());
    assert!(!revocations.refuses(&identity(Some(999), None)));
}

#[test]
fn a_token_is_refused_by_its_id() {
    let revocations = revocations("t", Target::Token("j".into()), None);
    assert!(revocations.refuses(&identity(Some(5_000), Some("j"))));
    assert!(!revocations.refuses(&identity(Some(5_000), Some("k"))));
    assert!(!revocations.refuses(&identity(Some(5_000), None)));
}

#[test]
fn another_tenants_revocation_and_one_that_ended_refuse_no_token() {
    for target in [Target::User("u".parse().unwrap()), Target::Token("j".into())] {
        let token = identity(Some(1), Some("j"));
        assert!(!revocations("other", target.clone(), None).refuses(&token));
        assert!(!revocations("t", target.clone(), Some(TimeDelta::seconds(-5))).refuses(&token));
        assert!(revocations("t", target, Some(TimeDelta::hours(1))).refuses(&token));
    }
}

#[tokio::test]
async fn the_authenticator_asks_for_revocations() {
    let authenticator = Authenticator::new(&with_secret(), None).unwrap();
    let token = hs256(&claims(json!({"jti": "j", "tenant": "t"})));
    assert!(authenticator.authenticate(&token).await.is_ok());
    let target = Target::Token("j".into());
    let revoked_at = Utc::now();
    let one = Revocation { tenant: "t".parse().unwrap(), target, revoked_at, expires_at: None };
    authenticator.revocations().replace(vec![one]);
    assert_eq!(authenticator.authenticate(&token).await, Err(Rejected::Revoked));
}
