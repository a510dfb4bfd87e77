"""Cases: changes of all rows that a filter means."""

from cases.support import deployment, flow, flow_run
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
def set_state_one_by_one(c):
    parent = flow(c)
    runs = [flow_run(c, parent["id"], f"run-{index}", state) for index, state in enumerate(("COMPLETED", "RUNNING", "PENDING"))]
    own = {"flow_runs": {"id": {"any_": [run["id"] for run in runs]}}}

    def told(body):
        rows = [{"status": row["status"], "details": row["details"], "state": row["state"] and {key: row["state"][key] for key in ("type", "name", "message")}} for row in body["results"]]
        return sorted(rows, key=str)

    # Each by the rules, so that one is refused and the others go on.
    c.post("/flow_runs/bulk_set_state", {**own, "state": {"type": "CANCELLING", "name": "Stop", "message": "enough"}}, show=told)
    c.post("/flow_runs/bulk_set_state", {"flow_runs": {**own["flow_runs"], "name": {"any_": ["run-1"]}}, "state": {"type": "CANCELLED"}}, show=lambda body: [[row["flow_run_id"], row["status"]] for row in body["results"]])
    c.post("/flow_runs/bulk_set_state", {**own, "state": {"type": "PENDING"}, "force": True, "limit": 2}, show=lambda body: [sorted(row) for row in body["results"]])
    c.post("/flow_runs/count", {"flow_runs": {**own["flow_runs"], "state": {"type": {"any_": ["PENDING"]}}}})
    c.post("/flow_runs/bulk_set_state", {"flow_runs": {"id": {"any_": [c.nil]}}, "state": {"type": "CANCELLED"}})
    for body in ({**own, "state": {"type": "RUNNING"}, "force": "x"}, {**own, "state": None}, {**own, "state": {"type": "RUNNING"}, "limit": 0}, []):
        c.post("/flow_runs/bulk_set_state", body, brief=True)


@case
def delete_some(c):
    parent = flow(c)
    runs = [flow_run(c, parent["id"], f"run-{index}") for index in range(3)]
    own = {"id": {"any_": [run["id"] for run in runs]}}
    c.post("/flow_runs/bulk_delete", {"flow_runs": {**own, "name": {"any_": ["run-1"]}}})
    c.post("/flow_runs/filter", {"flow_runs": own, "sort": "NAME_ASC"}, show=["name"])
    c.post("/flow_runs/bulk_delete", {"flow_runs": own, "limit": 1}, show=lambda body: len(body["deleted"]))
    c.post("/flow_runs/count", {"flow_runs": own})
    one, two = flow(c, "one"), flow(c, "two")
    flow_run(c, one["id"], "of-one")
    flows = {"id": {"any_": [one["id"], two["id"]]}}
    c.post("/flows/bulk_delete", {"flows": flows, "limit": 1})
    c.post("/flow_runs/count", {"flow_runs": {"name": {"any_": ["of-one"]}}, "flows": flows})
    for body in ({"flows": flows, "limit": 51}, {"flows": flows, "limit": 0}, {"flows": 5}, []):
        c.post("/flows/bulk_delete", body, brief=True)
