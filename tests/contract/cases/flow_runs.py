"""Cases: flow runs; create, idempotency, update, labels, delete, inputs, log download."""

from cases.support import deployment, flow, flow_run, pool, task_run
from harness.registry import case


@case
def create_bare(c):
    parent = flow(c)
    run = c.post("/flow_runs/", {"flow_id": parent["id"]})
    c.get(f"/flow_runs/{run['id']}")
    c.get(f"/flow_run_states/{run['state_id']}")
    c.get(f"/flow_run_states/?flow_run_id={run['id']}")
    c.get(f"/flow_runs/{c.nil}")
    c.get("/flow_runs/abc")


@case
def create_with_everything(c):
    parent = flow(c, labels={"team": "x"})
    run = c.post("/flow_runs/", {
        "flow_id": parent["id"], "name": "named", "flow_version": "v1", "parameters": {"a": 1, "b": [1.5, None, "x"], "c": {"d": True}, "big": 10**20, "e": 1e20, "f": 2.0},
        "context": {"k": "v"}, "tags": ["t1", "t2", "t1"], "labels": {"run": 1, "team": "y"},
        "empirical_policy": {"retries": 2, "retry_delay": 5}, "idempotency_key": c.name("key"),
        "state": {"type": "SCHEDULED", "name": "Custom", "message": "hello", "state_details": {"scheduled_time": "2035-01-01T00:00:00+02:00"}},
        "infrastructure_document_id": None, "job_variables": {"env": {"A": "1"}}, "work_queue_name": "some-queue",
    })
    c.get(f"/flow_runs/{run['id']}")
    c.get(f"/flow_run_states/?flow_run_id={run['id']}")


