//! Tokens that must and must not get in, and the keys they are verified with.

use std::time::Duration;

use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{Authenticator, Identity, Rejected, jwks::Rhythm};
use crate::config::AuthSettings;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn settings() -> AuthSettings {
    AuthSettings {
        secret: None,
        public_key: None,
        jwks_url: None,
        issuer: None,
        audience: None,
        leeway: Duration::from_secs(30),
        cookie: "tidings_token".into(),
        query_token: false,
    }
}

fn with_secret() -> AuthSettings {
    AuthSettings { secret: Some(SECRET.into()), ..settings() }
}

/// A key pair made for this run.
struct Pair {
    algorithm: Algorithm,
    private: EncodingKey,
    public_pem: String,
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

impl Pair {
    fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = pem("PRIVATE KEY", pair.as_der().unwrap().as_ref());
        Self {
            algorithm: Algorithm::RS256,
            private: EncodingKey::from_rsa_pem(private.as_bytes()).unwrap(),
            public_pem: pem(
                "PUBLIC KEY",
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap().as_ref(),
            ),
        }
    }

    fn ec() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        Self {
            algorithm: Algorithm::ES256,
            private: EncodingKey::from_ec_der(private.as_ref()),
            public_pem: pem(
                "PUBLIC KEY",
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap().as_ref(),
            ),
        }
    }

    fn ed() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        Self {
            algorithm: Algorithm::EdDSA,
            private: EncodingKey::from_ed_der(private.as_ref()),
            public_pem: pem(
                "PUBLIC KEY",
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap().as_ref(),
            ),
        }
    }

    fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(Into::into), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.private).unwrap()
    }

    fn jwk(&self, kid: &str) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm).unwrap();
        jwk.common.key_id = Some(kid.into());
        serde_json::to_value(jwk).unwrap()
    }
}

fn claims(changes: Value) -> Value {
    let now = Utc::now().timestamp();
    let mut claims = json!({"sub": "u1", "iat": now, "exp": now + 60});
    let Value::Object(changes) = changes else { unreachable!() };
    for (name, value) in changes {
        claims[name] = value;
    }
    claims
}

fn hs256(claims: &Value) -> String {
    hs256_with(SECRET.as_bytes(), claims)
}

fn hs256_with(secret: &[u8], claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret)).unwrap()
}

async fn verdict(settings: &AuthSettings, token: &str) -> Result<Identity, Rejected> {
    Authenticator::new(settings, None).unwrap().authenticate(token).await
}

async fn of_claims(changes: Value) -> Result<Identity, Rejected> {
    verdict(&with_secret(), &hs256(&claims(changes))).await
}

#[tokio::test]
async fn a_token_becomes_an_identity() {
    let identity = of_claims(json!({"tenant": "acme", "scope": "read publish", "jti": "t1"})).await.unwrap();
    assert_eq!((identity.key.tenant.as_str(), identity.key.user.as_str()), ("acme", "u1"));
    assert!(identity.publish && !identity.admin);
    assert_eq!(identity.token_id.as_deref(), Some("t1"));
    assert!(identity.issued_at.unwrap() < identity.expires_at);
}

#[tokio::test]
async fn scopes_are_whole_words_and_the_tenant_has_a_default() {
    let identity = of_claims(json!({"scope": "publisher unadmin"})).await.unwrap();
    assert!(!identity.publish && !identity.admin);
    assert_eq!(identity.key.tenant.as_str(), "default");
    let admin = of_claims(json!({"scope": "admin"})).await.unwrap();
    assert!(admin.admin && admin.publish);
}

