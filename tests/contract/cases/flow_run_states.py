"""Cases: set_state and resume of flow runs, and the states' own reads. The rulings themselves are proven by
`record/transitions`; these prove that the HTTP layer carries them."""

import json

from cases.support import deployment, flow, flow_run, pool, states_of, task_run
from harness.registry import case

TYPES = ("SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "CRASHED", "PAUSED", "CANCELLING")
RUN = ["state_type", "state_name", "run_count", "start_time", "end_time", "expected_start_time", "next_scheduled_start_time", "total_run_time", "empirical_policy"]


def _set(c, run, kind, force=None, show=None, **state):
    body = {"state": {"type": kind, **state}}
    if force is not None:
        body["force"] = force
    return c.post(f"/flow_runs/{run['id']}/set_state", body, show=show)


def _read(c, run):
    return c.get(f"/flow_runs/{run['id']}", show=RUN)


@case
def life(c):
    run = flow_run(c, flow(c)["id"])
    for kind in ("RUNNING", "COMPLETED"):
        _set(c, run, kind, message=f"now {kind}")
        c.get(f"/flow_runs/{run['id']}")
    states_of(c, run["id"])
    c.get(f"/flow_run_states/?flow_run_id={run['id']}")


@case
def every_pair(c):
    """Each initial type against each proposed type, without a deployment."""
    parent = flow(c)
    for before in TYPES:
        for after in TYPES:
            run = flow_run(c, parent["id"], f"{before}-{after}", before)
            _set(c, run, after, show=_ruling)
            _read(c, run)


@case
def every_pair_forced(c):
    parent = flow(c)
    for before in TYPES:
        for after in TYPES:
            run = flow_run(c, parent["id"], f"{before}-{after}", before)
            _set(c, run, after, force=True, show=_ruling)


@case
def every_pair_of_a_deployment(c):
    parent = flow(c)
    made = deployment(c, parent["id"], work_pool_name=pool(c)["name"])
    for before in TYPES:
        for after in TYPES:
            run = flow_run(c, parent["id"], f"{before}-{after}", before, deployment_id=made["id"])
            _set(c, run, after, show=_ruling)
            _read(c, run)


def _ruling(body):
    state = body.get("state") or {}
    return {"status": body["status"], "details": body["details"], "state": {key: state.get(key) for key in ("type", "name", "message")}}


@case
def bodies(c):
    run = flow_run(c, flow(c)["id"])
    path = f"/flow_runs/{run['id']}/set_state"
    for body in (
        {}, {"state": None}, {"state": {}}, {"state": {"type": "X"}}, {"state": {"type": None}}, {"state": "RUNNING"}, {"state": []}, {"force": True}, {"state": {"type": "RUNNING"}, "force": "maybe"}, {"state": {"type": "RUNNING"}, "force": None},
        {"state": {"type": "RUNNING", "name": 5}}, {"state": {"type": "RUNNING", "message": {}}}, {"state": {"type": "RUNNING", "state_details": "x"}}, {"state": {"type": "RUNNING", "state_details": {"transition_id": "x"}}},
        {"state": {"type": "RUNNING", "timestamp": "2020-01-01T00:00:00Z"}}, {"state": {"type": "RUNNING", "id": c.nil}}, {"state": {"type": "RUNNING", "unknown": 1}}, {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "x"}}},
        {"type": "RUNNING"}, [], "x",
    ):
        c.post(path, body, show=_ruling)
    c.post(path)
    c.post(f"/flow_runs/{c.nil}/set_state", {"state": {"type": "RUNNING"}})
    c.post("/flow_runs/abc/set_state", {"state": {"type": "RUNNING"}})
    c.post(path, {"state": {"type": "RUNNING"}, "extra": 1}, show=_ruling)


@case
def names_and_messages(c):
    parent = flow(c)
    run = flow_run(c, parent["id"])
    _set(c, run, "PENDING", name="Submitting")
    _set(c, run, "PENDING", name="InfrastructurePending", message="starting")
    _set(c, run, "PENDING")
    _set(c, run, "RUNNING", name="Working", message="")
    _set(c, run, "RUNNING", name="Still working")
    _set(c, run, "FAILED", name="TimedOut", message="too long")
    states_of(c, run["id"])
    c.get(f"/flow_runs/{run['id']}", show=["state"])