@case
def create_with_each_state(c):
    parent = flow(c)
    for kind in ("SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "CRASHED", "PAUSED", "CANCELLING"):
        run = c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run", "state": {"type": kind}})
        c.get(f"/flow_runs/{run['id']}")
    for state in ({"type": "COMPLETED", "name": "Cached", "message": "m", "data": {"type": "x", "value": [1]}}, {"type": "RUNNING", "data": "text"}, {"type": "RUNNING", "data": 5}, {"type": "FAILED", "message": "m" * 300}):
        c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run", "state": state}, show=["state"])
    for state in (
        {"type": "SCHEDULED", "name": "Late"}, {"type": "SCHEDULED", "state_details": {"scheduled_time": "2020-01-01T00:00:00Z"}},
        {"type": "COMPLETED", "data": {"type": "unpersisted"}},
        {"type": "COMPLETED", "data": None}, {"type": "PENDING", "name": None, "message": None},
        {"type": "PENDING", "name": ""}, {"type": "FAILED", "name": "TimedOut"},
        {"type": "SCHEDULED", "state_details": {"scheduled_time": "2035-01-01T00:00:00"}}, {"type": "SCHEDULED", "state_details": {"scheduled_time": "2035-01-01"}},
        {"type": "SCHEDULED", "state_details": {"scheduled_time": "2035-01-01T00:00:00.123456789Z"}}, {"type": "SCHEDULED", "state_details": {"scheduled_time": None}},
        {"type": "PAUSED", "state_details": {"pause_timeout": "2035-06-01T00:00:00Z", "pause_key": "k", "pause_reschedule": True}},
        {"type": "PENDING", "state_details": {"flow_run_id": c.nil, "task_run_id": c.nil, "transition_id": "11111111-1111-4111-8111-111111111111"}},
        {"type": "PENDING", "state_details": {"cache_key": "x", "retriable": True, "traceparent": "tp", "refresh_cache": False, "untrackable_result": True}},
    ):
        run = c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run", "state": state})
        c.get(f"/flow_runs/{run['id']}", show=["state", "start_time", "end_time", "expected_start_time", "next_scheduled_start_time", "run_count"])
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run", "state": None})


@case
def create_errors(c):
    parent = flow(c)
    good = {"flow_id": parent["id"]}
    for body in (
        {}, {"flow_id": None}, {"flow_id": "x"}, {"flow_id": 1}, {"flow_id": ""}, {"flow_id": "zzzzzzzz-0000-0000-0000-000000000000"}, {"flow_id": c.nil + "0"}, {"flow_id": c.nil[:-1]},
        {"flow_id": "00000000-0000-0000-0000-00000000000g"}, {"flow_id": "0000-0000"}, {"flow_id": [c.nil]}, {"flow_id": c.nil},
        {**good, "parameters": []}, {**good, "parameters": None}, {**good, "tags": "x"}, {**good, "tags": {"a": 1}}, {**good, "tags": None}, {**good, "tags": [1, None]},
        {**good, "name": 5}, {**good, "context": []}, {**good, "context": None}, {**good, "labels": {"a": {}}}, {**good, "labels": 5}, {**good, "job_variables": []}, {**good, "job_variables": "x"},
        {**good, "empirical_policy": []}, {**good, "empirical_policy": None}, {**good, "empirical_policy": {"retries": "many"}}, {**good, "empirical_policy": {"retries": 1.5, "retry_delay": "x"}},
        {**good, "empirical_policy": {"pause_keys": 5, "resuming": "maybe", "retry_type": "odd"}}, {**good, "empirical_policy": {"unknown": 1}},
        {**good, "state": {}}, {**good, "state": {"type": "NOPE"}}, {**good, "state": {"type": "running"}}, {**good, "state": {"type": None}}, {**good, "state": "RUNNING"}, {**good, "state": []},
        {**good, "state": {"type": "RUNNING", "name": 1}}, {**good, "state": {"type": "RUNNING", "message": 1}}, {**good, "state": {"type": "RUNNING", "state_details": 1}}, {**good, "state": {"type": "RUNNING", "state_details": None}},
        {**good, "state": {"type": "RUNNING", "state_details": {"scheduled_time": "soon"}}}, {**good, "state": {"type": "RUNNING", "state_details": {"pause_reschedule": "perhaps", "flow_run_id": "x"}}},
        {**good, "state": {"type": "RUNNING", "timestamp": "2020-01-01T00:00:00Z"}}, {**good, "state": {"type": "RUNNING", "id": c.nil}}, {**good, "state": {"type": "RUNNING", "unknown": 1}},
        {**good, "state": {"type": "RUNNING", "state_details": {"unknown": 1}}},
        {**good, "parent_task_run_id": "x"}, {**good, "parent_task_run_id": 1}, {**good, "infrastructure_document_id": "x"}, {**good, "idempotency_key": 1}, {**good, "flow_version": 1},
        {**good, "work_pool_name": 1}, {**good, "work_queue_name": 1}, {**good, "work_pool_name": "no-such-pool"}, {**good, "deployment_id": "x"}, {**good, "unknown": 1}, {**good, "id": c.nil},
        {**good, "auto_scheduled": True}, {**good, "next_scheduled_start_time": "2035-01-01T00:00:00Z"}, {**good, "parent_task_run_id": c.nil}, {**good, "infrastructure_document_id": c.nil},
        {"flow_id": "x", "parameters": 1, "tags": 1, "state": {"type": 1, "name": 2}},
    ):
        c.post("/flow_runs/", body, show="status")


@case
def idempotency(c):
    one, two = flow(c, "one"), flow(c, "two")
    key = c.name("key")
    first = c.post("/flow_runs/", {"flow_id": one["id"], "idempotency_key": key, "name": "first"})
    c.post("/flow_runs/", {"flow_id": one["id"], "idempotency_key": key, "name": "second", "tags": ["x"], "state": {"type": "RUNNING"}})
    c.post("/flow_runs/", {"flow_id": two["id"], "idempotency_key": key, "name": "third"})
    c.get(f"/flow_runs/{first['id']}")
    c.get(f"/flow_run_states/?flow_run_id={first['id']}", show=["type", "name"])
    c.post("/flow_runs/", {"flow_id": one["id"], "idempotency_key": "", "name": "empty key"}, show=["name", "idempotency_key"])
    c.post("/flow_runs/", {"flow_id": one["id"], "idempotency_key": "", "name": "empty key again"}, show=["name", "idempotency_key"])
    c.post("/flow_runs/filter", {"flows": {"id": {"any_": [one["id"], two["id"]]}}, "sort": "NAME_ASC"}, show=["name", "idempotency_key", "tags"])


@case
def create_in_a_pool(c):
    parent, home = flow(c), pool(c)
    queue = c.post(f"/work_pools/{home['name']}/queues", {"name": "q2"}, quiet=True)
    run = c.post("/flow_runs/", {"flow_id": parent["id"], "name": "a", "work_pool_name": home["name"]})
    c.get(f"/flow_runs/{run['id']}", show=["work_pool_name", "work_queue_name", "work_queue_id", "work_pool_id"])
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "b", "work_pool_name": home["name"], "work_queue_name": "q2"}, show=["work_queue_name"])
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "c", "work_pool_name": home["name"], "work_queue_name": "absent"})
    c.get(f"/work_queues/{queue['id']}", show=["name"])


