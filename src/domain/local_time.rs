//! Times as people write them: with an offset, or by the clock on the wall of a time zone.

use chrono::{DateTime, FixedOffset, Utc};
use jiff::{
    civil,
    tz::{AmbiguousOffset, Offset},
};
use serde::{Deserialize, Serialize, Serializer};

use crate::domain::{text::Malformed, zones::Zone};

/// A time as it was written: RFC 3339 with an offset, or a local time without one, such as `2026-03-29T02:30` or
/// `2026-03-29T02:30:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum WrittenTime {
    /// The same everywhere.
    Fixed(DateTime<Utc>),
    /// The time that a clock shows, in a zone that is not known yet.
    Local(civil::DateTime),
}

/// Why a local time names no instant, or not one alone; the text is fit for an API answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// A local time without a time zone.
    #[error("a local time needs timeZone, or an offset such as +01:00 or Z")]
    NoZone,
    /// Clocks skip it.
    #[error("{time} does not exist in {zone}: clocks go forward over it")]
    Skipped {
        /// The time.
        time: civil::DateTime,
        /// The zone.
        zone: Zone,
    },
    /// Clocks show it twice.
    #[error("{time} occurs twice in {zone}, for clocks go back: write it with an offset, {first} or {second}")]
    Twice {
        /// The time.
        time: civil::DateTime,
        /// The zone.
        zone: Zone,
        /// The offset when they show it first.
        first: String,
        /// The offset when they show it again.
        second: String,
    },
    /// It is at the very end of the years that can be written.
    #[error("must lie before the year 9999")]
    OutOfRange,
}

impl WrittenTime {
    /// The instant that it names, by the clocks of `zone` when it is a local time.
    ///
    /// # Errors
    /// When a local time has no zone, does not exist there, or occurs twice.
    pub fn settle(self, zone: Option<&Zone>) -> Result<DateTime<Utc>, Unsettled> {
        let time = match self {
            Self::Fixed(at) => return Ok(at),
            Self::Local(time) => time,
        };
        let zone = zone.ok_or(Unsettled::NoZone)?;
        let here = zone.0.to_ambiguous_timestamp(time);
        match here.offset() {
            AmbiguousOffset::Unambiguous { .. } => {}
            AmbiguousOffset::Gap { .. } => return Err(Unsettled::Skipped { time, zone: zone.clone() }),
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (written(before), written(after));
                return Err(Unsettled::Twice { time, zone: zone.clone(), first, second });
            }
        }
        let instant = here.unambiguous().map_err(|_| Unsettled::OutOfRange)?;
        DateTime::from_timestamp_micros(instant.as_microsecond()).ok_or(Unsettled::OutOfRange)
    }

    /// Whether it needs a time zone.
    pub fn is_local(self) -> bool {
        matches!(self, Self::Local(_))
    }
}

impl TryFrom<String> for WrittenTime {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        const WRONG: Malformed = Malformed(
            "must be a time with an offset such as 2026-03-29T01:30:00Z, or with timeZone one without, such as 2026-03-29T02:30",
        );
        if let Ok(at) = text.parse::<DateTime<FixedOffset>>() {
            return Ok(Self::Fixed(at.to_utc()));
        }
        // Nothing but date and time: the parser below would pass over an offset, and take a date alone for midnight.
        let plain = |byte: u8| byte.is_ascii_digit() || b"-T:.".contains(&byte);
        if text.len() < "2026-03-29T02:30".len() || !text.bytes().all(plain) {
            return Err(WRONG);
        }
        text.parse().map(Self::Local).map_err(|_| WRONG)
    }
}

impl Serialize for WrittenTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(at) => at.serialize(serializer),
            Self::Local(time) => serializer.collect_str(time),
        }
    }
}

