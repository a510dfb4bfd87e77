//! Background tasks: where their parameters are, and who gets them to run.

use super::TaskRule;
use crate::{
    orchestration::{
        Effect,
        transition::{Kinds, Rule},
    },
    state::StateType,
};

/// The parameters' id goes along from SCHEDULED to RUNNING.
pub(super) const COPY_PARAMETERS_ID: TaskRule = Rule::governing(
    "copy_parameters_id",
    Kinds::of(&[StateType::Scheduled, StateType::Pending]),
    Kinds::of(&[StateType::Pending, StateType::Running]),
)
.enter(|t| {
    let Some((initial, proposed)) = t.ends() else { return };
    let id = &mut proposed.state_details.task_parameters_id;
    *id = id.or(initial.state_details.task_parameters_id);
});

/// A task that became SCHEDULED is handed to the workers of its key.
pub(super) const ENQUEUE: TaskRule =
    Rule::governing("enqueue", Kinds::ALL, Kinds::of(&[StateType::Scheduled])).leave(|t| {
        let Some(written) = &t.proposed else { return };
        if written.state_details.deferred == Some(true) {
            let is_retry = written.name == "AwaitingRetry";
            t.effects.push(Effect::EnqueueTask { task_key: t.facts.run.task_key.clone(), is_retry });
        }
    });