@case
def create_for_a_deployment(c):
    parent = flow(c, labels={"from": "flow"})
    home = pool(c)
    made = deployment(c, parent["id"], work_pool_name=home["name"], version="7", labels={"from": "deployment", "d": 1}, parameters={"p": 1}, tags=["dt"], job_variables={"v": 1})
    run = c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run", "deployment_id": made["id"], "labels": {"mine": True}})
    c.get(f"/flow_runs/{run['id']}")
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run", "deployment_id": c.nil}, show=["deployment_id", "labels"])


@case
def sub_flow(c):
    parent = flow(c, "parent")
    outer = flow_run(c, parent["id"], "outer", "RUNNING")
    task = task_run(c, outer["id"], "call", state="RUNNING")
    inner = c.post("/flow_runs/", {"flow_id": parent["id"], "name": "inner", "parent_task_run_id": task["id"], "state": {"type": "PENDING"}})
    c.get(f"/task_runs/{task['id']}")
    c.post(f"/flow_runs/{inner['id']}/set_state", {"state": {"type": "RUNNING"}}, show=["status"])
    c.get(f"/task_runs/{task['id']}", show=["state_type", "state_name", "state"])
    c.post(f"/flow_runs/{inner['id']}/set_state", {"state": {"type": "COMPLETED", "message": "inner done"}}, show=["status"])
    c.get(f"/task_runs/{task['id']}", show=["state_type", "state_name", "state", "run_count"])
    c.get(f"/task_run_states/?task_run_id={task['id']}", show=["type", "name", "message"])
    c.post("/flow_runs/filter", {"flows": {"id": {"any_": [parent["id"]]}}, "flow_runs": {"parent_flow_run_id": {"any_": [outer["id"]]}}}, show="name")
    c.post("/flow_runs/filter", {"flows": {"id": {"any_": [parent["id"]]}}, "flow_runs": {"parent_task_run_id": {"any_": [task["id"]]}}}, show="name")
    c.post("/flow_runs/filter", {"flows": {"id": {"any_": [parent["id"]]}}, "flow_runs": {"parent_task_run_id": {"is_null_": True}}}, show="name")
    c.post("/flow_runs/filter", {"flows": {"id": {"any_": [parent["id"]]}}, "flow_runs": {"parent_task_run_id": {"is_null_": False}}}, show="name")


@case
def update(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], tags=["a"])
    path = f"/flow_runs/{run['id']}"
    c.patch(path, {"name": "renamed", "flow_version": "v2", "tags": ["b", "b"], "parameters": {"x": 1}, "infrastructure_pid": "123", "empirical_policy": {"retries": 3, "retry_delay": 1}})
    c.get(path)
    c.patch(path, {})
    c.get(path, show=["name", "tags", "parameters", "flow_version", "infrastructure_pid"])
    for body in (
        {"name": None}, {"flow_version": None}, {"tags": None}, {"parameters": None}, {"infrastructure_pid": None}, {"empirical_policy": None}, {"job_variables": None}, {"name": 1}, {"tags": "x"},
        {"parameters": []}, {"empirical_policy": {"retries": "x"}}, {"unknown": 1}, {"state": {"type": "RUNNING"}}, {"flow_id": c.nil}, {"context": {}}, {"labels": {}}, [],
    ):
        c.patch(path, body)
        c.get(path, show=["name", "tags", "parameters", "flow_version", "infrastructure_pid", "empirical_policy"])
    c.patch(path)
    c.patch(f"/flow_runs/{c.nil}", {"name": "x"})
    c.patch(f"/flow_runs/{c.nil}", {"job_variables": {"a": 1}})
    c.patch("/flow_runs/abc", {"name": "x"})


