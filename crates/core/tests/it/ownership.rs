//! Owners, tokens and leases: what is ours beside the recorded rules.

use tidegate_core::{
    orchestration::{
        Effect, FlowRunFacts, FlowRunPolicyKind, Status, decide_flow_run, decide_task_run, propose_after_lost_lease,
    },
    state::StateType::{self, *},
};

use crate::{
    examples::{flow_run, later, limit, owner, proposed, state, tag, task_run},
    fixtures::{LEASE, uid},
};

#[test]
fn changes_of_an_earlier_attempt_are_fenced_off() {
    struct Fence {
        owner: Option<i64>,
        last: i64,
        presented: Option<i64>,
        from: StateType,
        to: StateType,
        passes: bool,
    }
    let case = |owner, last, presented, from, to, passes| Fence { owner, last, presented, from, to, passes };
    for fence in [
        case(Some(2), 2, Some(2), Running, Completed, true),
        case(Some(2), 2, Some(1), Running, Completed, false),
        case(Some(2), 2, Some(1), Running, Crashed, false),
        case(Some(2), 2, Some(1), Pending, Running, false),
        // Who knows nothing of tokens is not touched.
        case(Some(2), 2, None, Running, Completed, true),
        case(None, 0, None, Running, Completed, true),
        // The last owner may correct how its run ended …
        case(None, 2, Some(2), Crashed, Completed, true),
        case(None, 2, Some(1), Crashed, Completed, false),
        // … but not speak for a run that was scheduled anew, or that somebody without a token runs now.
        case(None, 2, Some(2), Scheduled, Running, false),
        case(None, 2, Some(2), Running, Completed, false),
        case(None, 2, Some(2), Crashed, Running, false),
    ] {
        for policy in [FlowRunPolicyKind::Core, FlowRunPolicyKind::Minimal] {
            let facts = FlowRunFacts {
                policy,
                owner: fence.owner.map(|token| owner("worker", token, 30.0)),
                last_token: fence.last,
                presented_token: fence.presented,
                ..flow_run(Some(state(fence.from)))
            };
            let ruling = decide_flow_run(proposed(fence.to), &facts);
            let (from, to, presented) = (fence.from, fence.to, fence.presented);
            assert_eq!(ruling.status == Status::Accept, fence.passes, "{from} -> {to} with {presented:?}: {ruling:?}");
            if !fence.passes {
                assert_eq!((ruling.status, ruling.settled_by), (Status::Abort, Some("fence_stale_attempt")));
                assert!(ruling.reason.unwrap().contains("earlier attempt"));
                assert_eq!((ruling.state, ruling.effects), (None, vec![]));
            }
        }
    }
}

#[test]
fn a_run_is_claimed_by_one_owner_at_a_time() {
    let claim = |token| Some(owner("new", token, 60.0));
    let free = FlowRunFacts { claim: claim(3), last_token: 2, ..flow_run(Some(state(Scheduled))) };
    assert_eq!(decide_flow_run(proposed(Pending), &free).effects, [Effect::SetOwner(owner("new", 3, 60.0))]);

    let owned = FlowRunFacts { owner: Some(owner("old", 2, 1.0)), ..free.clone() };
    let ruling = decide_flow_run(proposed(Pending), &owned);
    assert_eq!((ruling.status, ruling.effects), (Status::Abort, vec![]));
    assert!(ruling.reason.unwrap().contains("belongs to `old`"));

    let abandoned = FlowRunFacts { owner: Some(owner("old", 2, -1.0)), ..free.clone() };
    assert_eq!(decide_flow_run(proposed(Pending), &abandoned).status, Status::Accept);

    let reused = FlowRunFacts { claim: claim(2), ..free.clone() };
    assert_eq!(decide_flow_run(proposed(Pending), &reused).status, Status::Abort);

    // A claim that finds the limit full installs nobody.
    let mut full = free;
    full.deployment.as_mut().unwrap().limit = Some(limit(1, 1));
    let ruling = decide_flow_run(proposed(Pending), &full);
    assert_eq!((ruling.status, ruling.effects), (Status::Reject, vec![]));
}

