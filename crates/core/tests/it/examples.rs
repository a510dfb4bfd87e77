//! Facts to start from: a deployment's run on a quiet day. Tests say only what differs.

use serde_json::json;
use tidegate_core::{
    ids::{ConcurrencyLimitId, DeploymentId, FlowRunId, LeaseId, StateId, TaskRunId},
    orchestration::{
        CollisionStrategy, DeploymentFacts, FlowRun, FlowRunFacts, FlowRunPolicyKind, LimitFacts, Owner, TagLimit,
        TaskRun, TaskRunFacts, TaskRunPolicyKind, Version, Waits,
    },
    state::{State, StateCreate, StateType},
    time::Timestamp,
};

use crate::fixtures::{DEPLOYMENT, LIMIT, NEW_LEASE, RUN, now, uid};

pub(crate) fn state(kind: StateType) -> State {
    StateCreate::of(kind).into_state(StateId::from(uid(90)), now().plus_seconds(-60.0))
}

pub(crate) fn proposed(kind: StateType) -> State {
    StateCreate::of(kind).into_state(StateId::from(uid(91)), now())
}

pub(crate) fn limit(most: i64, taken: i64) -> LimitFacts {
    LimitFacts {
        id: ConcurrencyLimitId::from(uid(LIMIT)),
        active: true,
        limit: most,
        taken,
        average_occupancy_seconds: 2.0,
    }
}

pub(crate) fn owner(name: &str, token: i64, seconds_left: f64) -> Owner {
    Owner { name: name.to_owned(), token, deadline: now().plus_seconds(seconds_left), attempt: token }
}

pub(crate) fn flow_run(initial: Option<State>) -> FlowRunFacts {
    FlowRunFacts {
        now: now(),
        policy: FlowRunPolicyKind::Core,
        client_version: Some(Version(3, 8, 8)),
        api_version: Some(Version(0, 8, 4)),
        run: FlowRun {
            id: FlowRunId::from(uid(RUN)),
            deployment_id: Some(DeploymentId::from(uid(DEPLOYMENT))),
            parent_task_run_id: None,
            infrastructure_pid: None,
            run_count: 0,
            start_time: None,
            end_time: None,
            total_run_time: 0.0,
            expected_start_time: Some(now()),
            next_scheduled_start_time: None,
            empirical_policy: serde_json::from_value(json!({})).unwrap(),
        },
        state: initial,
        deployment: Some(DeploymentFacts {
            id: DeploymentId::from(uid(DEPLOYMENT)),
            limit: None,
            collision_strategy: CollisionStrategy::Enqueue,
            grace_period_seconds: None,
        }),
        lease_is_live: false,
        owner: None,
        last_token: 0,
        presented_token: None,
        claim: None,
        new_lease_id: LeaseId::from(uid(NEW_LEASE)),
        random: 0.5,
        waits: Waits::default(),
    }
}

pub(crate) fn task_run(initial: Option<State>) -> TaskRunFacts {
    TaskRunFacts {
        now: now(),
        policy: TaskRunPolicyKind::Core,
        client_version: None,
        api_version: None,
        run: TaskRun {
            id: TaskRunId::from(uid(RUN)),
            flow_run_id: None,
            task_key: "a-task".to_owned(),
            run_count: 0,
            flow_run_run_count: 0,
            start_time: None,
            end_time: None,
            total_run_time: 0.0,
            expected_start_time: None,
            next_scheduled_start_time: None,
            empirical_policy: serde_json::from_value(json!({})).unwrap(),
        },
        state: initial,
        flow_run: None,
        cached_state: None,
        tag_limits: Vec::new(),
        max_cache_key_length: 2000,
        new_lease_id: LeaseId::from(uid(NEW_LEASE)),
        random: 0.5,
        waits: Waits::default(),
    }
}

pub(crate) fn tag(number: u64, most: i64, taken: i64, held: bool) -> TagLimit {
    let id = ConcurrencyLimitId::from(uid(30 + number));
    TagLimit { tag: format!("tag{number}"), limit: LimitFacts { id, ..limit(most, taken) }, held }
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    now().plus_seconds(seconds as f64)
}