#[tokio::test]
async fn every_kind_of_public_key_verifies_its_own_tokens_only() {
    let (rsa, ec, ed) = (Pair::rsa(), Pair::ec(), Pair::ed());
    for pair in [&rsa, &ec, &ed] {
        let settings = AuthSettings { public_key: Some(pair.public_pem.clone()), ..settings() };
        assert!(verdict(&settings, &pair.sign(None, &claims(json!({})))).await.is_ok(), "{:?}", pair.algorithm);
        for other in [&rsa, &ec, &ed].into_iter().filter(|other| other.algorithm != pair.algorithm) {
            let answer = verdict(&settings, &other.sign(None, &claims(json!({})))).await;
            assert_eq!(answer, Err(Rejected::Signature));
        }
    }
}

#[tokio::test]
async fn a_public_key_is_never_a_secret() {
    for pair in [Pair::rsa(), Pair::ec(), Pair::ed()] {
        let settings = AuthSettings { public_key: Some(pair.public_pem.clone()), ..settings() };
        let der = STANDARD.decode(pair.public_pem.lines().nth(1).unwrap()).unwrap();
        for secret in [pair.public_pem.as_bytes(), pair.public_pem.trim_end().as_bytes(), &der] {
            let forged = hs256_with(secret, &claims(json!({"scope": "admin"})));
            assert_eq!(verdict(&settings, &forged).await, Err(Rejected::Signature));
        }
    }
}

#[tokio::test]
async fn a_token_without_signature_is_refused_however_it_is_written() {
    let pair = Pair::rsa();
    let settings = AuthSettings { public_key: Some(pair.public_pem), ..with_secret() };
    let body = URL_SAFE_NO_PAD.encode(claims(json!({})).to_string());
    for algorithm in ["none", "None", "NONE", "nOnE", "", "HS257"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "typ": "JWT"}).to_string());
        for token in [format!("{header}.{body}."), format!("{header}.{body}"), format!("{header}.{body}.AAAA")] {
            assert_eq!(verdict(&settings, &token).await, Err(Rejected::Malformed), "{algorithm}");
        }
    }
    for algorithm in ["HS256", "RS256", "HS512"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm}).to_string());
        assert_eq!(verdict(&settings, &format!("{header}.{body}.")).await, Err(Rejected::Signature), "{algorithm}");
    }
}

#[tokio::test]
async fn a_key_in_the_header_of_the_token_is_not_used() {
    let (ours, theirs) = (Pair::ec(), Pair::ec());
    let settings = AuthSettings { public_key: Some(ours.public_pem), ..settings() };
    let jwk = Jwk::from_encoding_key(&theirs.private, Algorithm::ES256).unwrap();
    let header = Header { jwk: Some(jwk), ..Header::new(Algorithm::ES256) };
    let forged = encode(&header, &claims(json!({})), &theirs.private).unwrap();
    assert_eq!(verdict(&settings, &forged).await, Err(Rejected::Signature));
}

#[tokio::test]
async fn extensions_that_the_token_calls_critical_are_refused() {
    let header = Header { crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::HS256) };
    let token = encode(&header, &claims(json!({})), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    assert_eq!(verdict(&with_secret(), &token).await, Err(Rejected::Malformed));
}

#[tokio::test]
async fn texts_that_are_no_tokens_are_refused() {
    assert_eq!(verdict(&with_secret(), "").await, Err(Rejected::Missing));
    let long = hs256(&claims(json!({"padding": "x".repeat(8192)})));
    for text in ["x", "a.b.c", "..", "....", "\u{1f600}.\u{1f600}.\u{1f600}", &long] {
        assert_eq!(verdict(&with_secret(), text).await, Err(Rejected::Malformed), "{text:.20}");
    }
    let mut tampered = hs256(&claims(json!({})));
    tampered.insert(tampered.rfind('.').unwrap(), 'A');
    assert!(verdict(&with_secret(), &tampered).await.is_err());
}

