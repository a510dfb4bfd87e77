"""Cases: task runs that clients tell of by events; upsert, order, repetition, natural keys, and what is ignored."""

import uuid

from cases.support import flow, flow_run
from harness.registry import case

RUN = ["id", "name", "flow_run_id", "task_key", "dynamic_key", "state_type", "state_name", "run_count", "start_time", "end_time", "total_run_time", "expected_start_time", "tags", "cache_key", "task_inputs", "state", "empirical_policy", "labels"]


def _id(c, text):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{c.token}-{text}"))


def _event(c, parent, task, number, kind, name=None, task_id=None, orchestration="client", message=None, data=None, **fields):
    """What the engine sends when a task run changes its state."""
    name = name or kind.capitalize()
    identity = task_id or _id(c, task)
    related = [{"prefect.resource.id": f"prefect.flow-run.{parent['id']}", "prefect.resource.role": "flow-run", "prefect.resource.name": "parent"}] if parent else []
    return {
        "id": _id(c, f"{task}-{number}-event"), "occurred": f"2035-01-01T00:00:{number:02}.000000Z", "event": f"prefect.task-run.{name}",
        "resource": {"prefect.resource.id": f"prefect.task-run.{identity}", "prefect.resource.name": task, "prefect.run-count": str(fields.get("run_count", 0)), "prefect.state-message": message or "", "prefect.state-name": name, "prefect.state-timestamp": f"2035-01-01T00:00:{number:02}.000000Z", "prefect.state-type": kind, "prefect.orchestration": orchestration},
        "related": related,
        "payload": {
            "intended": {"from": None, "to": kind}, "initial_state": None, "validated_state": {"type": kind, "name": name, "message": message or "", "state_details": {}, "data": data},
            "task_run": {"task_key": f"key-{task}", "dynamic_key": "0", "name": task, "empirical_policy": {"max_retries": 0, "retry_delay_seconds": 0.0, "retries": 0, "retry_delay": 0, "retry_jitter_factor": None}, "tags": ["t"], "task_inputs": {"x": []}, "run_count": 0, "total_run_time": 0.0, **fields},
        },
    }


def _tell(c, *events):
    c.post("/events", list(events))


def _wait(c, task, state, task_id=None):
    c.until(lambda answer: answer["state_name"] == state, "GET", f"/task_runs/{task_id or _id(c, task)}")
    c.get(f"/task_runs/{task_id or _id(c, task)}", show=RUN)


@case
def life(c):
    parent = flow_run(c, flow(c)["id"], "parent", "RUNNING")
    _tell(c, _event(c, parent, "a", 1, "PENDING", expected_start_time="2035-01-01T00:00:01Z"))
    _wait(c, "a", "Pending")
    _tell(c, _event(c, parent, "a", 2, "RUNNING", run_count=1, start_time="2035-01-01T00:00:02Z"))
    _wait(c, "a", "Running")
    _tell(c, _event(c, parent, "a", 5, "COMPLETED", run_count=1, start_time="2035-01-01T00:00:02Z", end_time="2035-01-01T00:00:05Z", total_run_time=3.0, data={"type": "reference", "storage_key": "k"}, message="done"))
    _wait(c, "a", "Completed")
    c.get(f"/task_runs/{_id(c, 'a')}")
    c.get(f"/task_run_states/?task_run_id={_id(c, 'a')}")
    c.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [parent["id"]]}}}, show=["name", "state_name"])
    c.get(f"/flow_runs/{parent['id']}", show=["state_name"])


@case
def late_and_repeated(c):
    parent = flow_run(c, flow(c)["id"], "parent", "RUNNING")
    completed = _event(c, parent, "a", 9, "COMPLETED", run_count=1)
    _tell(c, completed)
    _wait(c, "a", "Completed")
    _tell(c, _event(c, parent, "a", 3, "RUNNING"), completed, _event(c, parent, "marker", 1, "PENDING"))
    _wait(c, "marker", "Pending")
    c.get(f"/task_runs/{_id(c, 'a')}", show=["state_type", "state_name", "run_count"])
    c.until(lambda answer: len(list(answer)) == 2, "GET", f"/task_run_states/?task_run_id={_id(c, 'a')}")
    c.get(f"/task_run_states/?task_run_id={_id(c, 'a')}", show=["type", "timestamp"], sort_by="timestamp")


@case
def natural_key(c):
    """Two ids for the same task of the same flow run are one task run: the first id stays."""
    parent = flow_run(c, flow(c)["id"], "parent", "RUNNING")
    _tell(c, _event(c, parent, "a", 1, "PENDING"))
    _wait(c, "a", "Pending")
    other = _event(c, parent, "a", 2, "RUNNING", task_id=_id(c, "another"))
    _tell(c, other)
    _wait(c, "a", "Running")
    c.get(f"/task_runs/{_id(c, 'another')}")


@case
def without_a_flow_run(c):
    _tell(c, _event(c, None, "loose", 1, "RUNNING", name="Retrying"))
    _wait(c, "loose", "Retrying")


@case
def ignored(c):
    """Only events of client-side orchestration make task runs."""
    parent = flow_run(c, flow(c)["id"], "parent", "RUNNING")
    _tell(c, _event(c, parent, "server", 1, "RUNNING", orchestration="server"), {**_event(c, parent, "other", 1, "RUNNING"), "event": "other.task-run.Running"}, _event(c, parent, "marker", 1, "PENDING"))
    _wait(c, "marker", "Pending")
    c.get(f"/task_runs/{_id(c, 'server')}")
    c.get(f"/task_runs/{_id(c, 'other')}")
    c.post("/task_runs/count", {"flow_runs": {"id": {"any_": [parent["id"]]}}})
