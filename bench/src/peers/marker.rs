//! What every message carries: `~number~due~`, in text that needs no escaping anywhere, found without parsing the rest.

use std::io::Write as _;

use memchr::memchr2;

/// Bytes of a message's text.
pub const PAYLOAD_BYTES: usize = 300;
/// A WebSocket text frame's first byte, which no ASCII text holds.
const FRAME: u8 = 0x81;
/// What follows it in the ping of Engine.IO: a length of one, and `2`.
const PING: &[u8] = &[1, b'2'];

/// Writes a message's text, filled up to `bytes`: its number in the run and when it is due, in microseconds since the
/// phase began.
pub fn write(number: u64, due: u64, bytes: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let _ = write!(out, "~{number}~{due}~"); // writing to memory cannot fail
    let end = out.len().max(start + bytes);
    out.resize(end, b'x');
}

/// What a stream's bytes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A message.
    Message {
        /// Its number.
        number: u64,
        /// When it was due.
        due: u64,
    },
    /// The server asks for a sign of life.
    Ping,
}

/// Hands over what the bytes hold and returns where an unfinished find begins: those bytes belong before the next ones.
pub fn scan(bytes: &[u8], mut found: impl FnMut(Found)) -> usize {
    let mut at = 0;
    while let Some(next) = memchr2(b'~', FRAME, &bytes[at..]) {
        let start = at + next;
        let rest = &bytes[start + 1..];
        if bytes[start] == FRAME {
            if rest.len() < PING.len() && PING.starts_with(rest) {
                return start;
            }
            if rest.starts_with(PING) {
                found(Found::Ping);
            }
            at = start + 1;
            continue;
        }
        match read(rest) {
            Marker::Whole { number, due, bytes } => {
                found(Found::Message { number, due });
                at = start + 1 + bytes;
            }
            Marker::Unfinished => return start,
            Marker::None => at = start + 1,
        }
    }
    bytes.len()
}

enum Marker {
    Whole { number: u64, due: u64, bytes: usize },
    Unfinished,
    None,
}

/// Reads `number~due~`.
fn read(bytes: &[u8]) -> Marker {
    let mut numbers = [0_u64; 2];
    let mut place = 0;
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                numbers[place] = numbers[place].wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            }
            b'~' if place == 1 => {
                return Marker::Whole { number: numbers[0], due: numbers[1], bytes: index + 1 };
            }
            b'~' => place = 1,
            _ => return Marker::None,
        }
    }
    Marker::Unfinished
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> (Vec<Found>, usize) {
        let mut found = Vec::new();
        let end = scan(bytes, |one| found.push(one));
        (found, end)
    }

    #[test]
    fn a_message_is_found_wherever_the_bytes_are_cut() {
        let mut bytes = b"data: ".to_vec();
        write(17, 4_000, PAYLOAD_BYTES, &mut bytes);
        assert_eq!(bytes.len(), 6 + PAYLOAD_BYTES);
        bytes.extend_from_slice(b"\n\n\x81\x012\x81\x7eab");
        for cut in 0..bytes.len() {
            let (mut found, end) = all(&bytes[..cut]);
            found.extend(all(&bytes[end..]).0);
            assert_eq!(found, [Found::Message { number: 17, due: 4_000 }, Found::Ping], "cut at {cut}");
        }
    }

    #[test]
    fn other_tildes_are_no_messages() {
        assert_eq!(all(b"~user/~1~x~2~3~").0, [Found::Message { number: 2, due: 3 }]);
    }
}
