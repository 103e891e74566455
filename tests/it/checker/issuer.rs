//! Signs the tokens of publishers and subscribers, and may change its secret meanwhile.

use std::sync::{Arc, RwLock};

use jsonwebtoken::{Algorithm, EncodingKey};

use crate::harness::{Token, token::SECRET};

/// Where everybody gets a token, at each request anew; cheap to clone.
#[derive(Clone)]
pub struct Issuer(Arc<RwLock<String>>);

impl Default for Issuer {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(SECRET.to_owned())))
    }
}

impl Issuer {
    /// Signs with another secret from now on.
    pub fn sign_with(&self, secret: &str) {
        secret.clone_into(&mut self.0.write().unwrap());
    }

    /// A token that is signed now.
    pub fn sign(&self, token: &Token) -> String {
        token.sign_with(Algorithm::HS256, &EncodingKey::from_secret(self.0.read().unwrap().as_bytes()))
    }
}