/// An offset as RFC 3339 writes it.
fn written(offset: Offset) -> String {
    let (sign, minutes) =
        if offset.seconds() < 0 { ('-', -offset.seconds() / 60) } else { ('+', offset.seconds() / 60) };
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> WrittenTime {
        text.to_owned().try_into().unwrap()
    }

    fn settled(text: &str, zone: &str) -> Result<String, String> {
        let zone: Zone = zone.parse().unwrap();
        time(text).settle(Some(&zone)).map(|at| at.to_rfc3339()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_local_time_is_the_time_of_clocks_in_its_zone() {
        assert_eq!(settled("2026-03-29T01:59", "Europe/Berlin").unwrap(), "2026-03-29T00:59:00+00:00");
        assert_eq!(settled("2026-03-29T03:00:00", "Europe/Berlin").unwrap(), "2026-03-29T01:00:00+00:00");
        assert_eq!(settled("2026-07-01T12:00:00.5", "america/new_york").unwrap(), "2026-07-01T16:00:00.500+00:00");
        assert_eq!(settled("1950-01-01T00:00:00.25", "UTC").unwrap(), "1950-01-01T00:00:00.250+00:00");
    }

    #[test]
    fn an_offset_needs_no_zone_and_is_not_moved_by_one() {
        for text in ["2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00Z", "2026-03-28T20:30:00-05:00"] {
            assert_eq!(settled(text, "Europe/Berlin").unwrap(), "2026-03-29T01:30:00+00:00");
            assert!(time(text).settle(None).is_ok() && !time(text).is_local());
        }
        assert_eq!(time("2026-03-29T02:30").settle(None), Err(Unsettled::NoZone));
    }

    #[test]
    fn a_time_that_clocks_skip_or_show_twice_is_refused_with_its_zone() {
        for text in ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T02:59:59.999"] {
            let wrong = settled(text, "europe/berlin").unwrap_err();
            assert!(wrong.contains("does not exist in Europe/Berlin: clocks go forward"), "{wrong}");
        }
        for text in ["2026-10-25T02:00", "2026-10-25T02:59:59"] {
            let wrong = settled(text, "Europe/Berlin").unwrap_err();
            assert!(wrong.contains("twice in Europe/Berlin") && wrong.ends_with("+02:00 or +01:00"), "{wrong}");
        }
        assert!(settled("2026-11-01T01:30", "America/St_Johns").unwrap_err().ends_with("-02:30 or -03:30"));
        assert!(settled("2026-10-25T01:30", "Europe/London").unwrap_err().ends_with("+01:00 or +00:00"));
        assert_eq!(settled("2026-10-25T03:00", "Europe/Berlin").unwrap(), "2026-10-25T02:00:00+00:00");
        assert!(settled("2026-10-25T01:59:59", "Europe/Berlin").is_ok());
    }

    #[test]
    fn zones_are_those_of_iana() {
        for name in ["UTC", "Europe/Berlin", "Asia/Kolkata", "Etc/GMT+5"] {
            assert_eq!(name.parse::<Zone>().unwrap().to_string(), name);
        }
        for name in
            ["", "Mars/Olympus", "CET-1CEST", "+01:00", "Etc/Unknown", "../etc/passwd", "local", "Europe/Berlin\0"]
        {
            assert!(name.parse::<Zone>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_malformed_time_is_refused_and_the_ends_of_time_too() {
        let wrong = [
            "",
            "tomorrow",
            "2026-03-29",
            "20260329T0230",
            "2026-03-29T02",
            "2026-03-29 02:30",
            "2026-02-30T02:30",
            "1774747800",
            "2026-03-29T24:00",
            "2026-03-29T02:30[Europe/Berlin]",
            "2026-03-29T02:30:00+01:00[Europe/Berlin]",
        ];
        for text in wrong {
            assert!(WrittenTime::try_from(text.to_owned()).is_err(), "{text}");
        }
        for zone in ["America/New_York", "UTC", "Asia/Tokyo"] {
            let _ = settled("9999-12-31T23:59:59.999999999", zone);
            let _ = settled("0001-01-01T00:00", zone);
        }
    }

    #[test]
    fn a_time_is_written_as_it_was() {
        let again = |text: &str| serde_json::to_value(time(text)).unwrap();
        assert_eq!(again("2026-03-29T02:30:00.678+01:00"), "2026-03-29T01:30:00.678Z");
        assert_eq!(again("2026-03-29T02:30"), "2026-03-29T02:30:00");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", zone in "[A-Za-z/_+0-9-]{0,20}") {
            let zone: Option<Zone> = zone.parse().ok();
            if let Ok(time) = WrittenTime::try_from(text) {
                let _ = time.settle(zone.as_ref());
            }
        }

        #[test]
        fn nothing_like_a_time_makes_it_panic(
            text in "-?[0-9]{4,6}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{0,11})?)?(Z|[+-][0-9]{2}:[0-9]{2})?",
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York", "Pacific/Apia"]),
        ) {
            if let Ok(time) = WrittenTime::try_from(text) {
                let _ = time.settle(Some(&zone.parse().unwrap()));
            }
        }
    }
}
