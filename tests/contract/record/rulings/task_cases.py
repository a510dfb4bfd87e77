"""The cases of task runs: the square of states and proposals, and what depends on retries, tag limits, the cache and chance."""

from __future__ import annotations

import itertools
import json

from .vocabulary import NOW, PARAMETERS, PERSISTED, UNPERSISTED, initial_states, propose, rng, run_for, state, uid

FLOW_RUNS = [
    {"state": state("RUNNING"), "run_count": 1},
    {"state": state("RUNNING", "Retrying"), "run_count": 2},
    {"state": state("PENDING"), "run_count": 0},
    {"state": state("PAUSED", state_details={"pause_timeout": NOW + 55}), "run_count": 1},
    {"state": state("PAUSED", "Suspended", state_details={"pause_timeout": NOW + 55, "pause_reschedule": True}), "run_count": 1},
    {"state": state("COMPLETED"), "run_count": 1},
    {"state": state("CANCELLING"), "run_count": 1},
    {"run_count": 0},
]


def task_proposals() -> list[dict]:
    return [
        propose("SCHEDULED", state_details={"scheduled_time": NOW + 600}),
        propose("SCHEDULED", "AwaitingRetry", state_details={"scheduled_time": NOW + 60}),
        propose("PENDING"),
        propose("PENDING", "Submitting"),
        propose("RUNNING"),
        propose("RUNNING", state_details={"cache_key": "key-1"}),
        propose("RUNNING", state_details={"cache_key": "key-1", "refresh_cache": True}),
        propose("COMPLETED", data=PERSISTED, state_details={"cache_key": "key-1", "cache_expiration": NOW + 3600}),
        propose("COMPLETED", data=UNPERSISTED),
        propose("COMPLETED", state_details={"cache_key": "x" * 2001}),
        propose("FAILED", message="boom"),
        propose("FAILED", state_details={"retriable": False}),
        propose("CANCELLED"),
        propose("CRASHED"),
        propose("PAUSED"),
        propose("CANCELLING"),
    ]


def task_initial_states() -> list[dict | None]:
    # Paused and named states of flows add nothing for tasks.
    return [s for n, s in enumerate(initial_states()) if n not in (3, 6, 7, 20, 22)]


def task_cases() -> list[dict]:
    cases: list[dict] = []
    for number, (initial, proposed) in enumerate(itertools.product(task_initial_states(), task_proposals())):
        run = run_for(initial, number % 3) | {"empirical_policy": {"retries": number % 4, "retry_delay": [None, 3, 1.5, [1, 10]][number % 4]}}
        cases.append({"policy": "Core", "run": run, "state": initial, "proposed": proposed, "flow_run": FLOW_RUNS[number % 2]})
    for initial, proposed in itertools.product(task_initial_states(), task_proposals()):
        deferred = json.loads(json.dumps(proposed))
        deferred.setdefault("state_details", {})["deferred"] = True
        start = json.loads(json.dumps(initial))
        if start is not None:
            start.setdefault("state_details", {}).update({"deferred": True, "task_parameters_id": PARAMETERS})
        if proposed["name"] == "Submitting" if "name" in proposed else False:
            deferred["state_details"]["task_parameters_id"] = uid(10)
        cases.append({"policy": "Background", "run": run_for(start, 1) | {"empirical_policy": {"retries": 1}}, "state": start, "proposed": deferred})
    for initial, proposed in itertools.product(task_initial_states()[::2], task_proposals()):
        cases.append({"policy": "Minimal", "run": run_for(initial, 1), "state": initial, "proposed": proposed, "flow_run": FLOW_RUNS[0]})
    for initial, flow_run in itertools.product(task_initial_states()[:9], FLOW_RUNS):
        cases.append({"policy": "Core", "run": run_for(initial, 1), "state": initial, "proposed": propose("RUNNING"), "flow_run": flow_run})
    cases += retry_cases() + tag_cases() + cache_cases() + random_task_cases(200)
    return cases


def retry_cases() -> list[dict]:
    out = []
    running = state("RUNNING", ago=8)
    delays = [None, 0, 5, 2.5, [1, 2, 4], [10], [0, 0.5]]
    for delay, count, jitter, draw in itertools.product(delays, [1, 2, 3, 4], [None, 0.2, 1.0], [0.0, 0.37, 0.999]):
        if jitter is None and draw:
            continue
        policy = {"retries": 3, "retry_delay": delay}
        if jitter is not None:
            policy["retry_jitter_factor"] = jitter
        out.append({
            "policy": "Core", "run": run_for(running, count) | {"empirical_policy": policy}, "state": running,
            "proposed": propose("FAILED", message="boom", data=PERSISTED), "flow_run": FLOW_RUNS[0], "random": draw,
        })
    return rng.sample(out, 90)