#[tokio::test]
async fn times_are_checked_with_leeway() {
    let now = Utc::now().timestamp();
    assert!(of_claims(json!({"exp": now - 10})).await.is_ok());
    assert_eq!(of_claims(json!({"exp": now - 31})).await, Err(Rejected::Expired));
    assert!(of_claims(json!({"nbf": now + 10})).await.is_ok());
    assert_eq!(of_claims(json!({"nbf": now + 300})).await, Err(Rejected::NotYetValid));
    assert_eq!(of_claims(json!({"iat": now + 300})).await, Err(Rejected::NotYetValid));
    #[allow(clippy::cast_precision_loss)]
    let fraction = of_claims(json!({"exp": now as f64 + 60.9})).await.unwrap();
    assert_eq!(fraction.expires_at.timestamp(), now + 60);
}

#[tokio::test]
async fn claims_that_are_not_as_they_must_be_are_named() {
    let name = |answer: Result<Identity, Rejected>| match answer {
        Err(Rejected::Claims(text)) => text,
        other => panic!("{other:?}"),
    };
    let wrong = [
        ("sub", vec![json!(null), json!(1), json!(""), json!("a\nb"), json!("a\u{0}"), json!("a".repeat(257))]),
        ("tenant", vec![json!("a b"), json!(""), json!(1), json!("a".repeat(65)), json!("a:b")]),
        ("scope", vec![json!(["publish"]), json!(1)]),
        ("exp", vec![json!(null), json!("1"), json!(1e300), json!(i64::MAX)]),
        ("nbf", vec![json!("soon"), json!(-1e300)]),
        ("iat", vec![json!({})]),
        ("jti", vec![json!(1), json!(""), json!("x".repeat(257)), json!("a\u{0}")]),
    ];
    for (claim, values) in wrong {
        for value in values {
            let message = name(of_claims(json!({claim: value})).await);
            assert!(message.contains(claim), "{claim}: {message}");
        }
    }
}

