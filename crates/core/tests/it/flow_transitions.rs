//! Our rulings on flow runs against the reference's, case by case.

use serde_json::{Value, json};
use tidegate_core::{
    ids::{ConcurrencyLimitId, DeploymentId, FlowRunId, LeaseId, TaskRunId},
    orchestration::{
        CollisionStrategy, DeploymentFacts, Effect, FlowRun, FlowRunFacts, LimitFacts, Waits, decide_flow_run,
    },
};

use crate::fixtures::{
    Case, DEPLOYMENT, Difference, LEASE, LIMIT, NEW_LEASE, PARENT_TASK, RUN, assert_agreement, cases, now, proposed,
    run_changes, state, state_out, time, uid, version,
};

#[test]
fn rulings_on_flow_runs_agree_with_the_reference() {
    let cases = cases("flow_transitions.json");
    assert!(cases.len() >= 1_500, "only {} cases", cases.len());
    assert_agreement(&cases, answer, DIFFERENCES);
}

fn facts(raw: &Value) -> FlowRunFacts {
    let run = &raw["run"];
    let deployment = &raw["deployment"];
    FlowRunFacts {
        now: now(),
        policy: serde_json::from_value(raw["policy"].clone()).unwrap(),
        client_version: version(&raw["client_version"]),
        api_version: version(&raw["api_version"]),
        run: FlowRun {
            id: FlowRunId::from(uid(RUN)),
            deployment_id: deployment.is_object().then(|| DeploymentId::from(uid(DEPLOYMENT))),
            parent_task_run_id: (run["subflow"] == true).then(|| TaskRunId::from(uid(PARENT_TASK))),
            infrastructure_pid: run["infrastructure_pid"].as_str().map(str::to_owned),
            run_count: run["run_count"].as_i64().unwrap_or(0),
            start_time: time(&run["start_time"]),
            end_time: time(&run["end_time"]),
            total_run_time: run["total_run_time"].as_f64().unwrap_or(0.0),
            expected_start_time: time(&run["expected_start_time"]),
            next_scheduled_start_time: time(&run["next_scheduled_start_time"]),
            empirical_policy: match &run["empirical_policy"] {
                Value::Null => serde_json::from_value(json!({})).unwrap(),
                policy => serde_json::from_value(policy.clone()).unwrap(),
            },
        },
        state: state(&raw["state"]),
        deployment: deployment.is_object().then(|| DeploymentFacts {
            id: DeploymentId::from(uid(DEPLOYMENT)),
            limit: limit(&deployment["limit"]),
            collision_strategy: match deployment["collision_strategy"].as_str() {
                Some("CANCEL_NEW") => CollisionStrategy::CancelNew,
                _ => CollisionStrategy::Enqueue,
            },
            grace_period_seconds: deployment["grace_period_seconds"].as_f64(),
        }),
        // An expired lease that nobody reaped yet still holds its slot.
        lease_is_live: matches!(raw["lease"].as_str(), Some("live" | "expired")),
        owner: None,
        last_token: 0,
        presented_token: None,
        claim: None,
        new_lease_id: LeaseId::from(uid(NEW_LEASE)),
        random: 0.5,
        waits: Waits::default(),
    }
}

fn limit(raw: &Value) -> Option<LimitFacts> {
    raw.is_object().then(|| LimitFacts {
        id: ConcurrencyLimitId::from(uid(LIMIT)),
        active: raw["active"] != false,
        limit: raw["limit"].as_i64().unwrap(),
        taken: raw["taken"].as_i64().unwrap_or(0),
        average_occupancy_seconds: 2.0,
    })
}

