//! Concurrency limits on tags: a task run holds one slot of each of its tags' limits while it runs.

use super::{TaskRule, TaskTransition};
use crate::{
    orchestration::{
        Effect, LimitFacts, TagLimit, clamped_poisson,
        transition::{Kinds, Rule},
    },
    state::StateType,
};

/// Takes a slot of every limit, or of none.
pub(super) const SECURE_SLOTS: TaskRule =
    Rule::governing("secure_tag_slots", Kinds::ALL, Kinds::of(&[StateType::Running])).enter(secure).undo(|t| {
        t.effects.retain(|effect| !matches!(effect, Effect::TakeTagSlots { .. }));
    });

fn secure(t: &mut TaskTransition<'_>) {
    let limits = || t.facts.tag_limits.iter().filter(|tag| tag.limit.active);
    if let Some(closed) = limits().find(|tag| tag.limit.limit == 0) {
        let tag = &closed.tag;
        return t.abort(format!(
            "The concurrency limit on tag \"{tag}\" is 0 and will deadlock if the task tries to run again."
        ));
    }
    if limits().any(|tag| !tag.held && tag.limit.is_full()) {
        let tags: Vec<&str> = limits().map(|tag| tag.tag.as_str()).collect();
        return t.wait(wait_seconds(t), format!("Concurrency limit reached for tags: {}", tags.join(", ")));
    }
    let taken: Vec<_> = limits().filter(|tag| !tag.held).map(|tag| tag.limit.id).collect();
    if !taken.is_empty() {
        t.effects.push(Effect::TakeTagSlots { limits: taken, lease: t.facts.new_lease_id });
    }
}

/// About as long as a slot of the most crowded limit is usually held, spread so that the waiting do not all come back at once.
fn wait_seconds(t: &TaskTransition<'_>) -> i64 {
    let crowding = |limit: &LimitFacts| limit.taken as f64 / limit.limit.max(1) as f64;
    let mut most: Option<&TagLimit> = None;
    for tag in t.facts.tag_limits.iter().filter(|tag| tag.limit.active) {
        if most.is_none_or(|most| crowding(&tag.limit) > crowding(&most.limit)) {
            most = Some(tag);
        }
    }
    let longest = t.facts.waits.tag_slot;
    let usual = most.map_or(longest, |tag| tag.limit.average_occupancy_seconds);
    let average = if usual > 0.0 { usual.min(longest) } else { longest };
    clamped_poisson(average, 0.3, t.facts.random).round_ties_even() as i64
}

/// Gives all slots back when the run stops running.
pub(super) const RELEASE_SLOTS: TaskRule = Rule::transform("release_tag_slots").leave(|t| {
    let occupies = |kind| match kind {
        StateType::Running | StateType::Cancelling => true,
        StateType::Scheduled
        | StateType::Pending
        | StateType::Completed
        | StateType::Failed
        | StateType::Cancelled
        | StateType::Crashed
        | StateType::Paused => false,
    };
    if t.proposed_kind().is_some_and(|kind| !occupies(kind)) && t.facts.tag_limits.iter().any(|tag| tag.held) {
        t.effects.push(Effect::ReleaseTagSlots);
    }
});