@case
def results(c):
    """State data comes back on reads; persisted results guard a completed run."""
    parent = flow(c)
    data = {"type": "reference", "storage_key": "k", "serializer": {"type": "json"}}
    run = flow_run(c, parent["id"], "persisted", "RUNNING")
    _set(c, run, "COMPLETED", data=data)
    c.get(f"/flow_runs/{run['id']}", show=["state", "state_type"])
    c.get(f"/flow_run_states/?flow_run_id={run['id']}", show=["type", "data"])
    c.post("/flow_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}}, show=["state"])
    _set(c, run, "RUNNING", show=_ruling)
    _set(c, run, "FAILED", show=_ruling)
    _set(c, run, "COMPLETED", show=_ruling)
    _set(c, run, "COMPLETED", force=True, show=_ruling)
    _set(c, run, "COMPLETED", data={"type": "unpersisted"}, show=_ruling)
    c.post("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
    loose = flow_run(c, parent["id"], "unpersisted", "RUNNING")
    _set(c, loose, "COMPLETED", data={"type": "unpersisted"})
    c.get(f"/flow_runs/{loose['id']}", show=["state"])
    _set(c, loose, "RUNNING", show=_ruling)
    for value in ({"any": "thing"}, [1, 2], "text", 5, True, 1.5):
        one = flow_run(c, parent["id"], "odd", "RUNNING")
        _set(c, one, "COMPLETED", data=value)
        c.get(f"/flow_runs/{one['id']}", show=["state"])


@case
def duplicate_transitions(c):
    run = flow_run(c, flow(c)["id"])
    details = {"transition_id": "44444444-4444-4444-8444-444444444444"}
    _set(c, run, "RUNNING", state_details=details)
    _set(c, run, "RUNNING", state_details=details)
    _set(c, run, "RUNNING", state_details={"transition_id": "55555555-5555-4555-8555-555555555555"}, show=_ruling)
    _read(c, run)


@case
def retries(c):
    run = flow_run(c, flow(c)["id"], empirical_policy={"retries": 2, "retry_delay": 90})
    for _ in range(3):
        _set(c, run, "RUNNING", show=_ruling)
        c.get(f"/flow_runs/{run['id']}", show=["state_name"])
        _set(c, run, "RUNNING", force=True, show=_ruling)
        _set(c, run, "FAILED", message="no luck", data={"type": "unpersisted"})
        _read(c, run)
    states_of(c, run["id"])
    now = flow_run(c, flow(c)["id"], "no delay", empirical_policy={"retries": 1})
    _set(c, now, "RUNNING", show=_ruling)
    _set(c, now, "FAILED")
    _set(c, now, "RUNNING")
    _set(c, now, "FAILED")
    _read(c, now)


@case
def scheduled_in_the_future(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "future", {"type": "SCHEDULED", "state_details": {"scheduled_time": c.now(hours=1)}})
    _set(c, run, "RUNNING", show=_ruling)
    _set(c, run, "PENDING")
    _set(c, run, "RUNNING", show=_ruling)
    _read(c, run)
    _set(c, run, "RUNNING", force=True, show=_ruling)
    _read(c, run)
    past = flow_run(c, parent["id"], "past", {"type": "SCHEDULED", "state_details": {"scheduled_time": "2021-01-01T00:00:00Z"}})
    _set(c, past, "SCHEDULED", name="Late", state_details={"scheduled_time": "2021-01-01T00:00:00Z"})
    _set(c, past, "SCHEDULED", name="Late", show=_ruling)
    _set(c, past, "PENDING")
    _set(c, past, "SCHEDULED", name="Late", show=_ruling)
    _set(c, past, "RUNNING")
    _read(c, past)


@case
def pause_and_resume(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "run", "RUNNING")
    path = f"/flow_runs/{run['id']}/resume"
    c.post(path)
    _set(c, run, "PAUSED", name="Paused", state_details={"pause_timeout": c.now(hours=1), "pause_key": "one", "pause_reschedule": False})
    _set(c, run, "PENDING", show=_ruling)
    _set(c, run, "PAUSED", show=_ruling)
    c.post(path)
    _read(c, run)
    _set(c, run, "PAUSED", state_details={"pause_timeout": c.now(hours=1), "pause_key": "one"}, show=_ruling)
    _set(c, run, "PAUSED", state_details={"pause_timeout": c.now(hours=1), "pause_key": "two"}, show=_ruling)
    _read(c, run)
    c.post(path, {"run_input": {"x": 1}})
    _set(c, run, "COMPLETED", show=_ruling)
    c.post(path)
    _read(c, run)
    states_of(c, run["id"])
    c.post(f"/flow_runs/{c.nil}/resume")
    c.post("/flow_runs/abc/resume")
    expired = flow_run(c, parent["id"], "expired", "RUNNING")
    _set(c, expired, "PAUSED", state_details={"pause_timeout": "2021-01-01T00:00:00Z"}, show=_ruling)
    c.post(f"/flow_runs/{expired['id']}/resume")
    _read(c, expired)


@case
def suspend_and_resume(c):
    parent = flow(c)
    made = deployment(c, parent["id"])
    loose = flow_run(c, parent["id"], "loose", "RUNNING")
    _set(c, loose, "PAUSED", name="Suspended", state_details={"pause_timeout": c.now(hours=1), "pause_reschedule": True})
    run = flow_run(c, parent["id"], "run", "RUNNING", deployment_id=made["id"])
    _set(c, run, "PAUSED", name="Suspended", state_details={"pause_timeout": c.now(hours=1), "pause_reschedule": True, "pause_key": "k"})
    c.post(f"/flow_runs/{run['id']}/resume")
    _read(c, run)
    _set(c, run, "CANCELLING", show=_ruling)
    other = flow_run(c, parent["id"], "other", "RUNNING", deployment_id=made["id"])
    _set(c, other, "PAUSED", name="Suspended", state_details={"pause_timeout": c.now(hours=1), "pause_reschedule": True}, show=_ruling)
    _set(c, other, "CANCELLING")
    _read(c, other)


@case
def resume_with_input(c):
    parent = flow(c)
    schema = {"title": "In", "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "default": 3}}, "required": ["name"]}
    run = flow_run(c, parent["id"], "run", "RUNNING")
    keyset = {"schema": "p-schema", "response": "p-response", "description": "p-description"}
    c.post(f"/flow_runs/{run['id']}/input", {"key": "p-schema", "value": json.dumps(schema)}, quiet=True)
    _set(c, run, "PAUSED", state_details={"pause_timeout": c.now(hours=1), "pause_key": "p", "run_input_keyset": keyset}, show=_ruling)
    path = f"/flow_runs/{run['id']}/resume"
    c.post(path, {"run_input": {"age": "old"}})
    c.post(path, {"run_input": {"name": 5}})
    c.post(path, {"run_input": None})
    c.post(path)
    c.post(path, {"run_input": []})
    c.post(path, {"run_input": {"name": {"__prefect_kind": "json", "value": "{bad"}}})
    c.post(path, {"run_input": {"name": {"__prefect_kind": "json", "value": '"from json"'}}})
    c.get(f"/flow_runs/{run['id']}/input/p-response")
    _read(c, run)
    missing = flow_run(c, parent["id"], "missing", "RUNNING")
    _set(c, missing, "PAUSED", state_details={"pause_timeout": c.now(hours=1), "run_input_keyset": keyset}, show=_ruling)
    c.post(f"/flow_runs/{missing['id']}/resume", {"run_input": {"name": "x"}})


@case
def cancelling(c):
    parent = flow(c)
    made = deployment(c, parent["id"])
    scheduled = flow_run(c, parent["id"], "scheduled", "SCHEDULED", deployment_id=made["id"])
    _set(c, scheduled, "CANCELLING")
    running = flow_run(c, parent["id"], "running", "RUNNING", deployment_id=made["id"])
    _set(c, running, "CANCELLING", message="stop")
    _set(c, running, "RUNNING")
    _set(c, running, "COMPLETED")
    _set(c, running, "CANCELLED")
    _read(c, running)
    late = flow_run(c, parent["id"], "with infrastructure", "SCHEDULED", deployment_id=made["id"])
    c.patch(f"/flow_runs/{late['id']}", {"infrastructure_pid": "77"}, quiet=True)
    _set(c, late, "CANCELLING", show=_ruling)


@case
def client_versions(c):
    """The User-Agent and the API version header switch parts of the rules."""
    parent = flow(c)
    for headers in ({"user-agent": "prefect/3.0.2 (API 0.8.4)"}, {"user-agent": "prefect/3.8.8 (API 0.8.4)"}, {"x-prefect-api-version": "0.8.2"}, {"x-prefect-api-version": "0.8.3"}, {"user-agent": "curl/8"}):
        run = flow_run(c, parent["id"], "run", "RUNNING", empirical_policy={"retries": 1})
        c.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "PAUSED", "state_details": {"pause_timeout": c.now(hours=1)}}}, headers=headers, show=_ruling)
        c.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "RUNNING"}}, headers=headers, show=_ruling)
        c.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "FAILED"}}, headers=headers, show=_ruling)
        _read(c, run)


