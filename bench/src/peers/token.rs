//! Signs HS256 tokens, thousands of them in a moment.

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Makes tokens with one secret.
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// A signer with this secret.
    ///
    /// # Errors
    /// When the secret cannot be a key.
    pub fn new(secret: &str) -> anyhow::Result<Self> {
        Hmac::new_from_slice(secret.as_bytes()).map(Self).context("the secret cannot be a key")
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(HEADER), BASE64.encode(claims));
        let mut mac = self.0.clone();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature is that of the same input by `openssl dgst -sha256 -hmac`.
    #[test]
    fn a_token_is_signed() {
        let token = Signer::new("0123456789abcdef0123456789abcdef").unwrap().sign(r#"{"sub":"u1"}"#);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(signed, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1MSJ9");
        assert_eq!(signature, "2sySZh7e6CNy1OqNK_2R6EgAvpbxmUMur0WRM6Y9n3c");
    }
}
