//! What goes out: one decision for each event, with its reasons, as the packs' data say it.
//!
//! A [`Decision`] is a buffer that is used again and again; it holds places in the packs, not texts, wherever a pack
//! has the text. `encode` turns it into the JSON of the spec, section 7.

pub mod encode;

use crate::time::Timestamp;

/// What one operation gets, in rising severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    #[default]
    Allow,
    Monitor,
    Captcha,
    Pin,
    Hold,
    Refuse,
    Block,
}

impl Action {
    pub const ALL: [Action; 7] =
        [Self::Allow, Self::Monitor, Self::Captcha, Self::Pin, Self::Hold, Self::Refuse, Self::Block];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Monitor => "monitor",
            Self::Captcha => "captcha",
            Self::Pin => "pin",
            Self::Hold => "hold",
            Self::Refuse => "refuse",
            Self::Block => "block",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Neither refused nor blocked: what `counts = "accepted"` remembers.
    #[must_use]
    pub fn accepted(self) -> bool {
        !matches!(self, Self::Refuse | Self::Block)
    }
}

/// A rule's place in the loaded packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u16);

/// A restriction's place in the loaded packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RestrictionId(pub u16);
