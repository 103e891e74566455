//! Arrivals as bytes: a header line, a line with the notification as JSON, and a line for each inbox. Decoding is strict
//! and trusts nothing.

use std::{io::Write as _, sync::Arc};

use super::{FRAME_BYTES, Foreign, VERSION, digits, is_epoch, text, words};
use crate::{
    bus::{Arrival, Arrivals},
    domain::{channel::Decision, notification::Published, user::Tenant},
};

/// Most inboxes of one message.
const ROWS: usize = 1_000;
/// Written instead of a notification that is too large for a message, and instead of a topic when the audience is everyone.
const NONE: &str = "-";

/// Writes arrivals; `origin` is the instance that made them.
pub(in crate::bus) fn write(origin: &str, arrivals: &Arrivals) -> Vec<u8> {
    let mut message = Vec::with_capacity(1_024 + arrivals.rows.len() * 64);
    // Writing to memory cannot fail, and a notification is plain data that always serialises, in one line.
    let _ = writeln!(message, "{VERSION} {origin} {}", arrivals.tenant);
    let body = arrivals.notification.as_ref().and_then(|notification| serde_json::to_string(&**notification).ok());
    let body = body.filter(|body| body.len() <= FRAME_BYTES);
    let _ = writeln!(message, "{}", body.as_deref().unwrap_or(NONE));
    for Arrival { user, epoch, seq, unread, decision, topic } in &arrivals.rows {
        let topic = topic.as_ref().map_or(NONE, |topic| topic.as_str());
        // The user comes last, for an id may hold spaces; it holds no line breaks.
        // Instances of version 0.1.0 read no other layout.
        let decision = decision.first_layout();
        let _ = writeln!(message, "{} {seq} {unread} {decision} {topic} {}", epoch.as_str(), user.as_str());
    }
    message
}

/// Reads arrivals and the instance that sent them.
pub(in crate::bus) fn read(message: &[u8]) -> Result<(&str, Arrivals), Foreign> {
    let text = text(message)?;
    let (header, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut words = words(header)?;
    let origin = words.next().ok_or(Foreign::Malformed)?;
    let tenant: Tenant = words.next().and_then(|tenant| tenant.parse().ok()).ok_or(Foreign::Malformed)?;
    let (body, rows) = rest.split_once('\n').ok_or(Foreign::Malformed)?;
    let notification = match body {
        NONE => None,
        body => Some(serde_json::from_str::<Published>(body).map_err(|_| Foreign::Malformed)?),
    };
    let rows = rows.lines().take(ROWS + 1).map(row).collect::<Option<Vec<_>>>();
    let rows = rows.filter(|rows| rows.len() <= ROWS && words.next().is_none()).ok_or(Foreign::Malformed)?;
    Ok((origin, Arrivals { tenant, notification: notification.map(Arc::new), rows }))
}

fn row(line: &str) -> Option<Arrival> {
    let mut words = line.splitn(6, ' ');
    let epoch = words.next().filter(|epoch| is_epoch(epoch))?.to_owned().into();
    let (seq, unread) = (digits(words.next()?)?, digits(words.next()?)?);
    let decision = Decision::from_stored(digits(words.next()?)?);
    let topic = match words.next()? {
        NONE => None,
        topic => Some(topic.parse().ok()?),
    };
    Some(Arrival { user: words.next()?.parse().ok()?, epoch, seq, unread, decision, topic })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::{collection::vec, prelude::*};
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        notification::{Content, Presentation},
        priority::Priority,
    };

    fn notification(message: String) -> Arc<Published> {
        let content = Content {
            priority: Priority::High,
            data: Some(serde_json::json!({ "text": message })),
            message: Some(message),
            presentation: Presentation { icon: Some("i".to_owned()), ..Presentation::default() },
            ..Content::titled("k", "t\n")
        };
        let at = DateTime::UNIX_EPOCH;
        Arc::new(Published { id: Uuid::from_u128(7), content, created_at: at, expires_at: at })
    }

    prop_compose! {
        fn rows()(
            user in "[^\\p{C}]{1,40}", epoch in "[a-z0-9]{1,20}", seq in 1_i64.., unread in 0_i64..,
            decision in 0_i64..1 << 30, topic in proptest::option::of("[a-z]{1,5}:[a-z0-9]{1,5}"),
        ) -> Arrival {
            let topic = topic.map(|topic| topic.parse().unwrap());
            let decision = Decision::from_stored(decision);
            Arrival { user: user.parse().unwrap(), epoch: epoch.into(), seq, unread, decision, topic }
        }
    }

    prop_compose! {
        fn arrivals()(rows in vec(rows(), 0..20), message in proptest::option::of(".{0,200}")) -> Arrivals {
            Arrivals { tenant: "acme".parse().unwrap(), notification: message.map(notification), rows }
        }
    }

    proptest! {
        #[test]
        fn arrivals_survive_their_bytes(given in arrivals()) {
            let bytes = write("i-1", &given);
            prop_assert_eq!(read(&bytes), Ok(("i-1", given)));
        }

        #[test]
        fn damaged_messages_never_panic(given in arrivals(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let mut bytes = write("i-1", &given);
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            let _ = read(&bytes);
        }
    }

    #[test]
    fn a_notification_that_is_too_large_is_left_out() {
        let rows = vec![Arrival {
            user: "a b".parse().unwrap(),
            epoch: "e".to_owned().into(),
            seq: 1,
            unread: 1,
            decision: Decision::PLAIN,
            topic: None,
        }];
        let notification = Some(notification("x".repeat(FRAME_BYTES)));
        let given = Arrivals { tenant: "acme".parse().unwrap(), notification, rows };
        assert_eq!(read(&write("i", &given)), Ok(("i", Arrivals { notification: None, ..given })));
    }

    #[test]
    fn unreadable_messages_and_newer_ones_are_distinguished() {
        assert_eq!(read(b"T2 anything\xff\n"), Err(Foreign::Newer));
        let malformed: [&[u8]; 8] = [
            b"",
            b"T1 i acme\n",
            b"T1 i\n-\n",
            b"T1 i a b\n-\n",
            b"T1 i acme\n{}\n",
            b"T1 i acme\n-\ne 1 1 3 -\n",
            b"T1 i acme\n-\ne 1 1 x - u\n",
            b"T1 i acme\n-\ne -1 1 3 - u\n",
        ];
        for text in malformed {
            assert_eq!(read(text), Err(Foreign::Malformed), "{text:?}");
        }
    }
}
