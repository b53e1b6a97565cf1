//! What a decision would be with other rules behind it, the rest as it is.

use crate::{
    decision::{Action, Decision, Reason, RuleId},
    limits,
    rules::Packs,
};

/// The action of a decision without what one of its live rules asks for, but with another action and score where given
/// (spec, section 8, 6.: the most severe of the rules', the score's and the standing restrictions').
#[must_use]
pub fn with_other(packs: &Packs, decision: &Decision, without: RuleId, other: Option<(Action, u16)>) -> Action {
    let (mut action, score) = other.unwrap_or_default();
    let mut total = u32::from(score);
    for reason in &decision.reasons {
        match reason {
            Reason::Rule(reason) if reason.rule == without => {}
            Reason::Rule(reason) => {
                let rule = packs.rule(reason.rule);
                action = action.max(rule.action);
                total += u32::from(rule.score);
            }
            Reason::Restriction(reason) => action = action.max(packs.restriction(reason.restriction).action),
        }
    }
    let total = u16::try_from(total).unwrap_or(u16::MAX).min(limits::SCORE);
    let band = packs.bands.iter().rev().find(|(from, _)| *from <= total).map(|(_, action)| *action);
    action.max(band.unwrap_or_default())
}
