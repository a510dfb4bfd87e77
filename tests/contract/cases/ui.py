"""Cases: what the UI asks for beside the lists."""

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
def pictures(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "a-done", {"type": "SCHEDULED", "state_details": {"scheduled_time": "2031-01-01T00:00:00Z"}})
    c.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "FAILED"}, "force": True}, quiet=True)
    for number, time in enumerate(("2032-01-01T00:00:00Z", "2033-01-01T00:00:00+02:00")):
        flow_run(c, parent["id"], f"b-{number}", {"type": "SCHEDULED", "state_details": {"scheduled_time": time}})
    own = {"flows": {"id": {"any_": [parent["id"]]}}}
    path = "/ui/flow_runs/history"
    c.post(path, own)
    c.post(path, {**own, "sort": "NAME_ASC"}, show=["state_type", "timestamp"])
    c.post(path, {**own, "sort": "EXPECTED_START_TIME_ASC", "limit": 1, "offset": 1}, show=["state_type", "timestamp"])
    c.post(path, {**own, "limit": 0})
    c.post(path, {**own, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "sort": "NAME_DESC"}, show=["timestamp"])
    for body in ({"limit": 1001}, {"offset": -1}, {"limit": "x"}, {"flows": 5}, []):
        c.post(path, body, brief=True)


@case
def next_runs(c):
    busy, idle = flow(c, "busy"), flow(c, "idle")
    for number, time in enumerate(("2034-01-01T00:00:00Z", "2033-01-01T00:00:00Z", "2035-01-01T00:00:00Z")):
        flow_run(c, busy["id"], f"run-{number}", {"type": "SCHEDULED", "name": "Waiting", "state_details": {"scheduled_time": time}})
    early = flow_run(c, busy["id"], "early", {"type": "SCHEDULED", "state_details": {"scheduled_time": "2032-01-01T00:00:00Z"}})
    c.post(f"/flow_runs/{early['id']}/set_state", {"state": {"type": "CANCELLED"}, "force": True}, quiet=True)
    c.post("/ui/flows/next-runs", {"flow_ids": [busy["id"]]})
    c.post("/ui/flows/next-runs", {"flow_ids": [idle["id"], c.nil, idle["id"]]})
    c.post("/ui/flows/next-runs", {"flow_ids": []})
    c.post("/ui/flows/count-deployments", {"flow_ids": []})
    c.post("/ui/flow_runs/count-task-runs", {"flow_run_ids": [c.nil]})
    for path, body in (("flows/next-runs", {"flow_ids": "x"}), ("flow_runs/count-task-runs", {"flow_run_ids": [1]}), ("flows/count-deployments", [])):
        c.post(f"/ui/{path}", body, brief=True)


@case
def task_runs(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "outer", "RUNNING")
    for key, state in (("a", "COMPLETED"), ("b", "FAILED"), ("c", "RUNNING"), ("d", "CRASHED"), ("e", "CANCELLED")):
        task_run(c, run["id"], key, state=state)
    call = task_run(c, run["id"], "call", state="RUNNING")
    flow_run(c, parent["id"], "inner", "RUNNING", parent_task_run_id=call["id"])
    own = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    # The task run that stands for a sub-flow is not counted here, and is below.
    c.post("/ui/flow_runs/count-task-runs", {"flow_run_ids": [run["id"]]}, show=lambda body: list(body.values()))
    c.post("/ui/task_runs/count", own)
    c.post("/ui/task_runs/count", {**own, "task_runs": {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}}})
    c.get(f"/ui/task_runs/{call['id']}")
    alone = c.post("/task_runs/", {"task_key": c.name("alone"), "dynamic_key": "0", "name": "alone"}, quiet=True)
    c.get(f"/ui/task_runs/{alone['id']}", show=["name", "flow_run_id", "flow_run_name"])
    c.get("/ui/task_runs/abc")
    path = "/ui/task_runs/dashboard/counts"
    hour = {"after_": c.now(minutes=-30), "before_": c.now(minutes=30)}
    c.post(path, {**own, "task_runs": {"start_time": hour}}, show=lambda rows: [len(rows), sum(row["completed"] for row in rows), sum(row["failed"] for row in rows)])
    c.post(path, {**own, "task_runs": {"start_time": hour, "state": {"type": {"any_": ["RUNNING"]}}}}, show=lambda rows: sum(row["failed"] for row in rows))
    c.post(path, {**own, "task_runs": {"start_time": {"after_": "2001-01-01T00:00:00Z", "before_": "2001-01-02T00:00:00Z"}}}, show=lambda rows: [len(rows), sum(row["failed"] for row in rows)])
    for body in ({}, {"task_runs": {"start_time": {"before_": c.now()}}}, {"task_runs": {"start_time": {"after_": "x"}}}, []):
        c.post(path, body, brief=True)


