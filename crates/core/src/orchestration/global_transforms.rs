//! Bookkeeping that every written state brings: times, counts and links. None of it changes what was decided.

use super::{
    FlowRun, FlowRunFacts, TaskRun, TaskRunFacts, Version,
    ruling::Effect,
    transition::{Rule, Subject, Transition},
};
use crate::{
    ids::StateId,
    state::{State, StateType},
    time::{OffsetTimestamp, Timestamp},
};

pub(super) const FLOW_RUN: &[Rule<FlowRunFacts>] = &[
    Rule::transform("make_timestamp_unique").enter(make_timestamp_unique),
    Rule::transform("keep_times").enter(keep_times),
    Rule::transform("link_flow_run").enter(link_flow_run),
    Rule::transform("copy_to_parent_task_run").leave(copy_to_parent_task_run),
    Rule::transform("count_flow_run").enter(count_flow_run),
    Rule::transform("remove_resuming_mark").enter(remove_resuming_mark),
];

pub(super) const TASK_RUN: &[Rule<TaskRunFacts>] = &[
    Rule::transform("keep_times").enter(keep_times),
    Rule::transform("link_task_run").enter(link_task_run),
    Rule::transform("count_task_run").enter(|t| {
        if t.proposed_kind() == Some(StateType::Running) {
            t.run.run_count += 1;
        }
    }),
];

/// A run's states are told apart by their time.
fn make_timestamp_unique(t: &mut Transition<'_, FlowRunFacts>) {
    if let Some((initial, proposed)) = t.ends()
        && proposed.timestamp == initial.timestamp
    {
        let next = Timestamp::from_micros(initial.timestamp.micros() + 1);
        proposed.timestamp = next.unwrap_or(initial.timestamp);
    }
}

/// The columns that both kinds of run keep about their times, under the names they have there.
#[expect(clippy::struct_field_names, reason = "the names of the columns")]
struct Times<'r> {
    start_time: &'r mut Option<Timestamp>,
    end_time: &'r mut Option<Timestamp>,
    total_run_time: &'r mut f64,
    expected_start_time: &'r mut Option<Timestamp>,
    next_scheduled_start_time: &'r mut Option<Timestamp>,
}

trait HasTimes {
    fn times(&mut self) -> Times<'_>;
}

macro_rules! has_times {
    ($($run:ty),*) => {$(
        impl HasTimes for $run {
            fn times(&mut self) -> Times<'_> {
                Times {
                    start_time: &mut self.start_time,
                    end_time: &mut self.end_time,
                    total_run_time: &mut self.total_run_time,
                    expected_start_time: &mut self.expected_start_time,
                    next_scheduled_start_time: &mut self.next_scheduled_start_time,
                }
            }
        }
    )*};
}

has_times!(FlowRun, TaskRun);

fn keep_times<S: Subject>(t: &mut Transition<'_, S>)
where
    S::Run: HasTimes,
{
    let initial = t.initial();
    let Some(proposed) = &t.proposed else { return };
    let times = t.run.times();
    let at = proposed.timestamp;
    if proposed.kind == StateType::Running {
        times.start_time.get_or_insert(at);
    }
    if proposed.is_terminal() {
        if times.end_time.is_none() {
            times.start_time.get_or_insert(at);
            *times.end_time = Some(at);
        }
    } else if initial.is_some_and(State::is_terminal) {
        *times.end_time = None;
    }
    if let Some(left) = initial.filter(|initial| initial.kind == StateType::Running) {
        // Whole microseconds, so that sums do not drift.
        let micros = (*times.total_run_time * 1e6).round() as i64 + (at.micros() - left.timestamp.micros());
        *times.total_run_time = micros as f64 / 1e6;
    }
    let is_scheduled = proposed.kind == StateType::Scheduled;
    let scheduled_time = proposed.state_details.scheduled_time.map(OffsetTimestamp::at);
    if times.expected_start_time.is_none() {
        *times.expected_start_time = if is_scheduled { scheduled_time } else { Some(at) };
    }
    if is_scheduled {
        *times.next_scheduled_start_time = scheduled_time;
    } else if initial.is_some_and(|initial| initial.kind == StateType::Scheduled) {
        *times.next_scheduled_start_time = None;
    }
}

fn link_flow_run(t: &mut Transition<'_, FlowRunFacts>) {
    let run = &t.facts.run;
    let Some(proposed) = &mut t.proposed else { return };
    proposed.state_details.flow_run_id = Some(run.id.0);
    if let Some(parent) = run.parent_task_run_id {
        proposed.state_details.task_run_id = Some(parent.0);
    }
}

fn link_task_run(t: &mut Transition<'_, TaskRunFacts>) {
    let run = &t.facts.run;
    let Some(proposed) = &mut t.proposed else { return };
    proposed.state_details.flow_run_id = run.flow_run_id.map(|id| id.0);
    proposed.state_details.task_run_id = Some(run.id.0);
}

/// In its parent flow run, a sub-flow is a task run: it shows the same state.
fn copy_to_parent_task_run(t: &mut Transition<'_, FlowRunFacts>) {
    let run = &t.facts.run;
    let (Some(task_run), Some(written)) = (run.parent_task_run_id, &t.proposed) else { return };
    let mut state = written.clone();
    // One bit of the random part makes it another id that still sorts by time.
    state.id = StateId::from(uuid::Uuid::from_u128(state.id.0.as_u128() ^ 1));
    state.timestamp = t.facts.now;
    state.state_details.child_flow_run_id = Some(run.id.0);
    t.effects.push(Effect::SetParentTaskRunState { task_run, state });
}

fn client_knows_pauses(facts: &FlowRunFacts) -> bool {
    facts.api_version.is_none_or(|version| version >= Version::API_WITH_PAUSES)
}

/// Counts the starts of a run; going on after a pause is not a start.
fn count_flow_run(t: &mut Transition<'_, FlowRunFacts>) {
    let goes_on = client_knows_pauses(t.facts) && t.run.empirical_policy.resuming == Some(true);
    if t.proposed_kind() == Some(StateType::Running) && !goes_on {
        t.run.run_count += 1;
    }
}

fn remove_resuming_mark(t: &mut Transition<'_, FlowRunFacts>) {
    let settles = t.proposed_kind().is_some_and(|kind| kind == StateType::Running || kind.is_terminal());
    if settles && client_knows_pauses(t.facts) && t.run.empirical_policy.resuming == Some(true) {
        t.run.empirical_policy.resuming = Some(false);
    }
}