def tag_limits() -> list[list[dict]]:
    return [
        [{"tag": "a", "limit": 2, "taken": 1}],
        [{"tag": "a", "limit": 1, "taken": 1}],
        [{"tag": "a", "limit": 0}],
        [{"tag": "a", "limit": 2, "taken": 1}, {"tag": "b", "limit": 1}],
        [{"tag": "a", "limit": 2, "taken": 2, "occupancy": 7.0}, {"tag": "b", "limit": 5, "taken": 1, "occupancy": 30.0}],
        [{"tag": "a", "limit": 4, "taken": 2}, {"tag": "b", "limit": 1, "taken": 1, "occupancy": 40.0}],
        [{"tag": "a", "limit": 1, "taken": 1}, {"tag": "b", "limit": 0}],
        [{"tag": "a", "limit": 1, "taken": 1, "active": False}],
        [{"tag": "a", "limit": 1, "taken": 1, "active": False}, {"tag": "b", "limit": 2, "taken": 1}],
        [{"tag": "a", "limit": 2, "taken": 1, "held": True}],
        [{"tag": "a", "limit": 2, "taken": 1, "held": True}, {"tag": "b", "limit": 3, "taken": 2, "held": True}],
    ]


def tag_cases() -> list[dict]:
    out = []
    for limits in tag_limits():
        held = any(limit.get("held") for limit in limits)
        starts = [state("RUNNING", ago=4), state("CANCELLING")] if held else [state("PENDING"), state("SCHEDULED", state_details={"scheduled_time": NOW - 3}), state("SCHEDULED", state_details={"scheduled_time": NOW + 30}), state("FAILED"), None]
        proposals = [propose("RUNNING")]
        if held:
            proposals = [p for p in task_proposals() if p["type"] != "RUNNING"]
        for initial, proposed in itertools.product(starts, proposals):
            for draw in [0.1, 0.9] if not held else [0.5]:
                out.append({
                    "policy": "Core", "run": run_for(initial, 1) | {"empirical_policy": {"retries": 1}}, "state": initial, "proposed": proposed,
                    "flow_run": FLOW_RUNS[0], "tag_limits": limits, "random": draw,
                })
    for flow_run in FLOW_RUNS[2:]:
        out.append({"policy": "Core", "state": state("PENDING"), "proposed": propose("RUNNING"), "flow_run": flow_run, "tag_limits": tag_limits()[0]})
    return out


def cache_cases() -> list[dict]:
    out = []
    cached = state("COMPLETED", data=PERSISTED, message="from before", ago=500, state_details={"cache_key": "key-1", "task_run_id": uid(40)})
    for initial, expiration, limits, flow_run in itertools.product(
        [None, state("PENDING"), state("RUNNING"), state("FAILED")], [None, NOW + 50, NOW - 50], [[], tag_limits()[1]], [FLOW_RUNS[0], FLOW_RUNS[5]]
    ):
        case = {
            "policy": "Core", "run": run_for(initial, 1), "state": initial, "proposed": propose("RUNNING", state_details={"cache_key": "key-1"}),
            "flow_run": flow_run, "tag_limits": limits, "cached_state": cached, "cached_key": "key-1",
        }
        if expiration:
            case["cached_expiration"] = expiration
        out.append(case)
    return out


def random_task_cases(count: int) -> list[dict]:
    out = []
    for _ in range(count):
        initial = json.loads(json.dumps(rng.choice(task_initial_states())))
        proposed = json.loads(json.dumps(rng.choice(task_proposals())))
        run = run_for(initial, rng.randrange(4)) | {"flow_run_run_count": rng.randrange(3)}
        run["empirical_policy"] = {"retries": rng.choice([None, 0, 1, 2]), "retry_delay": rng.choice([None, 0, 4, [1, 2]])}
        case: dict = {"policy": rng.choice(["Core", "Core", "Core", "Minimal"]), "run": run, "state": initial, "proposed": proposed, "random": round(rng.random(), 3)}
        if rng.random() < 0.7:
            case["flow_run"] = rng.choice(FLOW_RUNS)
        if rng.random() < 0.4:
            limits = rng.choice(tag_limits())
            # A run that is not running holds nothing.
            if initial is not None and initial["type"] in ("RUNNING", "CANCELLING") or not any(limit.get("held") for limit in limits):
                case["tag_limits"] = limits
        if rng.random() < 0.3:
            case["cached_state"] = state("COMPLETED", data=PERSISTED, ago=500)
            case["cached_key"] = "key-1"
        out.append(case)
    return out
