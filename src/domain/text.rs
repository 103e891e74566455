//! Texts with a form: why one is refused, names, and how a parsed text passes through serde.

/// Most bytes of `kind` and `category`.
pub const KIND_BYTES: usize = 64;

/// Why a text is no value of its type; the message is fit for an API answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Checks the name of a kind, a category and the like.
///
/// # Errors
/// When it is not 1 to [`KIND_BYTES`] characters of `A-Z a-z 0-9 _ . : -`.
pub fn word(text: &str) -> Result<(), Malformed> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if text.is_empty() || text.len() > KIND_BYTES || !text.bytes().all(allowed) {
        return Err(Malformed("1 to 64 characters of A-Z, a-z, 0-9, _, ., : and -"));
    }
    Ok(())
}

/// Gives a text type its way through serde: written as the text, parsed when read.
macro_rules! as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = Malformed;

            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}
pub(crate) use as_text;
