//! Tokens, keys and secrets on both sides of each bound.

use super::{
    key_sets::{authenticator, fetches, serve, serving},
    *,
};
use crate::auth::{
    Grant, TOKEN_BYTES,
    claims::{Claims, Rules},
    header,
    jwks::SET_BYTES,
    mint,
};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING};
use chrono::DateTime;

fn identity(claims: Value, now: i64) -> Result<Identity, Rejected> {
    let claims: Claims = serde_json::from_value(claims).unwrap();
    claims.identity(&Rules::new(&settings()), DateTime::from_timestamp(now, 0).unwrap())
}

#[test]
fn the_times_of_a_token_count_to_the_second_within_the_leeway() {
    let verdict = |claims: Value| identity(claims, 1_000).err();
    assert_eq!(verdict(json!({"sub": "u", "exp": 971})), None);
    assert_eq!(verdict(json!({"sub": "u", "exp": 970})), Some(Rejected::Expired));
    for name in ["iat", "nbf"] {
        assert_eq!(verdict(json!({"sub": "u", "exp": 2_000, name: 1_030})), None);
        assert_eq!(verdict(json!({"sub": "u", "exp": 2_000, name: 1_031})), Some(Rejected::NotYetValid));
    }
    assert_eq!(verdict(json!({"sub": "u"})), Some(Rejected::Claims("the token has no exp")));
    assert_eq!(verdict(json!({"exp": 2_000})), Some(Rejected::Claims("the token has no sub")));
}

#[test]
fn claims_are_taken_up_to_their_longest() {
    let token = identity(
        json!({"sub": "u".repeat(256), "tenant": "t".repeat(64), "exp": 2, "jti": "j".repeat(256), "topics": vec!["t"; 100]}),
        1,
    );
    let token = token.unwrap();
    assert_eq!((token.token_id, token.topics.len()), (Some("j".repeat(256)), 100));
}

#[test]
fn a_token_has_a_greatest_length_and_nothing_but_a_signature() {
    let begin = |header: Value| URL_SAFE_NO_PAD.encode(header.to_string());
    let plain = begin(json!({"alg": "HS256"}));
    let padded = |bytes: usize| format!("{plain}.{}.", "A".repeat(bytes - plain.len() - 2));
    assert_eq!(padded(TOKEN_BYTES).len(), TOKEN_BYTES);
    assert!(header(&padded(TOKEN_BYTES)).is_ok());
    assert_eq!(header(&padded(TOKEN_BYTES + 1)).err(), Some(Rejected::Malformed));
    for more in [json!({"alg": "HS256", "zip": "DEF"}), json!({"alg": "HS256", "enc": "A256GCM"})] {
        assert_eq!(header(&format!("{}.e30.AA", begin(more.clone()))).err(), Some(Rejected::Malformed), "{more}");
    }
}

#[tokio::test]
async fn a_minted_token_holds_all_that_was_granted() {
    let key = crate::domain::user::UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() };
    let grant = Grant {
        key,
        scope: String::new(),
        ttl: Duration::from_mins(1),
        token_id: Some("j".into()),
        topics: vec!["team:*".parse().unwrap()],
    };
    let now = DateTime::from_timestamp(Utc::now().timestamp(), 0).unwrap();
    let token = mint(&SECRET.into(), &with_secret(), &grant, now).unwrap();
    let identity = verdict(&with_secret(), &token).await.unwrap();
    assert_eq!((identity.issued_at, identity.expires_at), (Some(now), now + Duration::from_mins(1)));
    assert_eq!((identity.token_id, identity.topics), (grant.token_id.clone(), grant.topics.clone()));
    assert!(!identity.publish && !identity.admin);
    let endless = Grant { ttl: Duration::MAX, ..grant };
    assert!(mint(&SECRET.into(), &with_secret(), &endless, now).is_err());
}

#[tokio::test]
async fn a_key_on_p_384_is_taken_and_one_on_p_521_is_not() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384 = Pair {
        algorithm: Algorithm::ES384,
        private: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()),
        public_pem: public_pem(pair.public_key()),
    };
    let by_pem = with_keys(&[&p384.public_pem]);
    assert!(verdict(&by_pem, &p384.sign(None, &claims(json!({})))).await.is_ok());
    let server = serving(&[p384.jwk("1")]).await;
    let by_set = authenticator(&server, Rhythm::default());
    assert!(by_set.authenticate(&p384.sign(Some("1"), &claims(json!({})))).await.is_ok());
    let p521 = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
    let unknown = with_keys(&[&public_pem(p521.public_key())]);
    assert!(Authenticator::new(&unknown, None).is_err());
}

