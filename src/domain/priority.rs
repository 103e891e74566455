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

    /// The priority of a rank, 0 to 3.
    pub fn from_rank(rank: i16) -> Option<Self> {
        match rank {
            0 => Some(Self::Low),
            1 => Some(Self::Medium),
            2 => Some(Self::High),
            3 => Some(Self::Critical),
            _ => None,
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
