//! Key pairs for tokens, new in every run.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A private key to sign with and its public half as PEM.
pub struct KeyPair {
    pub algorithm: Algorithm,
    pub private: EncodingKey,
    pub public_pem: String,
    raw_public: Vec<u8>,
}

impl KeyPair {
    pub fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
        let private = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).unwrap();
        Self {
            algorithm: Algorithm::RS256,
            private,
            public_pem: pem("PUBLIC KEY", public.as_ref()),
            raw_public: Vec::new(),
        }
    }

    pub fn ec() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
        Self {
            algorithm: Algorithm::ES256,
            private: EncodingKey::from_ec_der(private.as_ref()),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
            raw_public: pair.public_key().as_ref().to_vec(),
        }
    }

    pub fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
        Self {
            algorithm: Algorithm::EdDSA,
            private: EncodingKey::from_ed_der(private.as_ref()),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
            raw_public: pair.public_key().as_ref().to_vec(),
        }
    }

    /// A fresh pair for the same algorithm.
    pub fn like(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::RS256 => Self::rsa(),
            Algorithm::ES256 => Self::ec(),
            _ => Self::ed25519(),
        }
    }

    /// The public half as a key of a set.
    pub fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self.algorithm {
            Algorithm::ES256 => {
                // An uncompressed point: a mark, then both coordinates.
                let (x, y) = self.raw_public[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig", "x": text(x), "y": text(y)})
            }
            _ => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "use": "sig", "x": text(&self.raw_public)})
            }
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
