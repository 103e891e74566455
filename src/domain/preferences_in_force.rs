//! How preferences are shown: with the channels in force for every category and kind. Rendering only.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::ToSchema;

use super::preferences::Preferences;
use crate::domain::{
    channel::{Cause, Channel, Decision},
    kinds::{Defaults, Kinds},
    problem::Problem,
    user::Tenant,
};

/// Preferences with the channels in force.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    /// The preferences of the user.
    #[serde(flatten)]
    pub preferences: &'a Preferences,
    /// The channels in force: only shown, and ignored when a client sends them back.
    pub in_force: InForce,
    /// The settings that have no effect, such as quiet hours in a time zone that is gone. Absent when there are none; ignored when
    /// a client sends it back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub problems: Vec<Problem>,
}

/// The channels in force now, without quiet hours and mutes.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct InForce {
    /// By category, for kinds without a word of their own.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, Standing>>)]
    pub categories: BTreeMap<String, BTreeMap<Channel, Standing>>,
    /// By kind.
    pub kinds: BTreeMap<String, KindInForce>,
}

/// A kind and its channels.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct KindInForce {
    /// Its category.
    #[schema(required)]
    pub category: Option<String>,
    /// Whether its channels cannot be switched off.
    pub mandatory: bool,
    /// By channel.
    #[schema(value_type = BTreeMap<String, Standing>)]
    pub channels: BTreeMap<Channel, Standing>,
}

/// Whether a channel is taken, and the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Standing {
    /// Whether it is taken.
    pub on: bool,
    /// The cause of the decision.
    pub cause: Cause,
}

fn standings(decision: Decision) -> BTreeMap<Channel, Standing> {
    let standing = |channel| {
        let (on, cause) = decision.outcome(channel);
        (channel, Standing { on, cause })
    };
    Channel::ALL.into_iter().map(standing).collect()
}

impl InForce {
    /// Of a user's preferences: everything that the tenant, the server or the user has a word on.
    pub fn of(preferences: &Preferences, kinds: &Kinds, tenant: &Tenant) -> Self {
        let mut known = kinds.all(tenant);
        for name in preferences.kinds.keys() {
            known.entry(name.clone()).or_insert_with(|| kinds.of(tenant, name));
        }
        let defaults = kinds.defaults(tenant);
        let mut categories: BTreeSet<&str> = known.values().filter_map(|kind| kind.category.as_deref()).collect();
        categories.extend(defaults.categories.keys().chain(preferences.categories.keys()).map(String::as_str));
        let by_category = |name: &str| {
            let base = base(&defaults, name);
            (name.to_owned(), standings(preferences.standing("", Some(name), base)))
        };
        let categories = categories.into_iter().map(by_category).collect();
        let by_kind = |(name, kind): (String, crate::domain::kinds::Kind)| {
            let category = kind.category.clone();
            let decision = preferences.standing(&name, category.as_deref(), kind.decision(category.as_deref()));
            (name, KindInForce { category, mandatory: kind.mandatory, channels: standings(decision) })
        };
        Self { categories, kinds: known.into_iter().map(by_kind).collect() }
    }
}

/// The channels of a category for kinds and users without a choice of their own.
fn base(defaults: &Defaults, category: &str) -> Decision {
    Channel::ALL.into_iter().fold(Decision::NONE, |decision, channel| {
        let (on, cause) = defaults.choice(Some(category), channel);
        decision.and(channel, on, cause)
    })
}
