"""The cases of flow runs: the whole square of states and proposals, and what depends on limits, pauses, retries and chance."""

from __future__ import annotations

import itertools
import json

from .vocabulary import LEASE, NOW, TRANSITIONS, flow_proposals, initial_states, propose, rng, run_for, state

LIMITS = [{"limit": 3, "taken": 1}, {"limit": 1, "taken": 1}, {"limit": 0}, {"limit": 2}, {"limit": 1, "taken": 2}]
VERSIONS = ["3.8.8", "3.4.11", "3.4.10", "3.0.3", "3.0.2", "3.0.4", None]


def flow_cases() -> list[dict]:
    cases: list[dict] = []
    for number, (initial, proposed) in enumerate(itertools.product(initial_states(), flow_proposals())):
        # The whole square for a plain run, and a second one for a deployment's run that ran before.
        cases.append({"policy": "Core", "api_version": "0.8.4", "client_version": "3.8.8", "run": run_for(initial), "state": initial, "proposed": proposed})
        run = run_for(initial, run_count=1) | {"empirical_policy": {"retries": number % 3, "retry_delay": [0, 7, None][number % 3]}}
        if number % 4 == 0:
            run["infrastructure_pid"] = "pid-1"
        cases.append(
            {"policy": "Core", "api_version": "0.8.4", "client_version": "3.8.8", "run": run, "state": initial, "proposed": proposed, "deployment": {}}
        )
    for initial, proposed in itertools.product(initial_states(), flow_proposals()[::2]):
        cases.append({"policy": "Minimal", "api_version": "0.8.4", "run": run_for(initial, 1), "state": initial, "proposed": proposed})
    cases += late_cases() + slot_cases() + pause_cases() + random_flow_cases(500)
    return cases


def late_cases() -> list[dict]:
    out = []
    late = propose("SCHEDULED", "Late", state_details={"scheduled_time": NOW - 300})
    for initial in initial_states():
        out.append({"policy": "MarkLate", "run": run_for(initial), "state": initial, "proposed": late})
        for strategy, limit in itertools.product(
            ["ENQUEUE", "CANCEL_NEW", None], [{"limit": 1, "taken": 1}, {"limit": 2, "taken": 1}, {"limit": 0}, {"limit": 1, "taken": 1, "active": False}]
        ):
            if initial is None or initial["type"] != "SCHEDULED":
                continue
            deployment = {"limit": limit}
            if strategy:
                deployment["collision_strategy"] = strategy
            out.append({"policy": "MarkLate", "run": run_for(initial), "state": initial, "proposed": late, "deployment": deployment})
    out.append({"policy": "MarkLate", "run": run_for(initial_states()[1]), "state": initial_states()[1], "proposed": propose("SCHEDULED", "Other")})
    return out


def slot_cases() -> list[dict]:
    """A deployment's limit: taking, keeping, renewing and giving back its slots."""
    out = []
    starts = [initial_states()[i] for i in (0, 1, 3, 6, 7, 16, 17, 20, 21)]
    for initial, limit, strategy in itertools.product(starts, LIMITS, [None, "ENQUEUE", "CANCEL_NEW"]):
        version = VERSIONS[len(out) % len(VERSIONS)]
        deployment = {"limit": limit}
        if strategy:
            deployment["collision_strategy"] = strategy
            if len(out) % 2:
                deployment["grace_period_seconds"] = 90
        out.append({
            "policy": "Core", "api_version": "0.8.4", "client_version": version, "run": run_for(initial, 1), "state": initial,
            "proposed": propose("PENDING", "Submitting" if len(out) % 5 == 0 else None), "deployment": deployment,
        })
    holding = [
        state("PENDING", state_details={"deployment_concurrency_lease_id": LEASE, "scheduled_time": NOW - 5}),
        state("PENDING", "Submitting", state_details={"deployment_concurrency_lease_id": LEASE}),
        state("PENDING", "InfrastructurePending", state_details={"deployment_concurrency_lease_id": LEASE, "scheduled_time": NOW + 20}),
    ]
    for initial, version, lease, limit in itertools.product(holding[:2], VERSIONS, ["live", "expired", "gone"], LIMITS[:3]):
        for proposed in (propose("RUNNING"), propose("CANCELLING")):
            out.append({
                "policy": "Core", "api_version": "0.8.4", "client_version": version, "run": run_for(initial), "state": initial,
                "proposed": proposed, "deployment": {"limit": limit, "collision_strategy": "ENQUEUE"}, "lease": lease,
            })
    holding += [
        state("RUNNING", ago=30, state_details={"deployment_concurrency_lease_id": LEASE}),
        state("CANCELLING", state_details={"deployment_concurrency_lease_id": LEASE}),
        state("SCHEDULED", "AwaitingRetry", state_details={"deployment_concurrency_lease_id": LEASE, "scheduled_time": NOW - 1}),
        state("RUNNING", ago=30),
        state("PENDING"),
    ]
    for initial, proposed in itertools.product(holding, flow_proposals()):
        lease = rng.choice(["live", "live", "expired", "gone"])
        run = run_for(initial, 1) | {"empirical_policy": {"retries": rng.choice([None, 0, 1, 2])}}
        out.append({
            "policy": rng.choice(["Core", "Core", "Core", "Minimal"]), "api_version": "0.8.4", "client_version": rng.choice(VERSIONS),
            "run": run, "state": initial, "proposed": proposed, "deployment": {"limit": {"limit": 2, "taken": rng.choice([1, 2])}}, "lease": lease,
        })
    return out