#[test]
fn the_owner_goes_when_the_run_leaves_its_process() {
    let with_owner = |from| {
        let mut facts =
            FlowRunFacts { owner: Some(owner("worker", 1, 30.0)), last_token: 1, ..flow_run(Some(state(from))) };
        facts.run.infrastructure_pid = Some("pid".to_owned());
        facts
    };
    for (from, to, stays) in [
        (Pending, Running, true),
        (Running, Running, true),
        (Running, Cancelling, true),
        (Running, Paused, true),
        (Running, Completed, false),
        (Running, Failed, false),
        (Running, Crashed, false),
        (Cancelling, Cancelled, false),
        // A process that gives the run back, on SIGTERM.
        (Running, Scheduled, false),
        (Pending, Scheduled, false),
    ] {
        let ruling = decide_flow_run(proposed(to), &with_owner(from));
        assert_eq!(ruling.status, Status::Accept, "{from} -> {to}");
        assert_eq!(!ruling.effects.contains(&Effect::ClearOwner), stays, "{from} -> {to}");
    }
    let mut suspended = proposed(Paused).named("Suspended");
    suspended.state_details.pause_reschedule = true;
    assert_eq!(decide_flow_run(suspended, &with_owner(Running)).effects, [Effect::ClearOwner]);

    // A retry waits in the process, which keeps the run; an upstream worker that submits it again takes it away.
    let mut retrying = with_owner(Running);
    retrying.run.run_count = 1;
    retrying.run.empirical_policy.retries = Some(2);
    let ruling = decide_flow_run(proposed(Failed), &retrying);
    assert_eq!((ruling.status, ruling.effects), (Status::Reject, vec![]));
    assert_eq!(decide_flow_run(proposed(Pending), &with_owner(Scheduled)).effects, [Effect::ClearOwner]);
}

#[test]
fn a_silent_owner_loses_its_run() {
    let mut facts = flow_run(None);
    let silent = owner("worker-1", 1, -5.0);
    for (from, with_process, to) in [
        (Pending, false, Some(Scheduled)),
        (Pending, true, Some(Crashed)),
        (Running, true, Some(Crashed)),
        (Paused, true, Some(Crashed)),
        (Scheduled, true, Some(Crashed)),
        (Cancelling, true, Some(Cancelled)),
        (Completed, true, None),
        (Failed, true, None),
    ] {
        facts.run.infrastructure_pid = with_process.then(|| "pid".to_owned());
        let proposal = propose_after_lost_lease(&facts.run, &state(from), &silent);
        assert_eq!(proposal.as_ref().map(|proposal| proposal.kind), to, "{from}");
        let Some(proposal) = proposal else { continue };
        assert!(proposal.message.as_ref().unwrap().contains("`worker-1`"));
        // The core policy lets it through, and the run is free.
        let facts =
            FlowRunFacts { owner: Some(silent.clone()), last_token: 1, state: Some(state(from)), ..facts.clone() };
        let ruling = decide_flow_run(proposal.into_state(uid(91).into(), later(0)), &facts);
        assert_eq!((ruling.status, ruling.effects), (Status::Accept, vec![Effect::ClearOwner]), "{from}");
    }
}

#[test]
fn a_slot_reaped_on_the_way_is_not_taken_for_a_run_that_must_wait() {
    let mut pending = state(Pending);
    pending.state_details.deployment_concurrency_lease_id = Some(uid(LEASE));
    let mut facts = flow_run(Some(pending));
    facts.deployment.as_mut().unwrap().limit = Some(limit(2, 1));
    let ruling = decide_flow_run(proposed(Running), &facts);
    assert!(matches!(ruling.effects[..], [Effect::TakeDeploymentSlot { .. }]), "{ruling:?}");
    facts.state.as_mut().unwrap().state_details.scheduled_time = Some(later(60).into());
    let ruling = decide_flow_run(proposed(Running), &facts);
    assert_eq!((ruling.status, ruling.delay_seconds, ruling.effects), (Status::Wait, Some(60), vec![]));
}

#[test]
fn a_deployment_without_its_limit_still_gets_its_lease_released() {
    let mut running = state(Running);
    running.state_details.deployment_concurrency_lease_id = Some(uid(LEASE));
    let facts = FlowRunFacts { lease_is_live: true, ..flow_run(Some(running)) };
    let ruling = decide_flow_run(proposed(Completed), &facts);
    assert_eq!(ruling.effects, [Effect::ReleaseLease { lease: uid(LEASE).into() }]);
}

#[test]
fn a_task_run_holds_one_slot_of_each_limit() {
    let mut facts = task_run(Some(state(Running)));
    facts.tag_limits = vec![tag(0, 1, 1, true), tag(1, 2, 0, false)];
    let ruling = decide_task_run(proposed(Running), &facts);
    let Effect::TakeTagSlots { limits, .. } = &ruling.effects[0] else { panic!("{ruling:?}") };
    assert_eq!(limits, &[facts.tag_limits[1].limit.id], "the slot it has is enough");
}
