//! Bounds, stored numbers and written forms of the domain's words: each value on both sides of its bound.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Days, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::{
    audience::{Audience, Reason},
    channel::{Cause, Channel, Choices, Decision},
    cursor::{CURSOR_BYTES, Cursor, Epoch},
    kinds::{Defaults, Definition, Kinds, Own, Seed, Template, Values},
    notification::Source,
    precondition::{Precondition, PreconditionFailed, Versioned},
    preferences::Clock,
    priority::Priority,
    problem::{Problem, Problems, deserialize},
    signal::{Address, TopicKey},
    text::{KIND_BYTES, word},
    timing::{Burst, Due, DueState, DueStep},
    topic::{MutedUntil, Rules, TOPIC_BYTES, Topic, TopicKind, TopicPattern},
    user::{Tenant, USER_ID_BYTES, UserId, UserKey},
};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

fn parses<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

#[test]
fn names_are_taken_up_to_their_longest() {
    assert!(parses::<Tenant>(&"a".repeat(64)) && !parses::<Tenant>(&"a".repeat(65)));
    assert!(parses::<UserId>(&"a".repeat(USER_ID_BYTES)) && !parses::<UserId>(&"a".repeat(USER_ID_BYTES + 1)));
    assert!(parses::<Topic>(&"a".repeat(TOPIC_BYTES)) && parses::<Topic>("_") && parses::<Topic>("a_"));
    let epoch = |bytes: usize| format!("{}.1", "e".repeat(bytes - 2));
    assert!(parses::<Cursor>(&epoch(CURSOR_BYTES)) && !parses::<Cursor>(&epoch(CURSOR_BYTES + 1)));
    assert_eq!(word(&"k".repeat(KIND_BYTES)), Ok(()));
    assert!(word(&"k".repeat(KIND_BYTES + 1)).is_err() && word("").is_err() && word("a b").is_err());
    assert_eq!(word("a_B.9:-"), Ok(()));
}

#[test]
fn names_are_written_as_they_were_read() {
    let tenant: Tenant = "acme".parse().unwrap();
    assert_eq!((tenant.to_string(), tenant.as_str()), ("acme".to_owned(), "acme"));
    assert_eq!("u/1".parse::<UserId>().unwrap().as_str(), "u/1");
    let topic: Topic = "team:7".parse().unwrap();
    assert_eq!((topic.to_string(), String::from(topic)), ("team:7".to_owned(), "team:7".to_owned()));
    assert_eq!("team:*".parse::<TopicPattern>().unwrap().as_str(), "team:*");
    assert_eq!("team".parse::<TopicKind>().unwrap().as_str(), "team");
    assert!(!parses::<TopicKind>("team:7") && !parses::<TopicKind>("te am"));
    assert_eq!(Epoch::from("e".to_owned()).as_str(), "e");
    assert_eq!("09:05".parse::<Clock>().unwrap().as_str(), "09:05");
    for wrong in ["009:5", "9:005", "09-05", "0a:05", "24:00", "23:60"] {
        assert!(!parses::<Clock>(wrong), "{wrong}");
    }
    assert!(parses::<Clock>("00:00") && parses::<Clock>("23:59"));
    assert_eq!(
        [Source::Http, Source::Channel, Source::Stream, Source::Sql].map(Source::as_str),
        ["http", "channel", "stream", "sql"]
    );
}

#[test]
fn a_mute_is_written_as_it_is_read() {
    for text in ["forever", "2027-01-31T08:00:00Z", "2027-01-31T08:00:00.250Z"] {
        let until = MutedUntil::try_from(text.to_owned()).unwrap();
        assert_eq!(String::from(until), text);
    }
    assert!(MutedUntil::try_from("never".to_owned()).is_err());
}

#[test]
fn topics_are_for_members_by_default() {
    let Rules { signal_interval, presence, .. } = Rules::default();
    assert_eq!((signal_interval, presence), (Duration::ZERO, true));
}

#[test]
fn an_audience_is_empty_without_topics_and_everyone() {
    let topic: Topic = "team:7".parse().unwrap();
    assert!(Audience { actor: Some("u".parse().unwrap()), ..Audience::default() }.is_empty());
    assert!(!Audience { everyone: true, ..Audience::default() }.is_empty());
    assert!(!Audience { topics: vec![topic], ..Audience::default() }.is_empty());
}

