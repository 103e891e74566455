//! From the claims of a verified token to an identity. Pure: the clock is handed in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Identity, Rejected};
use crate::{
    config::AuthSettings,
    domain::{topic::TopicPattern, user::UserKey},
};

/// Most patterns of a token's topics.
const TOPIC_PATTERNS: usize = 100;
/// Most bytes of a token's own id.
const TOKEN_ID_BYTES: usize = 256;

/// The claims that a token must have besides a valid signature.
pub(super) struct Rules {
    issuer: Option<String>,
    audience: Option<String>,
    leeway: TimeDelta,
}

impl Rules {
    pub(super) fn new(settings: &AuthSettings) -> Self {
        Self {
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            leeway: TimeDelta::from_std(settings.leeway).unwrap_or_default(),
        }
    }
}

/// The claims we read, as they are: each is checked with a message of its own.
#[derive(Default, Deserialize)]
pub(super) struct Claims {
    sub: Option<Value>,
    tenant: Option<Value>,
    scope: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    iss: Option<Value>,
    aud: Option<Value>,
    jti: Option<Value>,
    topics: Option<Value>,
}

impl Claims {
    /// The claims of a token whose signature was not checked: they may only refuse it.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn unverified(token: &str) -> Result<Self, Rejected> {
        let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        payload.and_then(|json| serde_json::from_slice(&json).ok()).ok_or(Rejected::Malformed)
    }

    /// The latest time at which the token was signed, if it has `iat`: whole seconds, by a clock that may be behind ours.
    pub(super) fn signed_by(&self, rules: &Rules) -> Option<DateTime<Utc>> {
        let issued_at = time(self.iat.as_ref(), "").ok()??;
        issued_at.checked_add_signed(rules.leeway + TimeDelta::seconds(1))
    }

    /// The identity of the token at the time `now`.
    ///
    /// # Errors
    /// Names the first claim that is not as it must be.
    pub(super) fn identity(&self, rules: &Rules, now: DateTime<Utc>) -> Result<Identity, Rejected> {
        let expires_at = time(self.exp.as_ref(), "the token's exp must be a number of seconds since 1970")?
            .ok_or(Rejected::Claims("the token has no exp"))?;
        if now - rules.leeway >= expires_at {
            return Err(Rejected::Expired);
        }
        let issued_at = time(self.iat.as_ref(), "the token's iat must be a number of seconds since 1970")?;
        let not_before = time(self.nbf.as_ref(), "the token's nbf must be a number of seconds since 1970")?;
        // A token from the future would outlive the revocation of its user.
        if [issued_at, not_before].into_iter().flatten().any(|start| start > now + rules.leeway) {
            return Err(Rejected::NotYetValid);
        }
        self.check_parties(rules)?;
        let scope = text(self.scope.as_ref(), "the token's scope must be words separated by spaces")?.unwrap_or("");
        let has = |wanted| scope.split_ascii_whitespace().any(|word| word == wanted);
        Ok(Identity {
            key: self.key()?,
            publish: has("publish") || has("admin"),
            admin: has("admin"),
            expires_at,
            issued_at,
            token_id: self.token_id()?,
            topics: self.topics()?,
        })
    }

    fn check_parties(&self, rules: &Rules) -> Result<(), Rejected> {
        if let Some(issuer) = &rules.issuer
            && self.iss.as_ref().and_then(Value::as_str) != Some(issuer)
        {
            return Err(Rejected::Claims("the token is of another issuer"));
        }
        let Some(audience) = &rules.audience else {
            return Ok(());
        };
        let meant = match &self.aud {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if meant { Ok(()) } else { Err(Rejected::Claims("the token is for another audience")) }
    }

    fn key(&self) -> Result<UserKey, Rejected> {
        const SUBJECT: &str = "the token's sub must be a text of 1 to 256 bytes without control characters";
        const TENANT: &str = "the token's tenant must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -";
        let user = text(self.sub.as_ref(), SUBJECT)?.ok_or(Rejected::Claims("the token has no sub"))?;
        let tenant = text(self.tenant.as_ref(), TENANT)?.unwrap_or("default");
        Ok(UserKey {
            tenant: tenant.parse().map_err(|_| Rejected::Claims(TENANT))?,
            user: user.parse().map_err(|_| Rejected::Claims(SUBJECT))?,
        })
    }

    fn topics(&self) -> Result<Vec<TopicPattern>, Rejected> {
        const WRONG: Rejected = Rejected::Claims(
            "the token's topics must be up to 100 patterns such as team:7 or team:*, each naming a kind",
        );
        let Some(claim) = &self.topics else { return Ok(Vec::new()) };
        let patterns = claim.as_array().filter(|patterns| patterns.len() <= TOPIC_PATTERNS).ok_or(WRONG)?;
        patterns.iter().map(|pattern| pattern.as_str().and_then(|text| text.parse().ok()).ok_or(WRONG)).collect()
    }

    fn token_id(&self) -> Result<Option<String>, Rejected> {
        const WRONG: &str = "the token's jti must be a text of 1 to 256 bytes";
        let id = text(self.jti.as_ref(), WRONG)?;
        // Postgres keeps no NUL, so such an id could never be revoked.
        if id.is_some_and(|id| id.is_empty() || id.len() > TOKEN_ID_BYTES || id.contains('\0')) {
            return Err(Rejected::Claims(WRONG));
        }
        Ok(id.map(ToOwned::to_owned))
    }
}

fn text<'a>(claim: Option<&'a Value>, wrong: &'static str) -> Result<Option<&'a str>, Rejected> {
    claim.map(|claim| claim.as_str().ok_or(Rejected::Claims(wrong))).transpose()
}

/// A `NumericDate` (RFC 7519, 2), rounded down to whole seconds.
fn time(claim: Option<&Value>, wrong: &'static str) -> Result<Option<DateTime<Utc>>, Rejected> {
    #[allow(clippy::cast_possible_truncation, reason = "what does not fit saturates and is no date")]
    let whole = |claim: &Value| claim.as_i64().or_else(|| claim.as_f64().map(|seconds| seconds.floor() as i64));
    let date = |claim| whole(claim).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    claim.map(|claim| date(claim).ok_or(Rejected::Claims(wrong))).transpose()
}
