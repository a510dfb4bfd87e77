"""Cases: the graph of a flow run, both versions, and its errors."""

from cases.support import flow, flow_run, task_run
from harness.registry import case


@case
def graph_v2(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "outer", "RUNNING")
    c.get(f"/flow_runs/{run['id']}/graph-v2")
    first = task_run(c, run["id"], "first", state="RUNNING")
    second = task_run(c, run["id"], "second", state="RUNNING", task_inputs={"x": [{"input_type": "task_run", "id": first["id"]}], "p": [{"input_type": "parameter", "name": "p"}]})
    third = task_run(c, run["id"], "third", state="COMPLETED", task_inputs={"a": [{"input_type": "task_run", "id": first["id"]}, {"input_type": "task_run", "id": second["id"]}]})
    task_run(c, run["id"], "pending", state="PENDING")
    call = task_run(c, run["id"], "call", state="RUNNING", task_inputs={"a": [{"input_type": "task_run", "id": third["id"]}]})
    inner = flow_run(c, parent["id"], "inner", "RUNNING", parent_task_run_id=call["id"])
    c.post("/artifacts/", {"key": c.name("k1"), "type": "markdown", "data": "x", "flow_run_id": run["id"], "task_run_id": first["id"]}, quiet=True)
    c.post("/artifacts/", {"key": c.name("k2"), "type": "table", "data": "[]", "flow_run_id": run["id"]}, quiet=True)
    c.post("/artifacts/", {"type": "result", "data": "r", "flow_run_id": run["id"], "task_run_id": first["id"]}, quiet=True)
    c.post(f"/task_runs/{first['id']}/set_state", {"state": {"type": "COMPLETED"}}, quiet=True)
    c.get(f"/flow_runs/{run['id']}/graph-v2", show=_sorted)
    c.get(f"/flow_runs/{inner['id']}/graph-v2", show=_sorted)
    c.get(f"/flow_runs/{run['id']}/graph-v2?since=2035-01-01T00:00:00Z", show=_sorted)
    c.get(f"/flow_runs/{run['id']}/graph-v2?since=2020-01-01T00:00:00Z", show=lambda body: len(body["nodes"]))
    c.get(f"/flow_runs/{run['id']}/graph-v2?since=nope")
    c.get(f"/flow_runs/{c.nil}/graph-v2")
    c.get("/flow_runs/abc/graph-v2")
    c.get(f"/flow_runs/{run['id']}/graph", show=lambda rows: sorted([{key: row[key] for key in ("name", "upstream_dependencies", "state", "untrackable_result", "estimated_run_time")} for row in rows], key=lambda row: row["name"]))
    c.get(f"/flow_runs/{c.nil}/graph")
    c.get("/flow_runs/abc/graph")


@case
def graph(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "outer", "RUNNING")
    c.get(f"/flow_runs/{run['id']}/graph")
    first = task_run(c, run["id"], "first", state="COMPLETED")
    second = task_run(c, run["id"], "second", state={"type": "RUNNING", "state_details": {"untrackable_result": True}}, task_inputs={"x": [{"input_type": "task_run", "id": first["id"]}], "y": [{"input_type": "task_run", "id": first["id"]}]})
    task_run(c, run["id"], "third", task_inputs={"x": [{"input_type": "task_run", "id": second["id"]}], "y": []})
    c.get(f"/flow_runs/{run['id']}/graph", sort_by="name")


def _sorted(body):
    nodes = [
        {**node, "parents": sorted(str(row["id"]) for row in node["parents"]), "children": sorted(str(row["id"]) for row in node["children"])}
        for _, node in body["nodes"]
    ]
    return {**body, "root_node_ids": len(body["root_node_ids"]), "nodes": [_counted(node) for node in sorted(nodes, key=lambda node: node["label"])], "artifacts": sorted(body["artifacts"], key=lambda row: str(row["key"]))}


def _counted(node):
    """Ids of relatives become counts: their order is not promised."""
    return {**node, "parents": len(node["parents"]), "children": len(node["children"])}