@case
def update_job_variables(c):
    parent, home = flow(c), pool(c)
    made = deployment(c, parent["id"], work_pool_name=home["name"])
    bare = flow_run(c, parent["id"], "bare")
    c.patch(f"/flow_runs/{bare['id']}", {"job_variables": {"a": 1}})
    lonely = flow_run(c, parent["id"], "lonely", "SCHEDULED")
    c.patch(f"/flow_runs/{lonely['id']}", {"job_variables": {"a": 1}})
    run = c.post(f"/deployments/{made['id']}/create_flow_run", {"name": "run"}, quiet=True)
    c.patch(f"/flow_runs/{run['id']}", {"job_variables": {"env": {"A": "b"}, "extra": 1}})
    c.get(f"/flow_runs/{run['id']}", show=["job_variables"])
    c.patch(f"/flow_runs/{run['id']}", {"job_variables": {"env": "not a mapping"}})
    c.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "PENDING"}}, show=["status"])
    c.patch(f"/flow_runs/{run['id']}", {"job_variables": {"env": {}}})
    gone = flow_run(c, parent["id"], "gone", "SCHEDULED", deployment_id=c.nil)
    c.patch(f"/flow_runs/{gone['id']}", {"job_variables": {"a": 1}})


@case
def labels(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], labels={"a": 1})
    path = f"/flow_runs/{run['id']}/labels"
    c.patch(path, {"b": "x", "a": 2, "f": 1.5, "t": True})
    c.get(f"/flow_runs/{run['id']}", show=["labels"])
    c.patch(path, {})
    c.patch(path, [])
    c.patch(path)
    c.patch(path, {"prefect.flow.id": "mine"})
    c.get(f"/flow_runs/{run['id']}", show=["labels"])
    c.patch(f"/flow_runs/{c.nil}/labels", {"a": 1})
    c.patch("/flow_runs/abc/labels", {"a": 1})


