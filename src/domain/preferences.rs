//! The preferences of a user: one document, parsed and bounded here.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::{
    channel::{Cause, Channel, Choices, Decision},
    kinds::Kinds,
    problem::{self, Problem, Problems, escape},
    text::{Malformed, as_text, word},
    topic::MutedUntil,
    user::Tenant,
    zones::ZoneName,
};

/// Most categories and kinds that a user has a word on.
const ENTRIES: usize = 200;
/// Fields of the answer that are no preferences; they are ignored when a client sends them back.
const SHOWN: [&str; 2] = ["inForce", "problems"];

/// The preferences of a user. Every field is optional.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(as = Settings, example = json!({"categories": {"payments": {"email": true}}, "kinds": {"call_completed": {"inbox": false}},
    "quietHours": {"from": "22:00", "to": "07:00", "timeZone": "Europe/Berlin"}}))]
pub struct Preferences {
    /// By category: `inbox`, `toast`, `browser`, `push`, `email`, `sms`, each true or false; where nothing is said the kind's
    /// default holds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, BTreeMap<String, bool>>)]
    pub categories: BTreeMap<String, Choices>,
    /// By kind, which wins over the category. A mandatory kind's channels cannot be switched off.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, BTreeMap<String, bool>>)]
    pub kinds: BTreeMap<String, Choices>,
    /// When nothing but the inbox is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// Until when nothing but the inbox is used: a time to come before the year 2200, or `forever`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2027-01-31T08:00:00Z")]
    pub mute_until: Option<MutedUntil>,
}

/// Hours of the user's own clock. Notifications that are critical and of a mandatory kind pass through them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "an object with from, to, timeZone and perhaps days"
)]
pub struct QuietHours {
    /// When they begin.
    #[schema(value_type = String, example = "22:00")]
    pub from: Clock,
    /// When they end: on the next day, if that is before they begin.
    #[schema(value_type = String, example = "07:00")]
    pub to: Clock,
    /// Name of the IANA time zone, in any case; a name that IANA has replaced is kept as the one of today.
    #[schema(value_type = String, example = "Europe/Berlin")]
    pub time_zone: ZoneName,
    /// The days on which they begin; all when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<BTreeSet<Day>>,
}

/// A time of day, `00:00` to `23:59`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Clock(String);
as_text!(Clock);

impl Clock {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Clock {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let below = |digits: &str, end| digits.bytes().all(|byte| byte.is_ascii_digit()) && digits < end;
        let well = text.len() == 5
            && text
                .split_once(':')
                .is_some_and(|(hour, minute)| hour.len() == 2 && below(hour, "24") && below(minute, "60"));
        if well { Ok(Self(text.to_owned())) } else { Err(Malformed("a time of day from 00:00 to 23:59")) }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// The pointer to the zone of quiet hours.
const TIME_ZONE: &str = "/quietHours/timeZone";

/// The facts against which preferences are checked.
pub struct Checks<'a> {
    /// The user's tenant.
    pub tenant: &'a Tenant,
    /// The kinds, some of which are mandatory.
    pub kinds: &'a Kinds,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Preferences {
    /// Reads a document as a client sends it.
    ///
    /// # Errors
    /// When it is no such document; a JSON pointer names the fault.
    pub fn parse(document: &Value) -> Result<Self, Problems> {
        let Some(fields) = document.as_object() else { return Err(Problems::one("", "must be a JSON object")) };
        let mut fields = fields.clone();
        SHOWN.iter().for_each(|shown| drop(fields.remove(*shown)));
        problem::from_value(&Value::Object(fields))
    }

    /// These preferences after a merge patch (RFC 7396).
    ///
    /// # Errors
    /// When the result is no such document; a JSON pointer names the fault.
    pub fn patched(&self, patch: &Value) -> Result<Self, Problems> {
        if !patch.is_object() {
            return Err(Problems::one("", "must be a JSON object"));
        }
        // Starting from an empty document would delete preferences that the patch does not name.
        let mut document = serde_json::to_value(self).map_err(|error| Problems::one("", error.to_string()))?;
        merge(&mut document, patch);
        Self::parse(&document)
    }

    /// Checks the bounds. Values that the preferences held before stay allowed: a kind may have become mandatory
    /// since, a time zone may have lost its name, and a mute may be over.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn check(&self, before: &Self, checks: &Checks<'_>) -> Result<(), Problems> {
        let mut found = Problems::default();
        if self.categories.len() + self.kinds.len() > ENTRIES {
            found.note("", Err(Malformed("at most 200 categories and kinds in all")));
        }
        for (part, names) in [("categories", self.categories.keys()), ("kinds", self.kinds.keys())] {
            names.for_each(|name| found.note(format!("/{part}/{}", escape(name)), word(name)));
        }
        for (name, choices) in &self.kinds {
            let kind = checks.kinds.of(checks.tenant, name);
            let base = kind.decision(kind.category.as_deref());
            let known = before.kinds.get(name).copied().unwrap_or_default();
            for (channel, on) in choices.iter() {
                if !on && base.cause(channel) == Cause::Mandatory && known.get(channel) != Some(on) {
                    let pointer = format!("/kinds/{}/{}", escape(name), channel.as_str());
                    found.note(pointer, Err(Malformed("the kind is mandatory: this cannot be switched off")));
                }
            }
        }
        if let Some(hours) = self.quiet_hours.as_ref().filter(|_| self.quiet_hours != before.quiet_hours) {
            hours.check(&mut found);
        }
        if let Some(until) = self.mute_until.filter(|_| self.mute_until != before.mute_until) {
            found.note("/muteUntil", until.check(checks.now));
        }
        found.into_result()
    }

    /// Preferences that were valid when they were set and have no effect now.
    pub fn problems(&self) -> Vec<Problem> {
        let lost = self.quiet_hours.as_ref().is_some_and(|hours| !hours.time_zone.is_known());
        let detail = "no time zone has this name: there are no quiet hours until another one is set";
        if lost { Problems::one(TIME_ZONE, detail).0 } else { Vec::new() }
    }

    /// The decision of a kind with these preferences, without quiet hours and mutes: the same as in the function `decide_channels`.
    pub fn standing(&self, kind: &str, category: Option<&str>, base: Decision) -> Decision {
        let by_kind = self.kinds.get(kind).copied().unwrap_or_default();
        let by_category = category.and_then(|name| self.categories.get(name)).copied().unwrap_or_default();
        Channel::ALL.into_iter().fold(Decision::NONE, |decision, channel| {
            let (on, cause) = match (base.cause(channel), by_kind.get(channel), by_category.get(channel)) {
                (Cause::Mandatory, ..) => (base.takes(channel), Cause::Mandatory),
                (_, Some(on), _) => (on, Cause::KindPreference),
                (_, None, Some(on)) => (on, Cause::CategoryPreference),
                (cause, None, None) => (base.takes(channel), cause),
            };
            decision.and(channel, on, cause)
        })
    }
}

impl QuietHours {
    fn check(&self, found: &mut Problems) {
        if self.from == self.to {
            found.note("/quietHours/to", Err(Malformed("must differ from the time at which they begin")));
        }
        if !self.time_zone.is_known() {
            found.note(TIME_ZONE, Err(Malformed("not the name of an IANA time zone that is known here")));
        }
        if self.days.as_ref().is_some_and(BTreeSet::is_empty) {
            found.note("/quietHours/days", Err(Malformed("must name a day, or be left out for all of them")));
        }
    }
}

/// RFC 7396, section 2. The depth of a patch is bounded by the parser.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests;
