//! The hash slot of a channel in a Redis Cluster. The client computes it too, but only answers whether two are equal.

/// Hash slots of a cluster.
pub(in crate::bus) const SLOTS: u16 = 16_384;

/// The slot of a key: CRC16 (XMODEM) of its hash tag, or of all of it when it has none.
pub(in crate::bus) fn of(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16(hashed.as_bytes()) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    let shift = |crc: u16| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
    bytes.iter().fold(0, |crc, &byte| (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| shift(crc)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redis::cluster_routing::Slot;

    use super::*;

    proptest! {
        #[test]
        fn slots_are_those_of_the_client(key in "[a-z{}:]{0,20}") {
            prop_assert_eq!(Slot::new(of(&key)), Some(Slot::for_key(&key)));
        }
    }
}