#[tokio::test]
async fn a_key_set_is_read_up_to_its_greatest_size() {
    let pair = Pair::ec();
    let token = pair.sign(Some("1"), &claims(json!({})));
    let set = json!({"keys": [pair.jwk("1")]}).to_string();
    let server = MockServer::start().await;
    for (bytes, fits) in [(SET_BYTES, true), (SET_BYTES + 1, false)] {
        serve(&server, ResponseTemplate::new(200).set_body_string(set.clone() + &" ".repeat(bytes - set.len()))).await;
        let authenticator = authenticator(&server, Rhythm::default());
        let answer = authenticator.authenticate(&token).await;
        assert_eq!((answer.is_ok(), is_open(&answer)), (fits, !fits));
    }
}

/// A token of an unknown key causes a fetch of the set, after a fetch that continues behind an earlier request.
#[tokio::test]
async fn keys_are_fetched_behind_a_request_when_they_are_old_or_the_last_fetch_failed() {
    for (renew, fetched) in [(Duration::from_mins(5), 2), (Duration::ZERO, 3)] {
        let (ours, theirs) = (Pair::ec(), Pair::ec());
        let (good, unknown) = (ours.sign(Some("1"), &claims(json!({}))), theirs.sign(Some("2"), &claims(json!({}))));
        let server = serving(&[ours.jwk("1")]).await;
        let authenticator = authenticator(&server, Rhythm { pause: Duration::ZERO, renew });
        assert!(authenticator.authenticate(&good).await.is_ok());
        assert!(authenticator.authenticate(&good).await.is_ok());
        assert_eq!(authenticator.authenticate(&unknown).await, Err(Rejected::Signature));
        assert_eq!(fetches(&server).await, fetched, "{renew:?}");
        serve(&server, ResponseTemplate::new(500)).await;
        assert!(is_open(&authenticator.authenticate(&unknown).await));
        assert!(authenticator.authenticate(&good).await.is_ok());
        assert!(is_open(&authenticator.authenticate(&unknown).await));
        assert_eq!(fetches(&server).await, 3, "{renew:?}");
    }
}

#[tokio::test]
async fn within_the_pause_a_failed_fetch_is_not_repeated() {
    let pair = Pair::ec();
    let server = MockServer::start().await;
    serve(&server, ResponseTemplate::new(500)).await;
    let authenticator = authenticator(&server, Rhythm::default());
    for _ in 0..3 {
        let answer = authenticator.authenticate(&pair.sign(Some("1"), &claims(json!({})))).await;
        assert!(is_open(&answer), "{answer:?}");
    }
    assert_eq!(fetches(&server).await, 1);
    let forged = hs256(&claims(json!({})));
    assert_eq!(authenticator.authenticate(&forged).await, Err(Rejected::Signature), "no set has secrets");
}

#[tokio::test]
async fn a_set_without_a_key_that_is_known_here_leaves_the_keys_unavailable() {
    let part = |bytes| URL_SAFE_NO_PAD.encode(vec![1; bytes]);
    let p521 = json!({"kty": "EC", "crv": "P-521", "kid": "1", "x": part(66), "y": part(66)});
    let odd = json!({"kty": "OKP", "crv": "P-256", "kid": "1", "x": part(32)});
    let token = Pair::ec().sign(Some("1"), &claims(json!({})));
    for key in [p521, odd] {
        let server = serving(&[key]).await;
        let authenticator = authenticator(&server, Rhythm::default());
        assert!(is_open(&authenticator.authenticate(&token).await));
    }
}

#[tokio::test]
async fn a_signed_text_that_holds_no_claims_is_malformed() {
    for odd in [json!(5), json!("sub")] {
        assert_eq!(verdict(&with_secret(), &hs256(&odd)).await, Err(Rejected::Malformed), "{odd}");
    }
}

#[tokio::test]
async fn a_token_for_other_audiences_is_refused() {
    let strict = AuthSettings { audience: Some("a".into()), ..with_secret() };
    let answer = verdict(&strict, &hs256(&claims(json!({"aud": ["b", "c"]})))).await;
    assert_eq!(answer, Err(Rejected::Claims("the token is for another audience")));
}
