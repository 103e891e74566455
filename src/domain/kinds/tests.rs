use super::*;

fn tenant(name: &str) -> Tenant {
    name.parse().unwrap()
}

fn own(kinds: &[(&str, Definition)], defaults: Defaults) -> Own {
    let kinds = kinds.iter().map(|(name, definition)| ((*name).to_owned(), Arc::new(definition.clone()))).collect();
    Own { kinds, defaults: Arc::new(defaults) }
}

#[test]
fn the_shipped_file_knows_the_kinds_of_the_examples() {
    let kinds = Kinds::new(Seed::parse(SHIPPED).unwrap());
    let known = kinds.all(&tenant("t"));
    assert_eq!(known.len(), 15);
    assert!(known.values().all(|kind| kind.origin == Origin::Seed && kind.category.is_some()));
    assert_eq!(known["call_escalation"].priority, Some(crate::domain::priority::Priority::Critical));
    assert_eq!(known["system_alert"].priority, None);
    assert_eq!(known["missed_call"].category.as_deref(), Some("missedCalls"));
}

#[test]
fn a_file_with_errors_is_refused_with_their_keys() {
    let wrong = |text: &str| Seed::parse(text).unwrap_err().join("\n");
    assert!(wrong("a = [").contains("line 1"));
    assert_eq!(wrong("a = 1"), r#""a": must be a table"#);
    assert!(wrong("[a]\npriority = 'urgent'").starts_with(r#""a".priority: unknown variant"#));
    assert!(wrong("[a]\ncolour = 'red'").starts_with(r#""a".colour: unknown field"#));
    assert!(wrong("[a]\nchannels = { fax = true }").starts_with(r#""a".channels.fax: an unknown channel"#));
    assert!(wrong("[a]\nchannels = { sms = 1 }").starts_with(r#""a".channels.sms: invalid type"#));
    assert!(wrong("[a]\ntitleTemplate = '{{x}}'").starts_with(r#""a".titleTemplate: between"#));
    for image in [
        "faces/{{data.id}}",
        "http://example.org/a.png",
        "{{data.url}}",
        "https://{{data.host}}/a.png",
        "https:///{{data.host}}/a.png",
        "https://a{{data.host}}",
        "//{{data.host}}",
    ] {
        let wrong = wrong(&format!("[a]\nimageUrlTemplate = '{image}'"));
        assert!(wrong.starts_with(r#""a".imageUrlTemplate: an https URL"#), "{image}: {wrong}");
    }
    assert!(wrong("[a]\nretentionDays = 0").starts_with(r#""a".retentionDays: 1 to"#));
    assert!(wrong("[a]\nmandatory = true\nchannels.inbox = false").starts_with(r#""a".channels.inbox: a mandatory"#));
    let burst = |text| wrong(&format!("[a]\nburst = {{ {text} }}"));
    assert_eq!(burst("most = 0, windowSeconds = 1"), r#""a".burst.most: must be a whole number from 1 to 1000"#);
    assert_eq!(
        burst("most = 1, windowSeconds = 86401"),
        r#""a".burst.windowSeconds: must be a whole number from 1 to 86400"#
    );
    assert!(burst("most = 40000, windowSeconds = 1").contains("1 to 1000"));
    assert!(burst("most = 1").contains("missing field `windowSeconds`"));
    assert!(wrong("['a b']").starts_with(r#""a b": 1 to 64"#));
    assert_eq!(wrong("[a]\nicon = ' '\n[b]\nsound = ''").lines().count(), 2);
}

#[test]
fn the_tenants_word_wins_over_the_seed_and_reaches_no_other_tenant() {
    let kinds = Kinds::new(Seed::parse("[a]\ncategory = 'seeded'\nicon = 'i'").unwrap());
    let definition = Definition { category: Some("own".to_owned()), ..Definition::default() };
    kinds.replace(HashMap::from([(tenant("t"), own(&[("a", definition)], Defaults::default()))]));
    let (own, other, unknown) = (kinds.of(&tenant("t"), "a"), kinds.of(&tenant("u"), "a"), kinds.of(&tenant("u"), "b"));
    assert_eq!((own.origin, own.category.as_deref(), &own.icon), (Origin::Tenant, Some("own"), &None));
    assert_eq!((other.origin, other.category.as_deref()), (Origin::Seed, Some("seeded")));
    assert_eq!((unknown.origin, unknown.decision(None)), (Origin::Default, Decision::PLAIN));
}

#[test]
fn default_channels_are_the_kinds_over_the_tenants() {
    let kinds = Kinds::new(Seed::default());
    let choices = |pairs: &[(Channel, bool)]| {
        let mut choices = crate::domain::channel::Choices::default();
        pairs.iter().for_each(|(channel, on)| choices.set(*channel, *on));
        choices
    };
    let defaults = Defaults {
        channels: choices(&[(Channel::Inbox, false), (Channel::Email, true), (Channel::Sms, true)]),
        categories: BTreeMap::from([("c".to_owned(), choices(&[(Channel::Sms, false)]))]),
        ..Defaults::default()
    };
    let kind = Definition { channels: choices(&[(Channel::Email, false)]), ..Definition::default() };
    let mandatory = Definition { mandatory: true, ..kind.clone() };
    kinds.replace(HashMap::from([(tenant("t"), own(&[("k", kind), ("m", mandatory)], defaults))]));
    let decide = |name: &str, category| kinds.of(&tenant("t"), name).decision(category);
    let plain = decide("k", Some("c"));
    assert_eq!(plain.channels().collect::<Vec<_>>(), [Channel::Toast]);
    assert_eq!(plain.cause(Channel::Email), Cause::KindDefault);
    assert_eq!((plain.cause(Channel::Sms), plain.cause(Channel::Toast)), (Cause::TenantDefault, Cause::Default));
    let mandatory = decide("m", None);
    assert_eq!(mandatory.channels().collect::<Vec<_>>(), [Channel::Inbox, Channel::Toast, Channel::Sms]);
    assert_eq!(
        (mandatory.cause(Channel::Inbox), mandatory.cause(Channel::Email)),
        (Cause::Mandatory, Cause::KindDefault)
    );
}