def pause_cases() -> list[dict]:
    out = []
    running = state("RUNNING", ago=9)
    for proposed, keys, subflow, deployment in itertools.product(
        [p for p in flow_proposals() if p["type"] == "PAUSED"], [[], ["k1"], ["k2", "k3"]], [False, True], [None, {}]
    ):
        case = {"policy": "Core", "api_version": "0.8.4", "run": run_for(running, 1) | {"empirical_policy": {"pause_keys": keys}}, "state": running, "proposed": proposed}
        if subflow:
            case["run"]["subflow"] = True
        if deployment is not None:
            case["deployment"] = deployment
        out.append(case)
    paused = [s for s in initial_states() if s and s["type"] == "PAUSED"]
    for initial, proposed, version in itertools.product(paused, [propose("RUNNING"), propose("SCHEDULED", "Resuming"), propose("FAILED")], ["0.8.4", "0.8.3", "0.8.1"]):
        out.append({
            "policy": "Core", "api_version": version, "run": run_for(initial, 1) | {"empirical_policy": {"pause_keys": ["k1"]}}, "state": initial,
            "proposed": proposed, "deployment": {},
        })
    for resuming, version, proposed in itertools.product([True, False, None], ["0.8.4", "0.8.3", None], [propose("RUNNING"), propose("PENDING"), propose("COMPLETED")]):
        initial = state("SCHEDULED", "Resuming", state_details={"scheduled_time": NOW - 2})
        run = run_for(initial, 2) | {"empirical_policy": {"resuming": resuming}}
        out.append({"policy": "Core", "api_version": version, "run": run, "state": initial, "proposed": proposed, "deployment": {}})
    return out


def random_flow_cases(count: int) -> list[dict]:
    out = []
    for _ in range(count):
        initial = json.loads(json.dumps(rng.choice(initial_states())))
        proposed = json.loads(json.dumps(rng.choice(flow_proposals())))
        run = run_for(initial, rng.randrange(4))
        if rng.random() < 0.3:
            run["infrastructure_pid"] = "pid-9"
        if rng.random() < 0.25:
            run["subflow"] = True
        if rng.random() < 0.2:
            for column in ("start_time", "expected_start_time", "end_time"):
                run.pop(column, None)
        run["empirical_policy"] = {
            "retries": rng.choice([None, 0, 1, 2, 3]), "retry_delay": rng.choice([None, 0, 5, 60]), "resuming": rng.choice([False, False, True]),
            "pause_keys": rng.choice([[], ["k1"], ["k1", "k2"]]), "retry_type": rng.choice([None, None, "in_process", "reschedule"]),
        }
        case: dict = {
            "policy": rng.choice(["Core", "Core", "Core", "Core", "Minimal", "MarkLate"]), "api_version": rng.choice(["0.8.4", "0.8.4", "0.8.4", "0.8.3", "0.8.2", None]),
            "client_version": rng.choice(VERSIONS), "run": run, "state": initial, "proposed": proposed,
        }
        if rng.random() < 0.7:
            case["deployment"] = {}
            if rng.random() < 0.7:
                case["deployment"]["limit"] = rng.choice([*LIMITS, {"limit": 2, "taken": 1, "active": False}])
                case["deployment"]["collision_strategy"] = rng.choice(["ENQUEUE", "CANCEL_NEW"])
                if rng.random() < 0.5:
                    case["deployment"]["grace_period_seconds"] = 120
                if initial is not None and initial["type"] in ("PENDING", "RUNNING", "CANCELLING") and rng.random() < 0.7:
                    initial.setdefault("state_details", {})["deployment_concurrency_lease_id"] = LEASE
                    case["lease"] = rng.choice(["live", "live", "expired", "gone"])
        if initial is not None and rng.random() < 0.2:
            initial.setdefault("state_details", {})["transition_id"] = TRANSITIONS[0]
            proposed.setdefault("state_details", {})["transition_id"] = rng.choice(TRANSITIONS)
        if initial is not None and rng.random() < 0.08:
            # Two states in the same microsecond.
            initial["timestamp"] = NOW
        out.append(case)
    return out
