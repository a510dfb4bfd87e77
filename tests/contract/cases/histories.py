"""Cases: how many runs were expected when, by state."""

from cases.support import deployment, flow, flow_run, pool, task_run
from harness.registry import case


def _trimmed(body):
    """Without lateness, which goes on as long as the case does."""
    return [{**row, "states": sorted(({key: state[key] for key in ("state_type", "state_name", "count_runs", "sum_estimated_run_time")} for state in row["states"]), key=lambda state: state["state_name"])} for row in body]


def _counts(body):
    return [[row["interval_start"], sum(state["count_runs"] for state in row["states"])] for row in body]


def _at(time, kind="SCHEDULED"):
    return {"type": kind, "state_details": {"scheduled_time": time}}


@case
def histories(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "run", {"type": "SCHEDULED", "state_details": {"scheduled_time": "2031-01-01T00:30:00Z"}})
    task_run(c, run["id"], "t", state={"type": "SCHEDULED", "state_details": {"scheduled_time": "2031-01-01T00:30:00Z"}})
    own = {"flows": {"id": {"any_": [parent["id"]]}}}
    window = {"history_start": "2031-01-01T00:00:00Z", "history_end": "2031-01-01T02:00:00Z", "history_interval_seconds": 3600}
    for noun in ("flow_runs", "task_runs"):
        path = f"/{noun}/history"
        c.post(path, {**own, **window}, show=_trimmed)
        c.post(path, {**own, **window, "history_interval_seconds": 0.5})
        c.post(path, {**own, **window, "history_interval_seconds": 1}, show=len)
        for body in ({}, {**window, "history_start": "x"}, {**window, "history_interval_seconds": "x"}, {**window, "history_end": None}, []):
            c.post(path, body, brief=True)


@case
def spans(c):
    parent = flow(c)
    for number, time in enumerate(("2031-01-01T00:00:00Z", "2031-01-01T00:59:59.500000Z", "2031-01-01T01:00:00Z", "2031-01-01T01:40:00+01:00", "2031-01-01T02:30:00Z")):
        run = flow_run(c, parent["id"], f"run-{number}", _at(time))
        task_run(c, run["id"], "t", state=_at(time))
    done = flow_run(c, parent["id"], "done", _at("2031-01-01T00:10:00Z"))
    c.post(f"/flow_runs/{done['id']}/set_state", {"state": {"type": "COMPLETED"}, "force": True}, quiet=True)
    own = {"flows": {"id": {"any_": [parent["id"]]}}}
    for noun in ("flow_runs", "task_runs"):
        path = f"/{noun}/history"
        for start, end, seconds in (
            ("2031-01-01T00:00:00Z", "2031-01-01T02:30:00Z", 3600),
            ("2031-01-01T00:00:00Z", "2031-01-01T02:30:00.000001Z", 1800),
            ("2031-01-01T01:00:00+01:00", "2031-01-01T03:00:00+01:00", 5400.5),
            ("2031-01-01T00:30:00Z", "2031-01-01T01:30:00Z", 7200),
        ):
            c.post(path, {**own, "history_start": start, "history_end": end, "history_interval_seconds": seconds}, show=_trimmed)
        window = {"history_start": "2031-01-01T00:00:00Z", "history_end": "2031-01-01T03:00:00Z", "history_interval_seconds": 3600}
        c.post(path, {**own, **window, "history_end": "2031-01-01T00:00:00Z"})
        c.post(path, {**own, **window, "history_end": "2030-01-01T00:00:00Z"})
        c.post(path, {**own, **window, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}, show=_trimmed)
        c.post(path, {**own, **window, "flow_runs": {"name": {"any_": ["run-0", "run-2"]}}}, show=_counts)
        c.post(path, {**own, **window, "task_runs": {"name": {"any_": ["t-0"]}}}, show=_counts)
        c.post(path, {**own, **window, "deployments": {"name": {"any_": ["absent"]}}}, show=_counts)
        c.post(path, {**own, **window, "history_interval_seconds": 0.9999999}, show="status")
        c.post(path, {**own, **window, "history_interval_seconds": -3600}, show="status")


@case
def of_pools(c):
    place = c.name("pool")
    pool(c)
    c.post(f"/work_pools/{place}/queues", {"name": "other"}, quiet=True)
    parent = flow(c)
    for name, queue in (("one", "default"), ("two", "other")):
        made = deployment(c, parent["id"], name, work_pool_name=place, work_queue_name=queue)
        c.post(f"/deployments/{made['id']}/create_flow_run", {"state": _at("2031-01-01T00:30:00Z")}, quiet=True)
    window = {"history_start": "2031-01-01T00:00:00Z", "history_end": "2031-01-01T01:00:00Z", "history_interval_seconds": 3600}
    c.post("/flow_runs/history", {**window, "work_pools": {"name": {"any_": [place]}}}, show=_counts)
    c.post("/flow_runs/history", {**window, "work_pools": {"name": {"any_": [place]}}, "work_queues": {"name": {"any_": ["other"]}}}, show=_counts)
