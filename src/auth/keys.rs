//! A key and the one algorithm it is for.

use anyhow::{bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use secrecy::{ExposeSecret, SecretString};

use super::{Rejected, claims::Claims};

/// Fewest bytes of an RSA modulus: 2048 bits (RFC 7518, 3.3).
const MODULUS_BYTES: usize = 256;
/// The object identifiers of the curves, as a public key contains them (RFC 5480, 2.1.1.1).
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// A key that verifies tokens.
pub(super) struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    verifier: DecodingKey,
    validation: Validation,
}

impl Key {
    fn new(id: Option<String>, algorithm: Algorithm, verifier: DecodingKey) -> Self {
        // The library checks the signature only: `claims` reads all claims, with our clock and messages.
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { id, algorithm, verifier, validation }
    }

    /// The key of HS256 tokens.
    pub(super) fn from_secret(secret: &SecretString) -> Self {
        Self::new(None, Algorithm::HS256, DecodingKey::from_secret(secret.expose_secret().as_bytes()))
    }

    /// A public key; its kind decides the algorithm.
    ///
    /// # Errors
    /// When it is not a public key of a kind we know, or too weak.
    pub(super) fn from_pem(pem: &str) -> anyhow::Result<Self> {
        ensure!(!pem.contains("PRIVATE KEY"), "this is a private key: give the public key only");
        let bytes = pem.as_bytes();
        if let Ok(key) = DecodingKey::from_rsa_pem(bytes) {
            ensure!(der(pem).len() > MODULUS_BYTES, "the RSA key has fewer than 2048 bits");
            return Ok(Self::new(None, Algorithm::RS256, key));
        }
        if let Ok(key) = DecodingKey::from_ec_pem(bytes) {
            let der = der(pem);
            let is = |curve: &[u8]| der.windows(curve.len()).any(|window| window == curve);
            return match () {
                () if is(P256) => Ok(Self::new(None, Algorithm::ES256, key)),
                () if is(P384) => Ok(Self::new(None, Algorithm::ES384, key)),
                () => bail!("the EC key is on neither P-256 nor P-384"),
            };
        }
        if let Ok(key) = DecodingKey::from_ed_pem(bytes) {
            return Ok(Self::new(None, Algorithm::EdDSA, key));
        }
        bail!("this is not the PEM of an RSA, P-256, P-384 or Ed25519 public key (BEGIN PUBLIC KEY)")
    }

    /// A key of a set; none when it is not for signatures or of a kind we do not know. A symmetric one never is.
    pub(super) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        let named = jwk.common.key_algorithm.map(Algorithm::try_from).transpose().ok()?;
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => named.unwrap_or(Algorithm::RS256),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => Algorithm::ES384,
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            _ => return None,
        };
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let fits = algorithm.family() == key.family() && named.is_none_or(|named| named == algorithm);
        fits.then(|| Self::new(jwk.common.key_id.clone(), algorithm, key))
    }

    /// Whether a token with this header may be signed by this key.
    pub(super) fn signs(&self, header: &Header) -> bool {
        let same_id = self.id.is_none() || header.kid.is_none() || self.id == header.kid;
        self.algorithm == header.alg && same_id
    }

    /// Whether the token names this very key.
    pub(super) fn is_named(&self, header: &Header) -> bool {
        self.id.is_some() && self.id == header.kid
    }

    /// The claims of a token that one of these keys signed.
    ///
    /// # Errors
    /// As [`Self::verify`]; [`Rejected::Signature`] when there is no key at all.
    pub(super) fn first_of<'a>(keys: impl IntoIterator<Item = &'a Self>, token: &str) -> Result<Claims, Rejected> {
        let answers = keys.into_iter().map(|key| key.verify(token));
        let mut decided = answers.filter(|answer| !matches!(answer, Err(Rejected::Signature)));
        decided.next().unwrap_or(Err(Rejected::Signature))
    }

    /// The claims of a token that this key signed.
    ///
    /// # Errors
    /// [`Rejected::Signature`] when it did not, [`Rejected::Malformed`] when there is nothing to read.
    pub(super) fn verify(&self, token: &str) -> Result<Claims, Rejected> {
        decode(token, &self.verifier, &self.validation).map(|data| data.claims).map_err(|error| match error.kind() {
            ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => {
                Rejected::Malformed
            }
            _ => Rejected::Signature,
        })
    }
}

/// The bytes of a PEM block that was read before: empty when there is none, which is no key of any algorithm.
fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).unwrap_or_default()
}
