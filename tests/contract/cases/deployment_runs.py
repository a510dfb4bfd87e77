"""Cases: runs of deployments; create_flow_run with parameters and job variables, scheduling, get_scheduled_flow_runs."""

from cases.support import deployment, flow, flow_run, pool
from harness.registry import case

SCHEMA = {"type": "object", "properties": {"name": {"type": "string", "default": "x"}, "count": {"type": "integer"}, "when": {"type": "string", "format": "date-time"}, "items": {"type": "array", "items": {"type": "integer"}}}, "required": ["count"]}


@case
def create_flow_run(c):
    parent, home = flow(c, labels={"f": 1}), pool(c)
    made = deployment(c, parent["id"], work_pool_name=home["name"], parameters={"a": 1, "b": 2}, tags=["d"], job_variables={"x": 1, "y": 1}, labels={"l": "d"}, version="3")
    path = f"/deployments/{made['id']}/create_flow_run"
    run = c.post(path, {"name": "run"})
    c.get(f"/flow_runs/{run['id']}")
    c.post(path, {"name": "full", "parameters": {"b": 3, "c": 4}, "tags": ["r", "d"], "job_variables": {"y": 2}, "labels": {"mine": 1}, "context": {"k": 1}, "idempotency_key": c.name("key"), "empirical_policy": {"retries": 1}, "enforce_parameter_schema": False,
                  "state": {"type": "SCHEDULED", "message": "m", "state_details": {"scheduled_time": "2035-01-01T00:00:00Z"}}}, show=lambda body: {**body, "tags": sorted(body["tags"])})
    c.post(path, {"name": "again", "idempotency_key": c.name("key")}, show=["name"])
    c.post(path, {"name": "queue", "work_queue_name": "other"}, show=["name", "work_queue_name", "work_pool_name"])
    c.get(f"/work_pools/{home['name']}/queues/other", show=["name", "priority"])
    c.post(path, {"name": "pending", "state": {"type": "PENDING"}}, show=["state_type", "state_name", "expected_start_time"])
    c.post(path, {}, show=["name", "state_name"])
    for body in ({"parameters": []}, {"parameters": None}, {"tags": "x"}, {"name": 1}, {"state": {"type": "X"}}, {"state": {}}, {"job_variables": []}, {"job_variables": None}, {"labels": {"a": None}}, {"unknown": 1}, {"empirical_policy": {"retries": "x"}}, {"parent_task_run_id": "x"}, {"idempotency_key": 1}, {"work_queue_name": 1}, {"infrastructure_document_id": "x"}, {"context": 1}, {"enforce_parameter_schema": "x"}, []):
        c.post(path, body, show="status")
    c.post(path)
    c.post(f"/deployments/{c.nil}/create_flow_run", {})
    c.post("/deployments/abc/create_flow_run", {})


@case
def without_a_pool(c):
    parent = flow(c)
    made = deployment(c, parent["id"])
    path = f"/deployments/{made['id']}/create_flow_run"
    c.post(path, {"name": "run"})
    c.post(path, {"name": "run", "work_queue_name": "q"})
    c.post(path, {"name": "run", "job_variables": {"any": 1}}, show=["job_variables"])
    paused = deployment(c, parent["id"], "paused", paused=True)
    c.post(f"/deployments/{paused['id']}/create_flow_run", {"name": "run"}, show=["state_type"])


@case
def validated_parameters(c):
    parent = flow(c)
    made = deployment(c, parent["id"], parameter_openapi_schema=SCHEMA)
    path = f"/deployments/{made['id']}/create_flow_run"
    for parameters in (
        {}, {"count": 1}, {"count": "1"}, {"count": 1.0}, {"count": 1.5}, {"count": None}, {"count": True}, {"count": 1, "name": 5}, {"count": 1, "unknown": 1}, {"count": 1, "items": [1, "x"]}, {"count": 1, "items": "x"}, {"count": "x", "name": 1, "items": {}}, {"count": 1, "when": "yesterday"},
    ):
        c.post(path, {"name": "run", "parameters": parameters}, show=["parameters"])
    c.post(path, {"name": "run", "parameters": {"count": "x"}, "enforce_parameter_schema": False}, show=["parameters"])
    free = deployment(c, parent["id"], "free", parameter_openapi_schema=SCHEMA, enforce_parameter_schema=False)
    c.post(f"/deployments/{free['id']}/create_flow_run", {"name": "run", "parameters": {"count": "x"}}, show=["parameters"])
    c.post(f"/deployments/{free['id']}/create_flow_run", {"name": "run", "parameters": {"count": "x"}, "enforce_parameter_schema": True}, show=["parameters"])
    none = deployment(c, parent["id"], "none", enforce_parameter_schema=True)
    c.post(f"/deployments/{none['id']}/create_flow_run", {"name": "run", "parameters": {"any": 1}}, show=["parameters"])


