//! Results that are kept under a key: a run that would compute one again gets it instead.

use super::{TaskRule, TaskTransition};
use crate::{
    orchestration::{
        Effect,
        transition::{Kinds, Rule},
    },
    state::StateType,
    time::OffsetTimestamp,
};

/// A run whose key is known does not run: it gets the state that was kept.
pub(super) const RETRIEVE: TaskRule =
    Rule::governing("retrieve_cached_state", Kinds::ALL, Kinds::of(&[StateType::Running])).enter(|t| {
        let Some(details) = t.proposed.as_ref().map(|proposed| &proposed.state_details) else { return };
        let wanted =
            details.cache_key.as_ref().is_some_and(|key| !key.is_empty()) && details.refresh_cache != Some(true);
        if let Some(cached) = t.facts.cached_state.as_ref().filter(|_| wanted) {
            let mut state = t.replacement(cached.kind).named("Cached");
            state.message.clone_from(&cached.message);
            state.data.clone_from(&cached.data);
            state.state_details = cached.state_details.clone();
            t.replace(state, "Retrieved state from cache");
        }
    });

/// Keeps a completed state under its key.
pub(super) const INSERT: TaskRule =
    Rule::governing("insert_cached_state", Kinds::ALL, Kinds::of(&[StateType::Completed]))
        .enter(refuse_long_key)
        .leave(|t| {
            let Some(details) = t.proposed.as_ref().map(|written| &written.state_details) else { return };
            if let Some(key) = details.cache_key.as_ref().filter(|key| !key.is_empty() && !is_too_long(key, t)) {
                t.effects.push(Effect::InsertCachedState {
                    key: key.clone(),
                    expiration: details.cache_expiration.map(OffsetTimestamp::at),
                });
            }
        });

fn is_too_long(key: &str, t: &TaskTransition<'_>) -> bool {
    let most = t.facts.max_cache_key_length;
    key.len() > most && key.chars().count() > most
}

/// The state is written all the same: the work is done, it is just not kept.
fn refuse_long_key(t: &mut TaskTransition<'_>) {
    let key = t.proposed.as_ref().and_then(|proposed| proposed.state_details.cache_key.as_ref());
    if key.is_some_and(|key| is_too_long(key, t))
        && let Some(proposed) = t.proposed.take()
    {
        let most = t.facts.max_cache_key_length;
        t.replace(proposed, format!("Cache key exceeded maximum allowed length of {most} characters."));
    }
}
