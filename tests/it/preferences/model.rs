//! The decision of the database against a plain model of it, for random settings, kinds and times.

use jiff::{Timestamp, ToSpan, civil::Time, tz::TimeZone};
use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Map, Value, json};
use tidings::domain::channel::{Cause, Channel, Decision};

use crate::harness::*;

const CASES: usize = 3_000;
const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Moments at which a clock of one of the zones is moved, in seconds since 1970.
const MOVES: [i64; 6] = [1_774_746_000, 1_792_890_000, 1_772_953_200, 1_793_512_800, 1_775_314_800, 1_790_955_000];

const FOREVER: i64 = i64::MAX;

/// The choice for each channel, if any.
type Said = Vec<Option<bool>>;

#[derive(Debug, Clone)]
struct Quiet {
    from: i8,
    to: i8,
    minute: i8,
    zone: usize,
    days: Option<u8>,
}

#[derive(Debug, Clone)]
struct Case {
    /// On or off by default, and by whose word.
    base: Vec<(bool, u8)>,
    mandatory: bool,
    priority: i16,
    by_kind: Said,
    by_category: Said,
    quiet: Option<Quiet>,
    /// Seconds from the moment of the decision to the end of the mute, or [`FOREVER`].
    mute: Option<i64>,
    topic_mute: Option<i64>,
    at: i64,
    has_settings: bool,
}

fn moments() -> impl Strategy<Value = i64> {
    let near_a_move = (0..MOVES.len(), -130_000_i64..130_000).prop_map(|(index, offset)| MOVES[index] + offset);
    prop_oneof![3 => near_a_move, 1 => 1_700_000_000_i64..1_900_000_000]
}

fn cases() -> impl Strategy<Value = Case> {
    let said = || vec(prop_oneof![2 => Just(None), 1 => any::<bool>().prop_map(Some)], 6);
    let hours = (0_i8..24, 0_i8..24).prop_filter("they differ", |(from, to)| from != to);
    let quiet = (hours, 0_i8..60, 0..ZONES.len(), proptest::option::of(1_u8..128))
        .prop_map(|((from, to), minute, zone, days)| Quiet { from, to, minute, zone, days });
    let mute = proptest::option::weighted(0.2, prop_oneof![4 => -5_i64..5, 1 => Just(FOREVER)]);
    let who = (any::<bool>(), 0_i16..4, any::<bool>());
    let when = (proptest::option::weighted(0.7, quiet), mute, proptest::option::weighted(0.2, -5_i64..5), moments());
    (vec((any::<bool>(), 0_u8..3), 6), who, said(), said(), when).prop_map(
        |(base, (mandatory, priority, has_settings), by_kind, by_category, (quiet, mute, topic_mute, at))| Case {
            base,
            mandatory,
            priority,
            by_kind,
            by_category,
            quiet,
            mute,
            topic_mute,
            at,
            has_settings,
        },
    )
}

impl Case {
    /// The decision for users without preferences.
    fn base(&self) -> Decision {
        let parts = Channel::ALL.into_iter().zip(&self.base);
        parts.fold(Decision::NONE, |decision, (channel, &(on, who))| {
            let on = on || self.mandatory && channel == Channel::Inbox;
            let cause = [Cause::Default, Cause::TenantDefault, Cause::KindDefault][usize::from(who)];
            decision.and(channel, on, if self.mandatory && on { Cause::Mandatory } else { cause })
        })
    }

    fn settings(&self) -> Value {
        let choices = |said: &Said| -> Map<String, Value> {
            let pairs = Channel::ALL.into_iter().zip(said);
            pairs.filter_map(|(channel, on)| Some((channel.as_str().to_owned(), json!((*on)?)))).collect()
        };
        let noise = json!({"inbox": false, "toast": true});
        let mut settings = json!({
            "kinds": {"k": choices(&self.by_kind), "other": noise},
            "categories": {"c": choices(&self.by_category), "k": noise},
        });
        if let Some(Quiet { from, to, minute, zone, days }) = &self.quiet {
            let clock = |hour| format!("{hour:02}:{minute:02}");
            settings["quietHours"] = json!({"from": clock(from), "to": clock(to), "timeZone": ZONES[*zone]});
            if let Some(days) = days {
                let named = (0..7).filter(|day| days >> day & 1 == 1).map(|day| DAYS[day]);
                settings["quietHours"]["days"] = named.collect();
            }
        }
        match self.mute {
            Some(FOREVER) => settings["muteUntil"] = json!("forever"),
            Some(offset) => settings["muteUntil"] = json!(self.moment(offset).to_string()),
            None => {}
        }
        settings
    }

