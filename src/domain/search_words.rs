//! The words of a search in titles and messages.

use std::str::FromStr;

use super::text::Malformed;

/// Most characters of a search.
const CHARS: usize = 100;
/// Most words of a search: each is looked for in every text.
const WORDS: usize = 8;

/// Words that must all occur, in any case, anywhere in the title or the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// The condition for valid words, for an API answer.
    pub const WANTED: &str = "must be 1 to 100 characters, 1 to 8 words without NUL";

    /// As patterns of `like`, in which every character of a word matches only itself.
    pub fn patterns(&self) -> Vec<String> {
        self.0.iter().map(|word| format!("%{}%", escape(word))).collect()
    }
}

impl FromStr for Words {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        if text.chars().count() > CHARS || !(1..=WORDS).contains(&words.len()) || text.contains('\0') {
            return Err(Malformed(Self::WANTED));
        }
        Ok(Self(words))
    }
}

fn escape(word: &str) -> String {
    word.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_word_matches_itself() {
        let words: Words = r" 100%  a_b c\d ".parse().unwrap();
        assert_eq!(words.patterns(), [r"%100\%%", r"%a\_b%", r"%c\\d%"]);
    }

    #[test]
    fn a_search_has_its_bounds() {
        let most = format!("{} 2 3 4 5 6 7 8", "ä".repeat(86));
        assert_eq!(most.chars().count(), CHARS);
        assert!(most.parse::<Words>().is_ok());
        for text in [&format!("{most}x"), "1 2 3 4 5 6 7 8 9", "", " \t", "a\0"] {
            assert_eq!(text.parse::<Words>(), Err(Malformed(Words::WANTED)), "{text}");
        }
    }
}