#[test]
fn a_reason_has_a_name_and_only_that_of_a_topic_names_one() {
    let topic: Topic = "team:7".parse().unwrap();
    for (reason, text, named) in [
        (Reason::Direct, "direct", None),
        (Reason::Topic(topic.clone()), "topic", Some(&topic)),
        (Reason::Everyone, "everyone", None),
        (Reason::Rule, "rule", None),
    ] {
        assert_eq!((reason.as_str(), reason.topic()), (text, named));
    }
}

#[test]
fn priorities_rise_and_keep_their_rank_and_name() {
    let all = [Priority::Low, Priority::Medium, Priority::High, Priority::Critical];
    assert!(all.is_sorted());
    for (rank, priority) in (0..).zip(all) {
        assert_eq!((priority.rank(), Priority::from_rank(rank)), (rank, Some(priority)));
        assert_eq!(priority.as_str().parse::<Priority>(), Ok(priority));
        assert_eq!(json!(priority), priority.as_str());
    }
    assert_eq!((Priority::from_rank(-1), Priority::from_rank(4)), (None, None));
    assert!(!parses::<Priority>("urgent"));
}

#[test]
fn a_channel_has_a_name_and_a_choice_of_its_own() {
    let mut choices = Choices::default();
    assert!(choices.is_empty());
    for (index, channel) in Channel::ALL.into_iter().enumerate() {
        assert_eq!((channel.as_str().parse::<Channel>(), json!(channel)), (Ok(channel), json!(channel.as_str())));
        assert_eq!(choices.get(channel), None);
        choices.set(channel, index % 2 == 0);
        assert!(!choices.is_empty());
    }
    let written = json!({"inbox": true, "toast": false, "browser": true, "push": false, "email": true, "sms": false});
    assert_eq!(json!(choices), written);
    assert_eq!(serde_json::from_value::<Choices>(written).unwrap(), choices);
    let wrong = serde_json::from_value::<Choices>(json!([])).unwrap_err().to_string();
    assert!(wrong.contains("channels with true or false each"), "{wrong}");
}

#[test]
fn channels_of_a_page_need_the_item_in_the_inbox() {
    let on = |channels: &[Channel]| {
        channels.iter().fold(Decision::NONE, |decision, channel| decision.and(*channel, true, Cause::KindDefault))
    };
    let lost = on(&[Channel::Toast, Channel::Browser, Channel::Push]);
    for (channel, outcome) in [
        (Channel::Toast, (false, Cause::NotInInbox)),
        (Channel::Browser, (false, Cause::NotInInbox)),
        (Channel::Push, (true, Cause::KindDefault)),
        (Channel::Email, (false, Cause::Default)),
    ] {
        assert_eq!(lost.outcome(channel), outcome);
    }
    assert_eq!(on(&[Channel::Inbox, Channel::Toast]).outcome(Channel::Toast), (true, Cause::KindDefault));
    assert_eq!(on(&[Channel::Push]).outcome(Channel::Toast), (false, Cause::Default));
    assert_eq!(json!(lost), json!(["toast", "browser", "push"]));
    assert_eq!(Decision::from_stored(i64::MAX).cause(Channel::Inbox), Cause::Default, "a later version's cause");
    assert_eq!(Decision::from_stored(lost.stored()), lost);
}

#[test]
fn a_change_is_made_on_the_version_that_it_names() {
    let present = Versioned { document: "a", version: 4 };
    assert_eq!(present.next("b"), Versioned { document: "b", version: 5 });
    assert_eq!((Precondition::Any.check(&present), Precondition::Version(4).check(&present)), (Ok(()), Ok(())));
    assert_eq!(Precondition::Version(5).check(&present), Err(PreconditionFailed));
}

#[test]
fn both_kinds_of_addresses_name_their_tenant() {
    let (ours, user): (Tenant, UserId) = ("t".parse().unwrap(), "u".parse().unwrap());
    let topic = TopicKey { tenant: ours.clone(), topic: "team:7".parse().unwrap() };
    assert_eq!(Address::Topic(topic).tenant(), &ours);
    assert_eq!(Address::User(UserKey { tenant: ours.clone(), user }).tenant(), &ours);
}

