//! How much notifications matter.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::Malformed;

/// How much a notification matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Nobody need be interrupted.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Worth an interruption.
    High,
    /// Must be seen.
    Critical,
}

impl Priority {
    /// As written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// As stored and announced: 0 (low) to 3 (critical).
    pub fn rank(self) -> i16 {
        self as i16
    }

    /// The priority of a stored rank; an unknown rank counts as medium.
    pub fn from_rank(rank: i16) -> Self {
        match rank {
            0 => Self::Low,
            2 => Self::High,
            3 => Self::Critical,
            _ => Self::Medium,
        }
    }
}

impl FromStr for Priority {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "high" => Ok(Self::High),
            "critical" => Ok(Self::Critical),
            _ => Err(Malformed("one of low, medium, high, critical")),
        }
    }
}