def _values(c, schema, *all_values):
    for values in all_values:
        c.post("/ui/schemas/validate", {"schema": schema, "values": values})


@case
def schema_validation(c):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}
    _values(c, schema, {"a": 1}, {"a": "x"}, {}, {"a": 1, "b": 5}, {"a": 1, "b": None}, {"a": 1, "extra": 2}, {"a": "x", "b": 5})
    for schema in ({"type": "nope"}, {"properties": {"a": {"type": "nope"}}}, {"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"$ref": "#/definitions/A"}}}):
        c.post("/ui/schemas/validate", {"schema": schema, "values": {"a": 1}})
    for body in ({}, {"schema": {}}, {"schema": {}, "values": 1}, {"schema": [], "values": {}}, {"json_schema": {}, "values": {}}, []):
        c.post("/ui/schemas/validate", body, brief=True)


@case
def schema_validation_in_depth(c):
    schema = {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}},
            "point": {"allOf": [{"$ref": "#/definitions/Point"}]},
            "choice": {"enum": ["x", "y"]},
            "size": {"type": "integer", "minimum": 1, "maximum": 5, "default": 1},
        },
        "required": ["list", "point"],
        "definitions": {"Point": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x", "y"]}},
        "additionalProperties": False,
    }
    fine = {"list": [], "point": {"x": 1, "y": 2}}
    _values(
        c,
        schema,
        fine,
        {**fine, "list": [{"n": 3}, {"n": 2}, {}]},
        {**fine, "list": [{"n": "x"}, 5]},
        {**fine, "point": {"x": "1"}},
        {**fine, "choice": "z", "size": 6},
        {**fine, "size": None},
        {**fine, "more": 1, "most": 2},
        {},
    )


@case
def schema_validation_of_values_to_fill_in(c):
    c.post("/variables/", {"name": c.name("v"), "value": 7}, quiet=True)
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "o": {"type": "object", "properties": {"b": {"type": "integer"}}}, "l": {"type": "array", "items": {"type": "integer"}}}, "required": ["a"]}

    def kind(name, **fields):
        return {"__prefect_kind": name, **fields}

    for value in (
        kind("json", value="5"),
        kind("json", value='"x"'),
        kind("json", value="{"),
        kind("json"),
        kind("none", value=5),
        kind("none"),
        kind("jinja", template="{{ 1 }}"),
        kind("jinja", template="{{ 1"),
        kind("jinja"),
        kind("workspace_variable", variable_name=c.name("v")),
        kind("workspace_variable", variable_name="absent"),
        kind("workspace_variable"),
        kind(None, value=5),
        kind("unknown", value="x"),
        kind("json", value=kind("jinja", template="{{ 1 }}")),
    ):
        c.post("/ui/schemas/validate", {"schema": schema, "values": {"a": value}})
    _values(c, schema, {"a": 1, "o": {"b": kind("json", value="{")}}, {"a": 1, "l": [1, kind("none"), kind("json"), kind("jinja", template="x")]}, {"a": 1, "free": kind("json", value="{")}, kind("json", value='{"a": 1}'), kind("json"))