@case
def many_at_once(c):
    parent = flow(c)
    made = deployment(c, parent["id"], parameters={"a": 1}, parameter_openapi_schema=SCHEMA)
    path = f"/deployments/{made['id']}/create_flow_run/bulk"
    results = lambda body: [{**row, "flow_run_id": bool(row["flow_run_id"])} for row in body["results"]] if "results" in body else body  # noqa: E731
    c.post(path, [{"name": "a", "parameters": {"count": 1}}, {"name": "b", "parameters": {"count": "x"}}, {"name": "c", "enforce_parameter_schema": False}], show=results)
    c.post("/flow_runs/filter", {"flows": {"id": {"any_": [parent["id"]]}}, "sort": "NAME_ASC"}, show=lambda body: [{key: row[key] for key in ("name", "parameters", "state_type")} for row in body])
    c.post(path, [], show=results)
    c.post(path, {}, brief=True)
    c.post(path, [{"name": 5}], brief=True)
    c.post(path, [{} for _ in range(101)], show=results)
    c.post(f"/deployments/{c.nil}/create_flow_run/bulk", [{}])
    c.post("/deployments/abc/create_flow_run/bulk", [{}])


@case
def large_numbers(c):
    """Whole numbers beyond 64 bits stay what they are, also where the server merges parameters or drops a field."""
    large = 10**25
    parent = flow(c)
    made = deployment(c, parent["id"], parameters={"kept": large, "replaced": large, "nested": {"list": [-large, {"x": large}]}}, pull_steps=[{"step": {"n": large}}])
    path = f"/deployments/{made['id']}"
    c.get(path, show=["parameters", "pull_steps"])
    run = c.post(f"{path}/create_flow_run", {"name": "run", "parameters": {"replaced": large + 1, "filled": {"__prefect_kind": "none", "value": 1}}}, show=["parameters"])
    c.get(f"/flow_runs/{run['id']}", show=["parameters"])
    c.patch(path, {"parameters": {"patched": large, "filled": {"__prefect_kind": "none", "value": 1}}})
    c.get(path, show=["parameters"])
    run = c.post("/flow_runs/", {"name": "plain", "flow_id": parent["id"], "parameters": {"n": large}, "context": {"n": large}, "tags": ["a"], "empirical_policy": {"retries": "1"}}, show=["parameters", "context"])
    c.get(f"/flow_runs/{run['id']}", show=["parameters", "context"])


@case
def schema_features(c):
    """What the validation of parameters knows of JSON schema."""
    parent = flow(c)
    definitions = {"Colour": {"enum": ["red", "blue"], "title": "Colour", "type": "string"}, "Point": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number", "default": 0}}, "required": ["x"], "title": "Point"}}
    properties = {
        "colour": {"$ref": "#/definitions/Colour"}, "point": {"allOf": [{"$ref": "#/definitions/Point"}], "title": "point"}, "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "small": {"type": "integer", "minimum": 1, "maximum": 5, "exclusiveMaximum": 5},
        "text": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^a"}, "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2}, "map": {"type": "object", "additionalProperties": {"type": "integer"}}, "const": {"const": 7}, "unique": {"type": "array", "uniqueItems": True, "items": {"type": "integer"}},
    }
    made = deployment(c, parent["id"], parameter_openapi_schema={"type": "object", "properties": properties, "definitions": definitions, "required": []})
    path = f"/deployments/{made['id']}/create_flow_run"
    for parameters in (
        {"colour": "red"}, {"colour": "green"}, {"point": {"x": 1}}, {"point": {"y": 1}}, {"point": {"x": "1"}}, {"either": None}, {"either": 1}, {"either": "x"}, {"small": 0}, {"small": 5}, {"small": 6}, {"text": "a"}, {"text": "abcde"}, {"text": "bc"}, {"text": "abc"},
        {"pair": ["a", 1]}, {"pair": ["a"]}, {"pair": [1, "a"]}, {"pair": ["a", 1, 2]}, {"map": {"a": 1}}, {"map": {"a": "x"}}, {"const": 7}, {"const": 8}, {"unique": [1, 1]}, {"unique": [1, 2]}, {"colour": None, "point": None},
    ):
        c.post(path, {"name": "run", "parameters": parameters}, show=["parameters"])


