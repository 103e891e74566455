//! Makes tokens as a customer's backend would.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// The HS256 secret of every instance that a test starts, unless it says otherwise.
pub const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough-for-hs256";

/// Claims on their way to a signed token.
#[derive(Clone)]
pub struct Token {
    claims: Value,
    header: Header,
}

impl Token {
    /// A token of `user`, good for an hour.
    pub fn of(user: &str) -> Self {
        let claims = json!({"sub": user, "iat": now(), "exp": now() + 3600});
        Self { claims, header: Header::new(Algorithm::HS256) }
    }

    /// A backend's token: it may publish.
    pub fn publisher() -> Self {
        Self::of("backend").scope("publish")
    }

    /// An administrator's token.
    pub fn admin() -> Self {
        Self::of("operator").scope("admin")
    }

    pub fn tenant(self, tenant: &str) -> Self {
        self.claim("tenant", json!(tenant))
    }

    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", json!(scope))
    }

    /// Sets the end, in seconds from now; negative for a token that has ended.
    pub fn expires_in(self, seconds: i64) -> Self {
        self.claim("exp", json!(now() + seconds))
    }

    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    /// Names the key in the header.
    pub fn key_id(mut self, kid: &str) -> Self {
        self.header.kid = Some(kid.to_owned());
        self
    }

    /// Signs with the tests' secret.
    pub fn sign(&self) -> String {
        self.sign_with(Algorithm::HS256, &EncodingKey::from_secret(SECRET.as_bytes()))
    }

    pub fn sign_with(&self, algorithm: Algorithm, key: &EncodingKey) -> String {
        let header = Header { alg: algorithm, ..self.header.clone() };
        jsonwebtoken::encode(&header, &self.claims, key).unwrap()
    }

    /// The claims under `alg: none`.
    pub fn unsigned(&self) -> String {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        format!("{header}.{}.", BASE64_URL_SAFE_NO_PAD.encode(self.claims.to_string()))
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}