#[test]
fn the_state_of_a_due_item_is_read_from_its_stored_form() {
    let all = [DueState::Due, DueState::Overdue, DueState::Acknowledged, DueState::Done, DueState::Cancelled];
    for (code, state) in (1..).zip(all) {
        assert_eq!((state.code(), DueState::from_code(code)), (code, Some(state)));
        assert_eq!(state.is_open(), code <= 2);
    }
    assert_eq!((DueState::from_code(0), DueState::from_code(6)), (None, None));
}

#[test]
fn a_due_time_ends_with_its_last_step() {
    let step = |second| DueStep { at: at(second), topic: None, priority: None };
    assert_eq!(Due { at: at(5), steps: vec![step(3), step(9)] }.end(), at(9));
    assert_eq!(Due { at: at(5), steps: Vec::new() }.end(), at(5));
}

#[test]
fn a_burst_has_its_bounds() {
    let burst = |most: i64, seconds: i64| {
        let read = serde_json::from_value::<Burst>(json!({"most": most, "windowSeconds": seconds}));
        read.ok().map(|burst| (burst.most, burst.window_seconds))
    };
    assert_eq!((burst(1, 1), burst(1_000, 86_400)), (Some((1, 1)), Some((1_000, 86_400))));
    assert_eq!((burst(0, 1), burst(1_001, 1), burst(1, 0), burst(1, 86_401)), (None, None, None, None));
}