#[tokio::test]
async fn issuer_and_audience_must_match_where_they_are_configured() {
    let strict = AuthSettings { issuer: Some("i".into()), audience: Some("a".into()), ..with_secret() };
    for good in [json!({"iss": "i", "aud": "a"}), json!({"iss": "i", "aud": ["b", "a"]})] {
        assert!(verdict(&strict, &hs256(&claims(good.clone()))).await.is_ok(), "{good}");
        assert!(of_claims(good).await.is_ok());
    }
    let wrong = [
        json!({"aud": "a"}),
        json!({"iss": "i"}),
        json!({"iss": "x", "aud": "a"}),
        json!({"iss": ["i"], "aud": "a"}),
        json!({"iss": "i", "aud": "x"}),
        json!({"iss": "i", "aud": []}),
        json!({"iss": "i", "aud": {"a": 1}}),
    ];
    for bad in wrong {
        let answer = verdict(&strict, &hs256(&claims(bad.clone()))).await;
        assert!(matches!(answer, Err(Rejected::Claims(_))), "{bad}");
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused_at_the_start() {
    let refused =
        |pem: String| Authenticator::new(&AuthSettings { public_key: Some(pem), ..settings() }, None).is_err();
    let weak = [&[0x30, 0x81, 0x9f][..], &[0; 156]].concat();
    let private = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
    for wrong in ["".into(), "a secret".into(), pem("PUBLIC KEY", &weak), pem("PRIVATE KEY", private.as_ref())] {
        assert!(refused(wrong));
    }
    assert!(Authenticator::new(&settings(), None).is_err(), "no key at all");
}

#[tokio::test]
async fn the_generated_secret_counts_only_where_no_key_is_configured() {
    let local = || Some(SecretString::from("the generated secret of this machine"));
    let token = hs256_with(b"the generated secret of this machine", &claims(json!({})));
    assert!(Authenticator::new(&settings(), local()).unwrap().authenticate(&token).await.is_ok());
    let configured = Authenticator::new(&with_secret(), local()).unwrap();
    assert_eq!(configured.authenticate(&token).await, Err(Rejected::Signature));
}

mod key_sets {
    use super::*;

    const EAGER: Rhythm = Rhythm { pause: Duration::ZERO, renew: Duration::from_secs(300) };
    const LAZY: Rhythm = Rhythm { pause: Duration::from_secs(300), renew: Duration::from_secs(300) };

    async fn serving(keys: &[Value]) -> MockServer {
        let server = MockServer::start().await;
        serve(&server, ResponseTemplate::new(200).set_body_json(json!({"keys": keys}))).await;
        server
    }

    async fn serve(server: &MockServer, answer: ResponseTemplate) {
        server.reset().await;
        Mock::given(any()).respond_with(answer).mount(server).await;
    }

    fn authenticator(server: &MockServer, rhythm: Rhythm) -> Authenticator {
        let settings = AuthSettings { jwks_url: Some(server.uri().parse().unwrap()), ..settings() };
        Authenticator::with_rhythm(&settings, None, rhythm).unwrap()
    }

    async fn fetches(server: &MockServer) -> usize {
        server.received_requests().await.unwrap().len()
    }

    #[tokio::test]
    async fn the_key_that_the_token_names_verifies_it_after_one_fetch() {
        let (rsa, ec, ed) = (Pair::rsa(), Pair::ec(), Pair::ed());
        let server = serving(&[rsa.jwk("r"), ec.jwk("e"), ed.jwk("d")]).await;
        let authenticator = authenticator(&server, LAZY);
        let tokens = [
            rsa.sign(Some("r"), &claims(json!({}))),
            ec.sign(Some("e"), &claims(json!({}))),
            ed.sign(None, &claims(json!({}))),
        ];
        for token in &tokens {
            assert!(authenticator.authenticate(token).await.is_ok());
        }
        assert_eq!(fetches(&server).await, 1);
    }

    #[tokio::test]
    async fn an_unknown_key_costs_one_fetch_and_no_more_within_the_pause() {
        let (ours, theirs) = (Pair::ec(), Pair::ec());
        let server = serving(&[ours.jwk("1")]).await;
        let authenticator = authenticator(&server, LAZY);
        let tokens: Vec<_> = (0..20).map(|n| theirs.sign(Some(&format!("x{n}")), &claims(json!({})))).collect();
        let answers =
            futures_util::future::join_all(tokens.iter().map(|token| authenticator.authenticate(token))).await;
        assert!(answers.iter().all(|answer| *answer == Err(Rejected::Signature)));
        assert_eq!(fetches(&server).await, 1);
        assert_eq!(
            authenticator.authenticate(&theirs.sign(Some("1"), &claims(json!({})))).await,
            Err(Rejected::Signature)
        );
    }

    #[tokio::test]
    async fn a_rotated_key_is_fetched_and_the_withdrawn_one_goes() {
        let (old, new) = (Pair::ec(), Pair::ec());
        let server = serving(&[old.jwk("1")]).await;
        let authenticator = authenticator(&server, EAGER);
        let (before, after) = (old.sign(Some("1"), &claims(json!({}))), new.sign(Some("2"), &claims(json!({}))));
        assert!(authenticator.authenticate(&before).await.is_ok());
        serve(&server, ResponseTemplate::new(200).set_body_json(json!({"keys": [new.jwk("2")]}))).await;
        assert!(authenticator.authenticate(&after).await.is_ok());
        assert_eq!(authenticator.authenticate(&before).await, Err(Rejected::Signature));
    }

    #[tokio::test]
    async fn known_keys_go_on_working_while_the_issuer_is_away() {
        let (ours, theirs) = (Pair::ec(), Pair::ec());
        let server = serving(&[ours.jwk("1")]).await;
        let authenticator = authenticator(&server, EAGER);
        let good = ours.sign(Some("1"), &claims(json!({})));
        assert!(authenticator.authenticate(&good).await.is_ok());
        serve(&server, ResponseTemplate::new(500)).await;
        let unknown = theirs.sign(Some("2"), &claims(json!({})));
        assert_eq!(authenticator.authenticate(&unknown).await, Err(Rejected::KeysUnavailable));
        assert!(authenticator.authenticate(&good).await.is_ok());
    }

    #[tokio::test]
    async fn answers_that_are_no_key_set_leave_the_keys_unavailable() {
        let pair = Pair::ec();
        let token = pair.sign(Some("1"), &claims(json!({})));
        let elsewhere = serving(&[pair.jwk("1")]).await;
        let answers = [
            ResponseTemplate::new(200).set_body_string("<html>"),
            ResponseTemplate::new(200).set_body_json(json!({"keys": []})),
            ResponseTemplate::new(200).set_body_string(" ".repeat(300 * 1024)),
            ResponseTemplate::new(302).insert_header("location", elsewhere.uri()),
        ];
        let server = MockServer::start().await;
        for answer in answers {
            serve(&server, answer).await;
            assert_eq!(authenticator(&server, EAGER).authenticate(&token).await, Err(Rejected::KeysUnavailable));
        }
        assert_eq!(fetches(&elsewhere).await, 0, "a redirect is not followed");
    }

    #[tokio::test]
    async fn keys_for_other_uses_and_symmetric_ones_are_not_taken() {
        let pair = Pair::ec();
        let mut encryption = pair.jwk("1");
        encryption["use"] = json!("enc");
        let mut mislabelled = pair.jwk("2");
        mislabelled["alg"] = json!("ES384");
        let symmetric = json!({"kty": "oct", "kid": "3", "k": URL_SAFE_NO_PAD.encode(SECRET), "alg": "HS256"});
        let unreadable = json!({"kty": "EC", "crv": "secp256k1", "kid": "4", "x": 1});
        let server = serving(&[encryption, mislabelled, symmetric, unreadable, Pair::ec().jwk("5")]).await;
        let authenticator = authenticator(&server, LAZY);
        for kid in ["1", "2"] {
            let token = pair.sign(Some(kid), &claims(json!({})));
            assert_eq!(authenticator.authenticate(&token).await, Err(Rejected::Signature));
        }
        let header = Header { kid: Some("3".into()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &claims(json!({})), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
        assert_eq!(authenticator.authenticate(&token).await, Err(Rejected::Signature));
    }

    #[tokio::test]
    async fn a_secret_and_a_key_set_work_side_by_side() {
        let pair = Pair::ec();
        let server = serving(&[pair.jwk("1")]).await;
        let settings = AuthSettings { jwks_url: Some(server.uri().parse().unwrap()), ..with_secret() };
        let authenticator = Authenticator::new(&settings, None).unwrap();
        assert!(authenticator.authenticate(&hs256(&claims(json!({})))).await.is_ok());
        assert_eq!(fetches(&server).await, 0);
        assert!(authenticator.authenticate(&pair.sign(Some("1"), &claims(json!({})))).await.is_ok());
    }
}

mod revoked {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::auth::{Revocation, Revocations, Target};

    fn identity(issued_at: Option<i64>, token_id: Option<&str>) -> Identity {
        Identity {
            key: crate::notification::UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() },
            publish: false,
            admin: false,
            expires_at: DateTime::from_timestamp(4_000_000_000, 0).unwrap(),
            issued_at: issued_at.map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap()),
            token_id: token_id.map(Into::into),
        }
    }

    fn revocations(tenant: &str, target: Target, ends_in: Option<TimeDelta>) -> Revocations {
        let revocations = Revocations::default();
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
    fn another_tenants_revocation_and_one_that_ended_refuse_nobody() {
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
}

mod secrets {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::auth::{Grant, Ticket, local_secret, mint};

    #[test]
    fn processes_that_start_at_once_get_the_same_secret() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        let threads: Vec<_> =
            (0..8).map(|_| data.clone()).map(|data| std::thread::spawn(move || local_secret(&data).unwrap())).collect();
        let secrets: Vec<_> =
            threads.into_iter().map(|thread| thread.join().unwrap().expose_secret().to_owned()).collect();
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
        let key = crate::notification::UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() };
        let grant = Grant { key: key.clone(), scope: "admin".into(), ttl: Duration::from_secs(60), token_id: None };
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
}
