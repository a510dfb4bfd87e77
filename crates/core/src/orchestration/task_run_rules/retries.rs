//! Retries of task runs, and the names of states of runs that run again.

use serde::Deserialize;

use super::{TaskRule, TaskTransition};
use crate::{
    orchestration::{
        TaskRunPolicy, clamped_poisson,
        transition::{Kinds, Rule},
    },
    state::StateType,
};

/// A failed run that has tries left is scheduled again, unless its own condition says that it is of no use.
pub(super) const RETRY_FAILED: TaskRule =
    Rule::governing("retry_failed", Kinds::of(&[StateType::Running]), Kinds::of(&[StateType::Failed])).enter(retry);

fn retry(t: &mut TaskTransition<'_>) {
    let run = &t.facts.run;
    let policy = &run.empirical_policy;
    if policy.retries.is_none_or(|retries| run.run_count > retries) {
        return;
    }
    let mut waiting = t.replacement(StateType::Scheduled).named("AwaitingRetry");
    let Some((_, proposed)) = t.ends() else { return };
    if proposed.state_details.retriable == Some(false) {
        return;
    }
    waiting.message = proposed.message.take();
    waiting.data = proposed.data.take();
    let base = base_delay(policy, run.run_count);
    let delay = match policy.retry_jitter_factor {
        Some(factor) if factor > 0.0 && base > 0.0 => clamped_poisson(base, factor, t.facts.random),
        _ => base,
    };
    waiting.state_details.scheduled_time = Some(waiting.timestamp.plus_seconds(delay).into());
    t.replace(waiting, "Retrying");
}

/// The wait before the next try. Of a list, try n takes the n-th wait, and the last one repeats.
fn base_delay(policy: &TaskRunPolicy, run_count: i64) -> f64 {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Delay {
        One(f64),
        Each(Vec<f64>),
    }
    match policy.retry_delay.as_ref().and_then(|delay| delay.parse().ok()) {
        Some(Delay::One(seconds)) => seconds,
        Some(Delay::Each(list)) => {
            let index = usize::try_from(run_count - 1).unwrap_or(usize::MAX);
            list.get(index).or(list.last()).copied().unwrap_or(0.0)
        }
        None => 0.0,
    }
}

/// A run that runs again says so in its state's name.
pub(super) const RENAME_RERUNS: TaskRule =
    Rule::governing("rename_reruns", Kinds::ALL, Kinds::of(&[StateType::Running])).enter(|t| {
        if t.run.run_count == 0 {
            return;
        }
        let Some((initial, proposed)) = t.ends() else { return };
        let name = if initial.name == "AwaitingRetry" { "Retrying" } else { "Rerunning" };
        name.clone_into(&mut proposed.name);
    });