@case
def delete(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], state="RUNNING")
    task = task_run(c, run["id"])
    state = c.get(f"/flow_runs/{run['id']}", show=["state_type"])
    c.post("/logs/", [{"name": "l", "level": 20, "message": "m", "timestamp": "2035-01-01T00:00:00Z", "flow_run_id": run["id"]}], quiet=True)
    c.delete(f"/flow_runs/{run['id']}")
    c.delete(f"/flow_runs/{run['id']}")
    c.get(f"/flow_runs/{run['id']}")
    c.get(f"/task_runs/{task['id']}")
    c.get(f"/flow_run_states/{state['state_id']}")
    c.get(f"/flow_run_states/?flow_run_id={run['id']}")
    c.until(lambda answer: answer.body == [], "POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})
    c.post("/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})
    c.delete(f"/flow_runs/{c.nil}")
    c.delete("/flow_runs/abc")


@case
def inputs(c):
    run = flow_run(c, flow(c)["id"])
    path = f"/flow_runs/{run['id']}/input"
    c.post(path, {"key": "a-1", "value": "one"})
    c.post(path, {"key": "a-2", "value": '{"x": 1}', "sender": "prefect.flow-run.x"})
    c.post(path, {"key": "b-1", "value": ""})
    c.post(path, {"key": "a-1", "value": "again"})
    c.get(f"{path}/a-1")
    c.get(f"{path}/a-2")
    c.get(f"{path}/b-1")
    c.get(f"{path}/none")
    c.post(f"{path}/filter", {"prefix": "a"})
    c.post(f"{path}/filter", {"prefix": "a", "limit": 1})
    c.post(f"{path}/filter", {"prefix": "a", "exclude_keys": ["a-1"]})
    c.post(f"{path}/filter", {"prefix": ""}, show="key")
    c.post(f"{path}/filter", {"prefix": "zz"})
    c.post(f"{path}/filter", {"prefix": "a", "limit": 0})
    c.post(f"{path}/filter", {"prefix": "a", "limit": -1})
    c.post(f"{path}/filter", {"prefix": "a", "limit": 500})
    c.post(f"{path}/filter", {"prefix": "a", "limit": "x"})
    c.post(f"{path}/filter", {})
    c.post(f"{path}/filter")
    c.post(f"{path}/filter", {"prefix": 1})
    c.post(f"{path}/filter", {"prefix": "a", "exclude_keys": "a"})
    for body in ({}, {"key": "x"}, {"value": "x"}, {"key": "x", "value": 1}, {"key": 1, "value": "x"}, {"key": "x", "value": {"a": 1}}, {"key": "x", "value": None}, {"key": "x", "value": "v", "sender": 1}, {"key": "x", "value": "v", "more": 1}, []):
        c.post(path, body)
    for key in ("", "has space", "a/b", "a.b_c-d", "ümlaut", "a:b", "k" * 300):
        c.post(path, {"key": key, "value": "v"})
    c.post(path)
    c.delete(f"{path}/a-1")
    c.delete(f"{path}/a-1")
    c.get(f"{path}/a-1")
    c.post(f"/flow_runs/{c.nil}/input", {"key": "a", "value": "x"})
    c.get(f"/flow_runs/{c.nil}/input/a")
    c.delete(f"/flow_runs/{c.nil}/input/a")
    c.post(f"/flow_runs/{c.nil}/input/filter", {"prefix": "a"})
    c.post("/flow_runs/abc/input", {"key": "a", "value": "x"})


@case
def log_download(c):
    run = flow_run(c, flow(c)["id"], name="down load/ü")
    empty = flow_run(c, flow(c)["id"], name="empty")
    rows = [
        {"name": "prefect.flow_runs", "level": level, "message": message, "timestamp": f"2035-01-01T00:00:0{index}Z", "flow_run_id": run["id"], **more}
        for index, (level, message, more) in enumerate((
            (10, "plain", {}), (20, 'with "quotes", commas', {}), (30, "two\nlines", {}), (40, "ünï", {"task_run_id": "22222222-2222-4222-8222-222222222222"}), (50, "", {}), (25, "custom level", {}),
        ))
    ]
    c.post("/logs/", rows, quiet=True)
    c.get(f"/flow_runs/{run['id']}/logs/download")
    c.get(f"/flow_runs/{empty['id']}/logs/download")
    c.get(f"/flow_runs/{c.nil}/logs/download")
    c.get("/flow_runs/abc/logs/download")


@case
def created_by_an_automation(c):
    parent = flow(c)
    headers = {"prefect-automation-id": "33333333-3333-4333-8333-333333333333", "prefect-automation-name": "bXkgYXV0b21hdGlvbg=="}
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run"}, headers=headers, show=["created_by"])
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run"}, headers={**headers, "prefect-automation-name": "not base64!"}, show=["created_by"])
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run"}, headers={**headers, "prefect-automation-id": "nope"}, show=["created_by"])
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run"}, headers={"prefect-automation-id": headers["prefect-automation-id"]}, show=["created_by"])


@case
def parameters_too_large(c):
    parent = flow(c)
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run", "parameters": {"x": "y" * (512 * 1024)}}, show="status")
    c.steps[-1].get("body", {}).pop("request_body", None)
    for detail in c.steps[-1].get("body", {}).get("exception_detail", []):
        detail.pop("input", None)
    c.post("/flow_runs/", {"flow_id": parent["id"], "name": "run", "parameters": {"x": "y" * (512 * 1024 - 20)}}, show="status")
