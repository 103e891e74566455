//! Pages whose `WebSocket`s were refused for their origin. A browser hides the reason from the page, so the log has to name it.

use std::{collections::BTreeSet, sync::Mutex};

use crate::domain::lock::lock;

/// Most origins that are named: a client can invent any number of them.
const MOST: usize = 100;
/// Most characters of an origin in the log.
const CHARS: usize = 200;

/// The origins that the log has named.
#[derive(Debug, Default)]
pub struct ForeignPages(Mutex<BTreeSet<String>>);

impl ForeignPages {
    /// Logs the first refusal of an origin, with the setting that lets it in.
    pub fn warn(&self, origin: &str) {
        let Some((origin, is_last)) = self.news(origin) else { return };
        log::warn!(
            "a WebSocket of a page from {origin:?} was refused: if that page is yours, add its origin to \
             TIDINGS_CORS_ORIGINS, or have the proxy pass the header Host on"
        );
        if is_last {
            log::warn!(
                "the log has named {MOST} origins of pages whose WebSockets were refused, and names no further one until a restart"
            );
        }
    }

    /// The origin as the log shows it, and whether it is the last one that the log names; none if the log has named it, or has named as
    /// many as it may.
    fn news(&self, origin: &str) -> Option<(String, bool)> {
        let mut named = lock(&self.0);
        if named.len() >= MOST {
            return None;
        }
        let shown: String = origin.chars().take(CHARS).collect();
        let is_new = named.insert(shown.clone());
        is_new.then_some((shown, named.len() >= MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_named_once_and_so_many_are() {
        let pages = ForeignPages::default();
        assert_eq!(pages.news("https://a.example"), Some(("https://a.example".to_owned(), false)));
        assert_eq!(pages.news("https://a.example"), None);
        let long = "x".repeat(CHARS + 1);
        assert_eq!(pages.news(&long), Some(("x".repeat(CHARS), false)));
        let named: Vec<_> = (0..MOST).filter_map(|number| pages.news(&number.to_string())).collect();
        assert_eq!(named.len(), MOST - 2);
        let (last, others) = named.split_last().unwrap();
        assert!(last.1 && others.iter().all(|(_, is_last)| !is_last), "{named:?}");
    }
}