fn answer(case: &Case) -> Value {
    let facts = facts(&case.facts);
    let ruling = decide_flow_run(proposed(&case.facts["proposed"]), &facts);
    let mut out = json!({"status": ruling.status});
    if let Some(reason) = &ruling.reason {
        out["reason"] = json!(reason);
    }
    if let Some(seconds) = ruling.delay_seconds {
        out["delay_seconds"] = json!(seconds);
    }
    if let Some(state) = &ruling.state {
        out["state"] = state_out(state);
        out["events"] = json!(1);
    }
    let (before, after) = (serde_json::to_value(&facts.run).unwrap(), serde_json::to_value(&ruling.run).unwrap());
    let changes = run_changes(&before, &after);
    if changes.as_object().is_some_and(|changes| !changes.is_empty()) {
        out["run"] = changes;
    }
    let live = facts.lease_is_live;
    let mut slots = 0_i64;
    for effect in &ruling.effects {
        match effect {
            Effect::TakeDeploymentSlot { limit, lease, seconds } => {
                assert_eq!(*lease, facts.new_lease_id);
                slots += 1;
                out["leases"]["made"] = json!([{"seconds": seconds, "limits": [limit]}]);
            }
            Effect::RenewDeploymentLease { lease, seconds } => {
                assert_eq!(lease.0, uid(LEASE));
                out["leases"]["renewed"] = json!(seconds);
            }
            Effect::KeepSlotWithoutLease { lease, .. } => out["leases"]["revoked"] = json!([lease]),
            Effect::ReleaseDeploymentSlot { lease: Some(lease), .. } if live => {
                // Nothing goes below zero, in facts that say so.
                let taken =
                    facts.deployment.as_ref().and_then(|deployment| deployment.limit).map_or(0, |limit| limit.taken);
                slots -= taken.min(1);
                out["leases"]["revoked"] = json!([lease]);
            }
            Effect::ReleaseLease { lease } if live => out["leases"]["revoked"] = json!([lease]),
            // Nothing is held under it: nothing happens.
            Effect::ReleaseDeploymentSlot { .. } | Effect::ReleaseLease { .. } => {}
            Effect::SetParentTaskRunState { task_run, state } => {
                assert_eq!(task_run.0, uid(PARENT_TASK));
                assert_eq!(state.state_details.child_flow_run_id, Some(uid(RUN)));
                out["parent"] = json!({"type": state.kind, "name": state.name});
            }
            other => panic!("no recorded case leads to {other:?}"),
        }
    }
    if slots != 0 {
        out["slots"] = json!(slots);
    }
    out
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "a-refused-change-changes-nothing",
        adjust: |_, out, _| out.get("state").is_none() && out.as_object_mut().unwrap().remove("run").is_some(),
    },
    Difference {
        name: "an-inactive-limit-does-not-hold",
        adjust: |case, out, ours| {
            let is_inactive = case.facts["deployment"]["limit"]["active"] == false;
            let held =
                ["error", "reason"].iter().any(|key| out[key].as_str().is_some_and(|text| text.contains("oncurrency")));
            if !is_inactive || !held {
                return false;
            }
            assert_eq!(ours["status"], "ACCEPT");
            assert_eq!(ours["state"]["type"], case.facts["proposed"]["type"]);
            *out = ours.clone();
            true
        },
    },
    Difference {
        name: "a-slot-is-given-back-once",
        adjust: |case, out, _| {
            let is_given_back = out["slots"] == -1.0 && out["leases"].is_null();
            if !is_given_back || holds_live_lease(case) {
                return false;
            }
            out.as_object_mut().unwrap().remove("slots").is_some()
        },
    },
    Difference {
        name: "a-waiting-retry-gives-its-slot-back",
        adjust: |case, out, _| {
            let ends = out["state"]["type"]
                .as_str()
                .is_some_and(|kind| !["SCHEDULED", "PENDING", "RUNNING", "CANCELLING"].contains(&kind));
            if !ends || !waits_with_live_lease(case) {
                return false;
            }
            out["slots"] = json!(-1);
            out["leases"] = json!({"revoked": [uid(LEASE)]});
            true
        },
    },
    Difference {
        name: "every-policy-gives-slots-back",
        adjust: |case, out, _| {
            let ends =
                out["state"]["type"].as_str().is_some_and(|kind| !["PENDING", "RUNNING", "CANCELLING"].contains(&kind));
            if case.facts["policy"] != "MarkLate"
                || !ends
                || !out["leases"].is_null()
                || !holds_live_lease(case)
                || waits_with_live_lease(case)
            {
                return false;
            }
            if case.facts["deployment"]["limit"]["taken"].as_i64().unwrap_or(0) > 0 {
                out["slots"] = json!(-1);
            }
            out["leases"] = json!({"revoked": [uid(LEASE)]});
            true
        },
    },
    Difference {
        name: "a-run-takes-one-slot",
        adjust: |case, out, _| {
            if out["slots"] != 1.0 || !waits_with_live_lease(case) {
                return false;
            }
            out.as_object_mut().unwrap().remove("slots");
            out["leases"] = json!({"renewed": out["leases"]["made"][0]["seconds"]});
            out["state"]["state_details"]["deployment_concurrency_lease_id"] = json!(uid(LEASE));
            true
        },
    },
    Difference {
        name: "a-forced-state-keeps-its-lease",
        adjust: |case, out, _| {
            let is_lost =
                out["state"].is_object() && out["state"]["state_details"]["deployment_concurrency_lease_id"].is_null();
            let keeps = matches!(out["state"]["type"].as_str(), Some("PENDING" | "RUNNING" | "CANCELLING"))
                || out["state"]["type"] == case.facts["state"]["type"];
            if case.facts["policy"] == "Core" || !is_lost || !keeps || !holds_live_lease(case) {
                return false;
            }
            out["state"]["state_details"]["deployment_concurrency_lease_id"] = json!(uid(LEASE));
            true
        },
    },
];

fn holds_live_lease(case: &Case) -> bool {
    case.facts["lease"].as_str().is_some_and(|lease| lease != "gone")
        && case.facts["state"]["state_details"]["deployment_concurrency_lease_id"].is_string()
}

fn waits_with_live_lease(case: &Case) -> bool {
    case.facts["state"]["type"] == "SCHEDULED" && holds_live_lease(case)
}
