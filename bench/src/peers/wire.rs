//! The wire forms of messages, for systems whose client library would wait for the answer of each.

use std::io::Write as _;

use crate::load::announcer::Greeting;

/// How the answer to a session's beginning ends: ready for a query.
const READY: &[u8] = b"Z\0\0\0\x05I";

/// A POST on a connection that stays open.
pub fn http_post(path: &str, payload: &[u8], out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = write!(out, "POST {path} HTTP/1.1\r\nHost: load\r\nContent-Length: {}\r\n\r\n", payload.len());
    out.extend_from_slice(payload);
}

/// Begins a session with a Postgres server that trusts this user.
pub fn postgres_startup(user: &str, database: &str) -> Greeting {
    const VERSION_3: u32 = 3 << 16;
    let mut body = VERSION_3.to_be_bytes().to_vec();
    for text in ["user", user, "database", database, ""] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    Greeting { send: [&length(body.len()), &body[..]].concat(), expect: READY }
}

/// `NOTIFY` of Postgres in a transaction of its own; the payload must hold no single quote.
pub fn postgres_notify(channel: &str, payload: &str, out: &mut Vec<u8>) {
    let query = format!("select pg_notify('{channel}','{payload}')\0");
    out.push(b'Q');
    out.extend_from_slice(&length(query.len()));
    out.extend_from_slice(query.as_bytes());
}

/// A message's length as Postgres counts it: with the length itself.
fn length(bytes: usize) -> [u8; 4] {
    (bytes as u32 + 4).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_what_each_protocol_counts() {
        assert_eq!(postgres_startup("a", "b").send, b"\0\0\0\x1b\0\x03\0\0user\0a\0database\0b\0\0");
        let mut notify = Vec::new();
        postgres_notify("c", "p", &mut notify);
        assert_eq!(notify, b"Q\0\0\0\x1eselect pg_notify('c','p')\0");
    }
}
