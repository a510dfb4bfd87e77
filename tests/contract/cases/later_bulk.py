"""Cases of the next issue: bulk operations and histories."""

from cases.support import deployment, flow, flow_run, task_run
from harness.registry import case


@case
def delete_flow_runs(c):
    parent = flow(c)
    runs = [flow_run(c, parent["id"], f"run-{index}") for index in range(3)]
    c.post("/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": [run["id"] for run in runs[:2]]}}}, show=lambda body: {**body, "deleted": len(body["deleted"])})
    c.post("/flow_runs/count", {"flows": {"id": {"any_": [parent["id"]]}}})
    c.post("/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": [c.nil]}}})
    for body in ({"flow_runs": {"id": {"any_": ["x"]}}}, {"flow_runs": {"id": {"any_": [c.nil]}}, "limit": 51}, {"flow_runs": {"id": {"any_": [c.nil]}}, "limit": 0}, {"flow_runs": {"id": {"any_": [c.nil]}}, "limit": -1}, []):
        c.post("/flow_runs/bulk_delete", body)


@case
def set_state_of_flow_runs(c):
    parent = flow(c)
    runs = [flow_run(c, parent["id"], f"run-{index}", "RUNNING") for index in range(2)]
    own = {"flow_runs": {"id": {"any_": [run["id"] for run in runs]}}}
    c.post("/flow_runs/bulk_set_state", {**own, "state": {"type": "CANCELLED", "message": "stop"}}, show=lambda body: [{key: value for key, value in row.items() if key in ("status", "details")} for row in body["results"]])
    c.post("/flow_runs/bulk_set_state", {**own, "state": {"type": "RUNNING"}, "force": True}, show=lambda body: [row["status"] for row in body["results"]])
    for body in ({"state": {"type": "RUNNING"}}, own, {**own, "state": {"type": "X"}}, {**own, "state": {"type": "RUNNING"}, "limit": 51}):
        c.post("/flow_runs/bulk_set_state", body, brief=True)


@case
def delete_flows(c):
    one, two = flow(c, "one"), flow(c, "two")
    deployment(c, one["id"])
    c.post("/flows/bulk_delete", {"flows": {"id": {"any_": [two["id"]]}}})
    c.post("/flows/count", {"flows": {"id": {"any_": [one["id"], two["id"]]}}})
    c.post("/flows/bulk_delete", {"flows": {"id": {"any_": ["x"]}}})


@case
def histories(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "run", {"type": "SCHEDULED", "state_details": {"scheduled_time": "2031-01-01T00:30:00Z"}})
    task_run(c, run["id"], "t", state={"type": "SCHEDULED", "state_details": {"scheduled_time": "2031-01-01T00:30:00Z"}})
    own = {"flows": {"id": {"any_": [parent["id"]]}}}
    window = {"history_start": "2031-01-01T00:00:00Z", "history_end": "2031-01-01T02:00:00Z", "history_interval_seconds": 3600}
    for noun in ("flow_runs", "task_runs"):
        path = f"/{noun}/history"
        trimmed = lambda body: [{**row, "states": [{key: state[key] for key in ("state_type", "state_name", "count_runs", "sum_estimated_run_time")} for state in row["states"]]} for row in body]  # noqa: E731
        c.post(path, {**own, **window}, show=trimmed)
        c.post(path, {**own, **window, "history_interval_seconds": 0.5})
        c.post(path, {**own, **window, "history_interval_seconds": 1}, show=len)
        for body in ({}, {**window, "history_start": "x"}, {**window, "history_interval_seconds": "x"}, {**window, "history_end": None}, []):
            c.post(path, body, brief=True)
