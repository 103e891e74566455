//! The fenced blocks of a page, and the use of each.
//!
//! | fence | what happens |
//! | --- | --- |
//! | `sh` | it runs, in the page's one shell, and must succeed |
//! | `sh until` | it runs again and again until its output agrees with the block after it |
//! | `json`, `text` right after one that runs | the output must agree with it, see [`super::shape`] |
//! | any with `file=NAME` | it is written into the shell's directory |
//! | `js console=URL` | a browser opens the page there; in its console the block becomes true |
//! | `js`, `tsx` | it is read by a compiler |
//! | `console` | it is not run; one that starts `tidings` says with which settings |

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The line of its fence, counted from 1.
    pub line: usize,
    /// The first word after the fence.
    pub language: String,
    /// The other words after the fence.
    words: Vec<String>,
    /// The text within the fences.
    pub text: String,
    /// Whether only blank lines are between it and the block before.
    follows: bool,
}

/// The use of a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Use<'a> {
    /// To be run.
    Run,
    /// To be run until its output agrees with the shown one.
    RunUntil,
    /// To be written to a file of this name.
    File(&'a str),
    /// To become true in the console of the page at this address.
    Console(&'a str),
    /// To be read by a compiler.
    Read,
    /// To be looked at.
    Show,
}

impl Block {
    /// The use of the block.
    pub fn purpose(&self) -> Use<'_> {
        let named = |name: &str| self.words.iter().find_map(|word| word.strip_prefix(name));
        if let Some(name) = named("file=") {
            return Use::File(name);
        }
        if let Some(url) = named("console=") {
            return Use::Console(url);
        }
        match self.language.as_str() {
            "sh" if self.words.iter().any(|word| word == "until") => Use::RunUntil,
            "sh" => Use::Run,
            "js" | "tsx" => Use::Read,
            _ => Use::Show,
        }
    }

    /// Whether it shows the output of the block before it.
    pub fn is_output(&self) -> bool {
        self.follows && matches!(self.language.as_str(), "json" | "text")
    }

    /// The settings with which it starts a server, if it does.
    pub fn start(&self) -> Option<Vec<(String, String)>> {
        let words = self.text.lines().find_map(|line| {
            let command = line.strip_suffix("tidings").or_else(|| line.strip_suffix("cargo run --release"))?;
            (self.language == "console").then(|| command.split_whitespace())
        })?;
        let setting = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        words.map(setting).collect()
    }
}

/// The blocks of a page, in their order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut open, mut follows) = (false, false);
    for (index, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(_), true) => (open, follows) = (false, true),
            (Some(fence), false) => {
                let mut words = fence.split_whitespace().map(str::to_owned);
                let language = words.next().unwrap_or_default();
                let (words, text) = (words.collect(), String::new());
                blocks.push(Block { line: index + 1, language, words, text, follows });
                open = true;
            }
            (None, true) => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => follows &= line.trim().is_empty(),
        }
    }
    assert!(!open, "a block without an end");
    blocks
}

#[test]
fn a_page_is_read_block_by_block() {
    let page = "Intro\n\n```sh until\na\nb\n```\n\n```json\n{}\n```\n\nThen\n\n```text\nc\n```\n```js file=a.mjs\n```\n\n\
                ```console\nA=1 tidings\n```\n";
    let blocks = blocks(page);
    let uses: Vec<_> = blocks.iter().map(Block::purpose).collect();
    assert_eq!(uses, [Use::RunUntil, Use::Show, Use::Show, Use::File("a.mjs"), Use::Show]);
    let outputs: Vec<_> = blocks.iter().map(Block::is_output).collect();
    assert_eq!(outputs, [false, true, false, false, false]);
    assert_eq!((blocks[0].line, blocks[0].text.as_str()), (3, "a\nb\n"));
    assert_eq!(blocks[4].start(), Some(vec![("A".to_owned(), "1".to_owned())]));
    assert_eq!(blocks[0].start(), None);
}
