//! Our rulings on task runs against the reference's, case by case.

use serde_json::{Value, json};
use tidegate_core::{
    ids::{ConcurrencyLimitId, FlowRunId, LeaseId, TaskRunId},
    orchestration::{
        Effect, LimitFacts, ParentFlowRun, TagLimit, TaskRun, TaskRunFacts, TaskRunPolicy, Waits, decide_task_run,
    },
    time::OffsetTimestamp,
};

use crate::fixtures::{
    Case, Difference, LEASE, NEW_LEASE, NOW, PARENT_RUN, RUN, assert_agreement, cases, now, proposed, run_changes,
    seconds, state, state_out, time, uid,
};

#[test]
fn rulings_on_task_runs_agree_with_the_reference() {
    assert_agreement(&cases("task_transitions.json"), answer, DIFFERENCES);
}

fn facts(raw: &Value) -> TaskRunFacts {
    let (run, flow_run) = (&raw["run"], &raw["flow_run"]);
    TaskRunFacts {
        now: now(),
        policy: serde_json::from_value(raw["policy"].clone()).unwrap(),
        client_version: None,
        api_version: None,
        run: TaskRun {
            id: TaskRunId::from(uid(RUN)),
            flow_run_id: flow_run.is_object().then(|| FlowRunId::from(uid(PARENT_RUN))),
            task_key: "a-task".to_owned(),
            run_count: run["run_count"].as_i64().unwrap_or(0),
            flow_run_run_count: run["flow_run_run_count"].as_i64().unwrap_or(0),
            start_time: time(&run["start_time"]),
            end_time: time(&run["end_time"]),
            total_run_time: run["total_run_time"].as_f64().unwrap_or(0.0),
            expected_start_time: time(&run["expected_start_time"]),
            next_scheduled_start_time: time(&run["next_scheduled_start_time"]),
            empirical_policy: match &run["empirical_policy"] {
                Value::Null => TaskRunPolicy::default(),
                policy => serde_json::from_value(policy.clone()).unwrap(),
            },
        },
        state: state(&raw["state"]),
        flow_run: flow_run.is_object().then(|| {
            let state = state(&flow_run["state"]);
            ParentFlowRun {
                id: FlowRunId::from(uid(PARENT_RUN)),
                state_type: state.as_ref().map(|state| state.kind),
                run_count: flow_run["run_count"].as_i64().unwrap_or(1),
                pause_timeout: state
                    .as_ref()
                    .and_then(|state| state.state_details.pause_timeout.map(OffsetTimestamp::at)),
                pause_reschedule: state.as_ref().is_some_and(|state| state.state_details.pause_reschedule),
                retry_type: None,
            }
        }),
        cached_state: cached_state(raw),
        tag_limits: raw["tag_limits"].as_array().into_iter().flatten().enumerate().map(tag_limit).collect(),
        max_cache_key_length: 2000,
        new_lease_id: LeaseId::from(uid(NEW_LEASE)),
        random: raw["random"].as_f64().unwrap_or(0.5),
        waits: Waits::default(),
    }
}

/// What the server would find for the proposed key.
fn cached_state(raw: &Value) -> Option<tidegate_core::state::State> {
    let is_asked_for = raw["proposed"]["state_details"]["cache_key"] == raw["cached_key"];
    let is_fresh = raw["cached_expiration"].as_i64().is_none_or(|expiration| expiration > NOW);
    state(&raw["cached_state"]).filter(|_| is_asked_for && is_fresh)
}

fn tag_limit((number, raw): (usize, &Value)) -> TagLimit {
    TagLimit {
        tag: raw["tag"].as_str().unwrap().to_owned(),
        limit: LimitFacts {
            id: ConcurrencyLimitId::from(uid(30 + number as u64)),
            active: raw["active"] != false,
            limit: raw["limit"].as_i64().unwrap(),
            taken: raw["taken"].as_i64().unwrap_or(0),
            average_occupancy_seconds: raw["occupancy"].as_f64().unwrap_or(2.0),
        },
        held: raw["held"] == true,
    }
}

fn answer(case: &Case) -> Value {
    let facts = facts(&case.facts);
    let ruling = decide_task_run(proposed(&case.facts["proposed"]), &facts);
    let mut out = json!({"status": ruling.status});
    if let Some(reason) = &ruling.reason {
        out["reason"] = json!(reason);
    }
    if let Some(seconds) = ruling.delay_seconds {
        out["delay_seconds"] = json!(seconds);
    }
    if let Some(state) = &ruling.state {
        out["state"] = state_out(state);
    }
    let (before, after) = (serde_json::to_value(&facts.run).unwrap(), serde_json::to_value(&ruling.run).unwrap());
    let changes = run_changes(&before, &after);
    if changes.as_object().is_some_and(|changes| !changes.is_empty()) {
        out["run"] = changes;
    }
    let mut slots = vec![0; facts.tag_limits.len()];
    for effect in &ruling.effects {
        match effect {
            Effect::TakeTagSlots { limits, lease } => {
                assert_eq!(*lease, facts.new_lease_id);
                for (slot, tag) in slots.iter_mut().zip(&facts.tag_limits) {
                    *slot += i32::from(limits.contains(&tag.limit.id));
                }
                // The reference's leases of task runs last a hundred years.
                out["leases"]["made"] = json!([{"seconds": 100 * 365 * 86_400_u64, "limits": limits}]);
            }
            Effect::ReleaseTagSlots => {
                for (slot, tag) in slots.iter_mut().zip(&facts.tag_limits) {
                    *slot -= i32::from(tag.held);
                }
                out["leases"]["revoked"] = json!([uid(LEASE)]);
            }
            Effect::InsertCachedState { key, expiration } => out["cached"] = json!([key, expiration.map(seconds)]),
            Effect::EnqueueTask { task_key, is_retry } => {
                assert_eq!(task_key, "a-task");
                out["queue"] = json!([if *is_retry { "retry" } else { "scheduled" }]);
            }
            other => panic!("no recorded case leads to {other:?}"),
        }
    }
    if slots.iter().any(|slot| *slot != 0) {
        out["slots"] = json!(slots);
    }
    out
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "a-key-that-is-too-long-is-not-kept",
        adjust: |_, out, _| {
            let is_long = out["cached"][0].as_str().is_some_and(|key| key.len() > 2000);
            is_long && out.as_object_mut().unwrap().remove("cached").is_some()
        },
    },
    Difference {
        name: "a-closed-tag-limit-aborts",
        adjust: |case, out, _| {
            let limits = case.facts["tag_limits"].as_array();
            let Some(closed) = limits.into_iter().flatten().find(|limit| limit["limit"] == 0) else { return false };
            let tag = closed["tag"].as_str().unwrap();
            *out = json!({
                "status": "ABORT",
                "reason": format!("The concurrency limit on tag \"{tag}\" is 0 and will deadlock if the task tries to run again."),
            });
            true
        },
    },
];
