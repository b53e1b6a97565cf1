//! What goes out: one decision for each event, with its reasons, as the packs' data say it.
//!
//! A [`Decision`] is a buffer that is used again and again; it holds places in the packs, not texts, wherever a pack
//! has the text. [`crate::encode`] turns it into the JSON of the spec, section 7.

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

/// A text that a decision holds in its own buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    start: u32,
    end: u32,
}

/// One decision. Used again and again: [`Decision::clear`] keeps what was allocated.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    pub action: Action,
    pub score: u16,
    /// Rules that are over their limit, in pack order, then restrictions that stood before and apply.
    pub reasons: Vec<Reason>,
    /// Shadow rules that are over their limit.
    pub shadow: Vec<RuleReason>,
    /// What stands on the wallet, the address or all after the event, in pack order.
    pub restrictions: Vec<RestrictionId>,
    /// Ids of operations that waited and now wait for nothing.
    pub released: Vec<Text>,
    pub cancelled: Vec<Text>,
    pub expired: Vec<Text>,
    pub waiting_forgotten: bool,
    pub flags: Flags,
    /// Rules, shadow rules and [probes](crate::engine::Engine::with_probes) that are over their limit, those among them that a
    /// lifted restriction keeps silent. It is not printed.
    pub over: Vec<RuleId>,
    text: String,
}

/// Marks on a decision, printed in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub late: bool,
    pub duplicate: bool,
    pub warming: bool,
    pub capped: bool,
}

impl Flags {
    /// The names of the flags that are set, in the order in which a decision prints them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(self.late, "late"), (self.duplicate, "duplicate"), (self.warming, "warming"), (self.capped, "capped")]
            .into_iter()
            .filter_map(|(set, name)| set.then_some(name))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Rule(RuleReason),
    Restriction(RestrictionReason),
}

/// A rule that is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleReason {
    pub rule: RuleId,
    pub measured: Option<Text>,
    pub limit: Option<Text>,
    /// The time of the first event that was counted.
    pub from: Option<Timestamp>,
}

/// A restriction that stood before the event and applies to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestrictionReason {
    pub restriction: RestrictionId,
    pub of: Of,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    /// The rule or signal that imposed it.
    pub by: Text,
    pub by_event: Text,
}

/// Whose restriction it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    Wallet,
    Counterparty,
    Ip,
    All,
}

impl Of {
    /// As a reason prints it; the wallet's own is not named.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Of::Wallet => None,
            Of::Counterparty => Some("counterparty"),
            Of::Ip => Some("ip"),
            Of::All => Some("all"),
        }
    }
}

impl Decision {
    /// A bare `allow`, with the buffers of what was there before.
    pub fn clear(&mut self) {
        self.action = Action::Allow;
        self.score = 0;
        self.reasons.clear();
        self.shadow.clear();
        self.restrictions.clear();
        self.released.clear();
        self.cancelled.clear();
        self.expired.clear();
        self.waiting_forgotten = false;
        self.flags = Flags::default();
        self.over.clear();
        self.text.clear();
    }

    /// More than a bare `allow`: an action, reasons, shadow, released, cancelled, expired or flags.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        self.action != Action::Allow
            || !(self.reasons.is_empty()
                && self.shadow.is_empty()
                && self.released.is_empty()
                && self.cancelled.is_empty()
                && self.expired.is_empty())
            || self.flags != Flags::default()
    }

    /// Nothing is to be said: as [`Decision::clear`] leaves it.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        // Every field by its name: one that is added cannot be forgotten here.
        let Decision {
            action,
            score,
            reasons,
            shadow,
            restrictions,
            released,
            cancelled,
            expired,
            waiting_forgotten,
            flags,
            over,
            text: _,
        } = self;
        let rules = reasons.is_empty() && shadow.is_empty() && over.is_empty();
        let waiting = released.is_empty() && cancelled.is_empty() && expired.is_empty() && !waiting_forgotten;
        (*action, *score, *flags) == (Action::Allow, 0, Flags::default()) && rules && waiting && restrictions.is_empty()
    }

    /// The text behind a handle.
    #[must_use]
    pub fn text(&self, text: Text) -> &str {
        &self.text[text.start as usize..text.end as usize]
    }

    /// Keeps a text in the decision's own buffer.
    pub fn put(&mut self, text: &str) -> Text {
        self.put_with(|buffer| buffer.push_str(text))
    }

    /// Keeps what `write` appends.
    pub fn put_with(&mut self, write: impl FnOnce(&mut String)) -> Text {
        let start = self.text.len();
        write(&mut self.text);
        let place = |at: usize| u32::try_from(at).expect("a decision's texts are far below 4 GiB");
        Text { start: place(start), end: place(self.text.len()) }
    }
}
