//! Rules that flow runs and task runs have in common.

use super::transition::{Kinds, Rule, Subject, Transition};
use crate::state::StateType;

/// Keeps a run from being submitted twice: who is PENDING, RUNNING, CANCELLING or CANCELLED does not become PENDING. Steps
/// within PENDING (Submitting, InfrastructurePending) are progress, not a second submission.
pub(super) const fn prevent_pending_transitions<S: Subject>() -> Rule<S> {
    const FROM: Kinds =
        Kinds::of(&[StateType::Pending, StateType::Cancelling, StateType::Running, StateType::Cancelled]);
    Rule::governing("prevent_pending_transitions", FROM, Kinds::of(&[StateType::Pending])).enter(prevent_pending)
}

fn prevent_pending<S: Subject>(t: &mut Transition<'_, S>) {
    let Some((initial, proposed)) = t.ends() else { return };
    // What a run waits for may change while it waits.
    let is_other = initial.name != proposed.name
        || (proposed.name == "InfrastructurePending" && initial.message != proposed.message);
    if initial.kind == StateType::Pending && is_other && proposed.name != "Pending" {
        let (kept, details) = (&initial.state_details, &mut proposed.state_details);
        details.scheduled_time = kept.scheduled_time;
        details.deployment_concurrency_lease_id = kept.deployment_concurrency_lease_id;
        return;
    }
    let kind = initial.kind;
    t.abort(format!("This run is in a {kind} state and cannot transition to a PENDING state."));
}

/// A run that leaves SCHEDULED for PENDING keeps its time, unless the client gives another.
pub(super) const fn copy_scheduled_time<S: Subject>() -> Rule<S> {
    const FROM: Kinds = Kinds::of(&[StateType::Scheduled]);
    Rule::governing("copy_scheduled_time", FROM, Kinds::of(&[StateType::Pending])).enter(|t| {
        let Some((initial, proposed)) = t.ends() else { return };
        let time = &mut proposed.state_details.scheduled_time;
        *time = time.or(initial.state_details.scheduled_time);
    })
}

/// No run starts before its time; the server's clock decides.
pub(super) const fn wait_for_scheduled_time<S: Subject>() -> Rule<S> {
    const FROM: Kinds = Kinds::of(&[StateType::Scheduled, StateType::Pending]);
    Rule::governing("wait_for_scheduled_time", FROM, Kinds::of(&[StateType::Running])).enter(|t| {
        let Some(time) = t.initial().and_then(|initial| initial.state_details.scheduled_time) else { return };
        let micros = time.at().micros() - t.facts.now().micros();
        // To the nearest second, a half down: the wire wants whole seconds.
        let seconds = micros.div_euclid(1_000_000) + i64::from(micros.rem_euclid(1_000_000) > 500_000);
        if seconds > 0 {
            t.wait(seconds, "Scheduled time is in the future");
        }
    })
}