@case
def hydrated_parameters(c):
    parent = flow(c)
    variable = c.name("variable").replace("-", "_")
    c.post("/variables/", {"name": variable, "value": {"inner": [1, 2]}}, quiet=True)
    made = deployment(c, parent["id"], parameter_openapi_schema={"type": "object", "properties": {"v": {}}})
    path = f"/deployments/{made['id']}/create_flow_run"
    for value in (
        {"__prefect_kind": "json", "value": '{"a": [1, 2]}'}, {"__prefect_kind": "json", "value": "{bad"}, {"__prefect_kind": "json", "value": 5}, {"__prefect_kind": "json"}, {"__prefect_kind": "none", "value": {"k": 1}}, {"__prefect_kind": "none"}, {"__prefect_kind": None, "value": 1},
        {"__prefect_kind": "workspace_variable", "variable_name": variable}, {"__prefect_kind": "workspace_variable", "variable_name": "absent"}, {"__prefect_kind": "workspace_variable"}, {"__prefect_kind": "jinja", "template": "{{ 1 + 1 }} x"}, {"__prefect_kind": "jinja", "template": "{{ bad"},
        {"__prefect_kind": "jinja"}, {"__prefect_kind": "unknown", "value": 1}, [{"__prefect_kind": "json", "value": "1"}, 2], {"nested": {"deep": {"__prefect_kind": "json", "value": "true"}}}, {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": "[1, {{ 2 }}]"}}, {"__prefect_kind": "jinja", "template": 5},
    ):
        c.post(path, {"name": "run", "parameters": {"v": value}}, show=["parameters"])
    loose = deployment(c, parent["id"], "loose", enforce_parameter_schema=False)
    c.post(f"/deployments/{loose['id']}/create_flow_run", {"name": "run", "parameters": {"v": {"__prefect_kind": "json", "value": "1"}}}, show=["parameters"])
    c.post(f"/deployments/{loose['id']}/create_flow_run", {"name": "run", "parameters": {"v": {"__prefect_kind": "json", "value": "{"}}}, show=["parameters"])


@case
def job_variables(c):
    template = {"job_configuration": {"image": "{{ image }}", "cpu": "{{ cpu }}"}, "variables": {"type": "object", "properties": {"image": {"type": "string", "default": "base"}, "cpu": {"type": "integer"}}, "required": ["cpu"]}}
    home = c.post("/work_pools/", {"name": c.name("pool"), "type": "test", "base_job_template": template}, quiet=True)
    parent = flow(c)
    body = {"name": c.name("d"), "flow_id": parent["id"], "work_pool_name": home["name"]}
    for variables in ({}, {"cpu": 1}, {"cpu": "x"}, {"image": 5}, {"other": 1}):
        c.post("/deployments/", {**body, "job_variables": variables}, show=["job_variables"])
    made = c.post("/deployments/", {**body, "job_variables": {}}, quiet=True)
    path = f"/deployments/{made['id']}/create_flow_run"
    for variables in (None, {}, {"cpu": 1}, {"cpu": "x"}, {"cpu": 1, "image": 5}, {"cpu": 1, "other": "z"}):
        c.post(path, {"name": "run", **({} if variables is None else {"job_variables": variables})}, show=["job_variables"])
    run = c.post(path, {"name": "run", "job_variables": {"cpu": 1}}, quiet=True)
    c.patch(f"/flow_runs/{run['id']}", {"job_variables": {"cpu": "x"}})
    c.patch(f"/flow_runs/{run['id']}", {"job_variables": {"image": "y"}})
    c.patch(f"/flow_runs/{run['id']}", {"job_variables": {"cpu": 3}})
    c.get(f"/flow_runs/{run['id']}", show=["job_variables"])
    c.patch(f"/deployments/{made['id']}", {"job_variables": {"cpu": "x"}})
    c.patch(f"/deployments/{made['id']}", {"job_variables": {"image": "z"}})


@case
def scheduling(c):
    parent = flow(c)
    made = deployment(c, parent["id"], parameters={"p": 1}, tags=["mine"], work_pool_name=pool(c)["name"], schedules=[{"schedule": {"interval": 3600, "anchor_date": "2020-01-01T00:00:00Z"}, "active": True, "parameters": {"p": 2}, "slug": "hourly"}])
    path = f"/deployments/{made['id']}/schedule"
    own = {"flow_runs": {"deployment_id": {"any_": [made["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"}
    seen = ["expected_start_time", "tags", "parameters", "auto_scheduled", "state_name", "idempotency_key", "created_by"]
    c.post(path, {"start_time": "2035-01-01T00:30:00Z", "end_time": "2035-01-01T04:30:00Z"})
    c.post("/flow_runs/filter", own, show=seen)
    c.post(path, {"start_time": "2035-01-01T00:30:00Z", "end_time": "2035-01-01T04:30:00Z"})
    c.post("/flow_runs/count", {"flow_runs": own["flow_runs"]})
    c.post(path, {"start_time": "2036-01-01T00:30:00Z", "end_time": "2036-02-01T00:00:00Z", "min_runs": 2, "max_runs": 5})
    c.post("/flow_runs/filter", own, show=["expected_start_time"])
    c.post(path, {"start_time": "2021-01-01T00:00:00Z", "end_time": "2021-01-01T02:00:00Z"})
    c.post("/flow_runs/filter", {**own, "limit": 3}, show=seen)
    c.patch(f"/deployments/{made['id']}", {"description": "same schedules"})
    c.post("/flow_runs/count", {"flow_runs": own["flow_runs"]})
    c.post(f"/deployments/{made['id']}/pause_deployment")
    c.post("/flow_runs/count", {"flow_runs": own["flow_runs"]})
    c.post(path, {"start_time": "2035-01-01T00:30:00Z", "end_time": "2035-01-01T02:30:00Z"})
    c.post("/flow_runs/count", {"flow_runs": own["flow_runs"]})
    for body in ({"start_time": "x"}, {"end_time": "x"}, {"min_time": "x"}, {"min_runs": "x"}, {"max_runs": "x"}, {"max_runs": -1}, []):
        c.post(path, body)
    c.post(f"/deployments/{c.nil}/schedule", {})
    c.post(f"/deployments/{c.nil}/schedule")
    c.post("/deployments/abc/schedule", {})


@case
def get_scheduled_flow_runs(c):
    parent = flow(c)
    one, two = deployment(c, parent["id"], "one"), deployment(c, parent["id"], "two")
    for index, (made, when) in enumerate(((one, "2021-01-02T00:00:00Z"), (two, "2021-01-01T00:00:00Z"), (one, "2035-01-01T00:00:00Z"), (one, "2021-01-03T00:00:00Z"))):
        c.post(f"/deployments/{made['id']}/create_flow_run", {"name": f"run-{index}", "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": when}}}, quiet=True)
    pending = c.post(f"/deployments/{one['id']}/create_flow_run", {"name": "pending", "state": {"type": "PENDING"}}, quiet=True)
    assert pending is not None
    path, both = "/deployments/get_scheduled_flow_runs", [one["id"], two["id"]]
    c.post(path, {"deployment_ids": both}, show=["name", "next_scheduled_start_time"])
    c.post(path, {"deployment_ids": both, "scheduled_before": "2021-01-02T12:00:00Z"}, show="name")
    c.post(path, {"deployment_ids": both, "scheduled_before": c.now()}, show="name")
    c.post(path, {"deployment_ids": both, "limit": 2}, show="name")
    c.post(path, {"deployment_ids": [two["id"]]})
    c.post(path, {"deployment_ids": []})
    c.post(path, {"deployment_ids": [c.nil]})
    for body in ({}, {"deployment_ids": "x"}, {"deployment_ids": ["x"]}, {"deployment_ids": None}, {"deployment_ids": both, "scheduled_before": "x"}, {"deployment_ids": both, "limit": 201}, {"deployment_ids": both, "limit": -1}, {"deployment_ids": both, "limit": "x"}):
        c.post(path, body)
    answer = c.until(lambda found: found["status"] == "READY", "GET", f"/deployments/{one['id']}")
    assert answer is not None
    c.get(f"/deployments/{one['id']}", show=["status", "last_polled"])
