//! Tokens that must and must not get in, and the keys they are verified with.

mod bounds;
mod key_sets;
mod revoked;
mod secrets;

use std::time::Duration;

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{Authenticator, Identity, Rejected, jwks::Rhythm};
use crate::config::{AuthSettings, PublicKey, Secrets};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn settings() -> AuthSettings {
    AuthSettings {
        secrets: None,
        public_keys: Vec::new(),
        jwks_url: None,
        issuer: None,
        audience: None,
        leeway: Duration::from_secs(30),
        cookie: "tidings_token".into(),
        query_token: false,
    }
}

fn with_secret() -> AuthSettings {
    with_secrets(SECRET)
}

fn with_secrets(text: &str) -> AuthSettings {
    AuthSettings { secrets: Some(Secrets::parse(text).unwrap()), ..settings() }
}

fn with_keys(pems: &[&str]) -> AuthSettings {
    let public_keys = pems.iter().map(|pem| PublicKey { pem: (*pem).to_owned(), place: "keys.pem: line 7".into() });
    AuthSettings { public_keys: public_keys.collect(), ..settings() }
}

/// Whether a refusal may pass by itself, because the keys are not at hand.
fn is_open<T>(answer: &Result<T, Rejected>) -> bool {
    matches!(answer, Err(Rejected::KeysUnavailable(_)))
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

fn public_pem(key: &impl AsDer<PublicKeyX509Der<'static>>) -> String {
    pem("PUBLIC KEY", key.as_der().unwrap().as_ref())
}

impl Pair {
    fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = pem("PRIVATE KEY", pair.as_der().unwrap().as_ref());
        Self {
            algorithm: Algorithm::RS256,
            private: EncodingKey::from_rsa_pem(private.as_bytes()).unwrap(),
            public_pem: public_pem(pair.public_key()),
        }
    }

    fn ec() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        Self {
            algorithm: Algorithm::ES256,
            private: EncodingKey::from_ec_der(private.as_ref()),
            public_pem: public_pem(pair.public_key()),
        }
    }

    fn ed() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        Self {
            algorithm: Algorithm::EdDSA,
            private: EncodingKey::from_ed_der(private.as_ref()),
            public_pem: public_pem(pair.public_key()),
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
    let identity =
        of_claims(json!({"tenant": "acme", "scope": "read publish", "jti": "t1", "topics": ["team:*"]})).await.unwrap();
    assert_eq!((identity.key.tenant.as_str(), identity.key.user.as_str()), ("acme", "u1"));
    assert!(identity.publish && !identity.admin);
    assert_eq!(identity.token_id.as_deref(), Some("t1"));
    assert!(identity.may_join(&"team:7".parse().unwrap()) && !identity.may_join(&"queue:7".parse().unwrap()));
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
        let settings = with_keys(&[&pair.public_pem]);
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
        let settings = with_keys(&[&pair.public_pem]);
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
    let settings = AuthSettings { secrets: with_secret().secrets, ..with_keys(&[&pair.public_pem]) };
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
    let settings = with_keys(&[&ours.public_pem]);
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
        (
            "topics",
            vec![json!("team:7"), json!([1]), json!(["*"]), json!(["team*"]), json!(["a b"]), json!(vec!["t"; 101])],
        ),
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
    let refused = |pem: String| {
        let error = Authenticator::new(&with_keys(&[&Pair::ed().public_pem, &pem]), None).err();
        error.is_some_and(|error| error.to_string() == "keys.pem: line 7")
    };
    let weak = [&[0x30, 0x81, 0x9f][..], &[0; 156]].concat();
    let private = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
    for wrong in [String::new(), "a secret".into(), pem("PUBLIC KEY", &weak), pem("PRIVATE KEY", private.as_ref())] {
        assert!(refused(wrong));
    }
    assert!(Authenticator::new(&settings(), None).is_err(), "no key at all");
}

#[tokio::test]
async fn the_generated_secret_counts_only_where_no_key_is_configured() {
    let local = || Some(Secrets::parse("the generated secret of this machine").unwrap());
    let token = hs256_with(b"the generated secret of this machine", &claims(json!({})));
    assert!(Authenticator::new(&settings(), local()).unwrap().authenticate(&token).await.is_ok());
    let configured = Authenticator::new(&with_secret(), local()).unwrap();
    assert_eq!(configured.authenticate(&token).await, Err(Rejected::Signature));
}

#[tokio::test]
async fn every_one_of_several_secrets_and_keys_verifies() {
    let (one, two) = (Pair::ec(), Pair::ec());
    let (rsa, ed) = (Pair::rsa(), Pair::ed());
    let second = "the second of two secrets, which is as long";
    let keys = with_keys(&[&one.public_pem, &rsa.public_pem, &two.public_pem, &ed.public_pem]);
    let settings = AuthSettings { secrets: with_secrets(&format!("{SECRET}\n{second}")).secrets, ..keys };
    let claims = claims(json!({}));
    for pair in [&one, &two, &rsa, &ed] {
        for kid in [None, Some("any")] {
            assert!(verdict(&settings, &pair.sign(kid, &claims)).await.is_ok(), "{:?}", pair.algorithm);
        }
    }
    for secret in [SECRET, second] {
        assert!(verdict(&settings, &hs256_with(secret.as_bytes(), &claims)).await.is_ok());
    }
    for forged in [format!("{SECRET}\n{second}"), format!("{SECRET}\n"), "a third secret, as long as the others".into()]
    {
        assert_eq!(verdict(&settings, &hs256_with(forged.as_bytes(), &claims)).await, Err(Rejected::Signature));
    }
    assert_eq!(verdict(&settings, &Pair::ec().sign(None, &claims)).await, Err(Rejected::Signature));
}
