"""Cases of the next issue: the UI's helper routes and the server's storage default."""

from cases.support import deployment, flow, flow_run, task_run
from harness.registry import case


@case
def counts(c):
    one, two = flow(c, "one"), flow(c, "two")
    made = deployment(c, one["id"])
    run = flow_run(c, one["id"], "run", "RUNNING")
    future = c.post(f"/deployments/{made['id']}/create_flow_run", {"name": "next", "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "2035-01-01T00:00:00Z"}}}, quiet=True)
    task = task_run(c, run["id"], "t", state="RUNNING")
    ids = [one["id"], two["id"]]
    c.post("/ui/flows/count-deployments", {"flow_ids": ids}, show=lambda body: sorted(body.values()))
    c.post("/ui/flows/next-runs", {"flow_ids": ids}, show=lambda body: sorted([value and {key: value[key] for key in sorted(value) if "time" in key or "name" in key or "type" in key} for value in body.values()], key=str))
    c.post("/ui/flow_runs/count-task-runs", {"flow_run_ids": [run["id"]]}, show=lambda body: sorted(body.values()))
    c.post("/ui/flow_runs/history", {"flows": {"id": {"any_": [one["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"}, show=lambda rows: [{key: row[key] for key in ("state_type", "duration")} for row in rows if row["state_type"] == "SCHEDULED"])
    c.post("/ui/task_runs/count", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    c.get(f"/ui/task_runs/{task['id']}", show=["name", "flow_run_name", "state_type"])
    c.get(f"/ui/task_runs/{c.nil}")
    for path, body in (("flows/count-deployments", {}), ("flows/count-deployments", {"flow_ids": ["x"]}), ("flows/next-runs", {}), ("flow_runs/count-task-runs", {}), ("flow_runs/history", {"sort": "x"}), ("task_runs/dashboard/counts", {"task_runs": {}}), ("task_runs/count", {"task_runs": 5})):
        c.post(f"/ui/{path}", body, brief=True)
    assert future is not None


@case
def schema_validation(c):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}
    for values in ({"a": 1}, {"a": "x"}, {}, {"a": 1, "b": 5}, {"a": {"__prefect_kind": "json", "value": "5"}}, {"a": {"__prefect_kind": "json", "value": "{"}}, {"a": 1, "extra": 2}):
        c.post("/ui/schemas/validate", {"json_schema": schema, "values": values})
    c.post("/ui/schemas/validate", {"json_schema": {"type": "nope"}, "values": {}})
    c.post("/ui/schemas/validate", {})