    fn moment(&self, offset: i64) -> Timestamp {
        Timestamp::from_second(self.at + offset).unwrap()
    }

    /// Whether it is quiet: for each day on which quiet hours may have begun, from when until when they last there.
    fn is_quiet(&self) -> bool {
        let Some(quiet) = &self.quiet else { return false };
        let here = self.moment(0).to_zoned(TimeZone::get(ZONES[quiet.zone]).unwrap()).datetime();
        let time = |hour| Time::constant(hour, quiet.minute, 0, 0);
        [here.date(), here.date().yesterday().unwrap()].into_iter().any(|day| {
            let end_day = if quiet.to > quiet.from { day } else { day.checked_add(1.day()).unwrap() };
            let begins = quiet.days.is_none_or(|days| days >> day.weekday().to_monday_zero_offset() & 1 == 1);
            begins && day.to_datetime(time(quiet.from)) <= here && here < end_day.to_datetime(time(quiet.to))
        })
    }

    /// The cause that holds back channels which interrupt.
    fn held(&self) -> Option<Cause> {
        if self.mandatory && self.priority == 3 {
            return None;
        }
        if self.has_settings && self.mute.is_some_and(|offset| offset > 0) {
            return Some(Cause::Muted);
        }
        if self.topic_mute.is_some_and(|offset| offset > 0) {
            return Some(Cause::TopicMuted);
        }
        (self.has_settings && self.is_quiet()).then_some(Cause::QuietHours)
    }

    fn expected(&self) -> Vec<(bool, Cause)> {
        let base = self.base();
        let wanted = |index: usize, channel| {
            if base.cause(channel) == Cause::Mandatory || !self.has_settings {
                return (base.takes(channel), base.cause(channel));
            }
            let by_category = self.by_category[index].map(|on| (on, Cause::CategoryPreference));
            let by_kind = self.by_kind[index].map(|on| (on, Cause::KindPreference));
            by_kind.or(by_category).unwrap_or((base.takes(channel), base.cause(channel)))
        };
        let mut decided: Vec<_> =
            Channel::ALL.into_iter().enumerate().map(|(index, each)| wanted(index, each)).collect();
        if let Some(held) = self.held() {
            decided[1..].iter_mut().filter(|(on, _)| *on).for_each(|decided| *decided = (false, held));
        }
        decided
    }
}

#[tokio::test]
async fn the_decision_of_the_database_is_that_of_the_model() {
    let postgres = Postgres::start().await;
    let database = postgres.connect().await;
    // A base in the layout of version 0.1.0 has to lead to the same.
    let decide = "select decide_channels(base, $2::smallint, 'k', 'c', $3::text::jsonb, $4::text::timestamptz, \
         $5::text::timestamptz) from unnest(array[$1::bigint, first_layout($1::bigint)]) as base";
    let decide = database.prepare(decide).await.unwrap();
    let (mut runner, cases) = (TestRunner::default(), cases());
    let mut held = 0;
    for _ in 0..CASES {
        let case = cases.new_tree(&mut runner).unwrap().current();
        let settings = case.has_settings.then(|| case.settings().to_string());
        let topic_mute = case.topic_mute.map(|offset| case.moment(offset).to_string());
        let at = case.moment(0).to_string();
        let rows = database
            .query(&decide, &[&case.base().stored(), &case.priority, &settings, &topic_mute, &at])
            .await
            .unwrap_or_else(|error| panic!("{case:?}: {error:?}"));
        let stored: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(stored, [stored[0]; 2], "{case:?}");
        let decision = Decision::from_stored(stored[0]);
        assert_eq!(decision.stored(), stored[0], "{case:?}");
        let decided: Vec<_> = Channel::ALL.map(|each| (decision.takes(each), decision.cause(each))).into();
        assert_eq!(decided, case.expected(), "{case:?}");
        held += usize::from(decision.cause(Channel::Sms) == Cause::QuietHours);
    }
    assert!(held > CASES / 50, "quiet hours mattered in {held} cases only");
}

#[tokio::test]
async fn a_time_zone_that_is_gone_keeps_nothing_quiet_and_fails_no_publish() {
    let postgres = Postgres::start().await;
    let settings = json!({"quietHours": {"from": "00:00", "to": "23:59", "timeZone": "Gone/Zone"}}).to_string();
    let row = postgres
        .connect()
        .await
        .query_one("select decide_channels(3, 1::smallint, 'k', null, $1::text::jsonb, null, now())", &[&settings])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), Decision::PLAIN.stored());
}