#[test]
fn problems_are_listed_by_pointer() {
    let problem = |pointer: &str, detail: &str| Problem { pointer: pointer.to_owned(), detail: detail.to_owned() };
    let problems = Problems(vec![problem("/a", "wrong"), problem("", "too long")]);
    assert_eq!(problems.to_string(), "/a: wrong; too long");
    assert_eq!(problems.below("/x").to_string(), "/x/a: wrong; /x: too long");
    assert_eq!(Problems::default().into_result(), Ok(()));
    let pointer =
        |text: &str| deserialize::<Vec<BTreeMap<String, u8>>>(text.as_bytes()).unwrap_err().0.remove(0).pointer;
    assert_eq!(pointer(r#"[{"a": 1}, {"b/c~d": "x"}]"#), "/1/b~1c~0d");
    assert_eq!(pointer("[] []"), "", "nothing may follow");
    assert_eq!(deserialize::<Vec<u8>>(b"[1]"), Ok(vec![1]));
}

fn pointers(result: Result<(), Problems>) -> Vec<String> {
    result.err().map_or_else(Vec::new, |Problems(list)| list.into_iter().map(|problem| problem.pointer).collect())
}

#[test]
fn a_definition_is_taken_up_to_its_bounds() {
    let template = |chars| Some("ä".repeat(chars).parse::<Template>().unwrap());
    let most = Definition {
        title_template: template(500),
        message_template: template(10_000),
        action_label: Some("ä".repeat(60)),
        retention_days: Some(3_650),
        mandatory: true,
        ..Definition::default()
    };
    assert_eq!(most.check(), Ok(()));
    assert_eq!(Definition { retention_days: Some(1), ..Definition::default() }.check(), Ok(()));
    let more = Definition {
        title_template: template(501),
        message_template: template(10_001),
        action_label: Some("ä".repeat(61)),
        retention_days: Some(3_651),
        ..Definition::default()
    };
    assert_eq!(pointers(more.check()), ["/actionLabel", "/titleTemplate", "/messageTemplate", "/retentionDays"]);
    for label in ["", " ", "a\nb"] {
        let definition = Definition { action_label: Some(label.to_owned()), ..Definition::default() };
        assert_eq!(pointers(definition.check()), ["/actionLabel"], "{label:?}");
    }
    let mut off = Choices::default();
    off.set(Channel::Inbox, false);
    assert_eq!(
        Definition { channels: off, ..Definition::default() }.check(),
        Ok(()),
        "only what is mandatory must reach it"
    );
}

#[test]
fn defaults_are_taken_up_to_their_bounds() {
    let names = |most: usize| (0..most).map(|number| format!("c{number}"));
    let defaults = |most| Defaults {
        categories: names(most).map(|name| (name, Choices::default())).collect(),
        relevance: names(most).map(|name| (name, 60)).collect(),
        ..Defaults::default()
    };
    assert_eq!(defaults(200).check(), Ok(()));
    assert_eq!(pointers(defaults(201).check()), ["/categories", "/relevance"]);
    let relevance = |name: &str, seconds| {
        pointers(Defaults { relevance: [(name.to_owned(), seconds)].into(), ..Defaults::default() }.check())
    };
    assert_eq!((relevance("a", 60), relevance("a", 2_592_000)), (vec![], vec![]));
    for (name, seconds, pointer) in
        [("a", 59, "/relevance/a"), ("a", 2_592_001, "/relevance/a"), ("a/b", 60, "/relevance/a~1b")]
    {
        assert_eq!(relevance(name, seconds), [pointer]);
    }
    let category = Defaults { categories: [("a b".to_owned(), Choices::default())].into(), ..Defaults::default() };
    assert_eq!(pointers(category.check()), ["/categories/a b"]);
}

#[test]
fn missed_calls_lose_their_relevance_after_four_hours_by_default() {
    assert_eq!(Defaults::default().relevance_in_force(), BTreeMap::from([("missedCalls".to_owned(), 14_400)]));
    let own =
        Defaults { relevance: [("missedCalls".to_owned(), 60), ("a".to_owned(), 90)].into(), ..Defaults::default() };
    assert_eq!(own.relevance_in_force(), own.relevance);
}

#[test]
fn a_kind_says_how_it_is_shown_and_how_long_it_is_kept() {
    let kinds = Kinds::new(Seed::parse("[a]\nicon = 'i'\nactionLabel = 'l'\nsound = 's'\nretentionDays = 2").unwrap());
    let tenant: Tenant = "t".parse().unwrap();
    let (known, unknown) = (kinds.of(&tenant, "a"), kinds.of(&tenant, "b"));
    let shown = known.presentation();
    assert_eq!(
        (shown.icon, shown.action_label, shown.sound),
        (Some("i".to_owned()), Some("l".to_owned()), Some("s".to_owned()))
    );
    assert_eq!((known.expires_at(at(0)), unknown.expires_at(at(0))), (at(0).checked_add_days(Days::new(2)), None));
    let defaults = Defaults { relevance: [("a".to_owned(), 90)].into(), ..Defaults::default() };
    let own = Own { kinds: [("c".to_owned(), Definition::default().into())].into(), defaults: defaults.clone().into() };
    kinds.replace([(tenant.clone(), own)].into());
    assert_eq!(kinds.all(&tenant).into_keys().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!((*kinds.defaults(&tenant)).clone(), defaults);
    assert_eq!(*kinds.defaults(&"u".parse().unwrap()), Defaults::default());
}

#[test]
fn a_template_counts_its_characters_and_may_lack_values() {
    let template: Template = "ä{{category}}{{actionUrl}}{{data.a}}".parse().unwrap();
    assert_eq!((template.chars(), template.as_str()), (36, "ä{{category}}{{actionUrl}}{{data.a}}"));
    let values = Values { kind: "k", category: Some("c"), priority: Priority::Low, action_url: None, data: None };
    assert_eq!(template.render(&values), "äc");
}

proptest! {
    #[test]
    fn a_decision_survives_its_number(marks in prop::collection::vec((any::<bool>(), 0_usize..9), 6)) {
        let causes = [
            Cause::Default, Cause::TenantDefault, Cause::KindDefault, Cause::Mandatory, Cause::CategoryPreference,
            Cause::KindPreference, Cause::QuietHours, Cause::Muted, Cause::TopicMuted,
        ];
        let marked = Channel::ALL.into_iter().zip(&marks);
        let decision = marked.clone().fold(Decision::NONE, |decision, (channel, (on, cause))| decision.and(channel, *on, causes[*cause]));
        let read = Decision::from_stored(decision.stored());
        for (channel, (on, cause)) in marked {
            prop_assert_eq!((read.takes(channel), read.cause(channel)), (*on, causes[*cause]));
        }
    }
}