@case
def reads(c):
    run = flow_run(c, flow(c)["id"], "run", "RUNNING")
    task_run(c, run["id"])
    full = c.get(f"/flow_runs/{run['id']}", show=["state_type"])
    c.get(f"/flow_run_states/{full['state_id']}")
    c.get(f"/flow_run_states/{c.nil}")
    c.get("/flow_run_states/abc")
    c.get("/flow_run_states/")
    c.get("/flow_run_states/?flow_run_id=abc")
    c.get("/flow_run_states/?flow_run_id=")
    c.get(f"/flow_run_states/?flow_run_id={c.nil}")
    c.get(f"/flow_run_states/?flow_run_id={run['id']}&x=1")


@case
def deployment_concurrency(c):
    """A deployment's limit is taken on PENDING and given back at the end."""
    parent = flow(c)
    made = deployment(c, parent["id"], concurrency_limit=1)
    runs = [flow_run(c, parent["id"], f"run-{index}", "SCHEDULED", deployment_id=made["id"]) for index in range(3)]
    agent = {"user-agent": "prefect/3.8.8 (API 0.8.4)"}
    propose = lambda run, kind: c.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": kind}}, headers=agent)  # noqa: E731
    limit = lambda: c.get(f"/v2/concurrency_limits/deployment:{made['id']}", show=["limit", "active_slots", "active"])  # noqa: E731
    limit()
    propose(runs[0], "PENDING")
    limit()
    propose(runs[1], "PENDING")
    limit()
    propose(runs[0], "RUNNING")
    limit()
    propose(runs[0], "COMPLETED")
    limit()
    propose(runs[1], "PENDING")
    propose(runs[1], "CANCELLED")
    limit()
    strict = deployment(c, parent["id"], "strict", concurrency_limit=1, concurrency_options={"collision_strategy": "CANCEL_NEW"})
    one, two = (flow_run(c, parent["id"], f"strict-{index}", "SCHEDULED", deployment_id=strict["id"]) for index in range(2))
    propose(one, "PENDING")
    propose(two, "PENDING")
    _read(c, two)
    old = {"user-agent": "prefect/3.4.10 (API 0.8.4)"}
    c.post(f"/flow_runs/{one['id']}/set_state", {"state": {"type": "RUNNING"}}, headers=old, show=_ruling)
    c.post(f"/flow_runs/{one['id']}/set_state", {"state": {"type": "FAILED"}}, headers=old, show=_ruling)
    c.get(f"/v2/concurrency_limits/deployment:{strict['id']}", show=["limit", "active_slots"])
    c.patch(f"/deployments/{made['id']}", {"concurrency_limit": 0})
    none = flow_run(c, parent["id"], "none", "SCHEDULED", deployment_id=made["id"])
    propose(none, "PENDING")
