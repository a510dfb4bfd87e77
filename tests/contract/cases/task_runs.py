"""Cases: task runs; create, idempotency, update, filters, set_state, states."""

from cases.support import flow, flow_run, pages, task_run
from harness.registry import case

TYPES = ("SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "CRASHED", "PAUSED", "CANCELLING")
RUN = ["state_type", "state_name", "run_count", "flow_run_run_count", "start_time", "end_time", "expected_start_time", "next_scheduled_start_time", "total_run_time"]


def _ruling(body):
    state = body.get("state") or {}
    return {"status": body["status"], "details": body["details"], "state": {key: state.get(key) for key in ("type", "name", "message")}}


def _parent(c, state="RUNNING"):
    return flow_run(c, flow(c)["id"], "parent", state)


def _set(c, run, kind, force=None, show=_ruling, **state):
    body = {"state": {"type": kind, **state}}
    if force is not None:
        body["force"] = force
    return c.post(f"/task_runs/{run['id']}/set_state", body, show=show)


@case
def create(c):
    parent = _parent(c)
    first = c.post("/task_runs/", {"flow_run_id": parent["id"], "task_key": "k", "dynamic_key": "0"})
    c.post("/task_runs/", {"flow_run_id": parent["id"], "task_key": "k", "dynamic_key": "0", "name": "again", "state": {"type": "RUNNING"}})
    c.post("/task_runs/", {"flow_run_id": parent["id"], "task_key": "k", "dynamic_key": "1", "name": "second"}, show=["name"])
    c.get(f"/task_runs/{first['id']}")
    full = c.post("/task_runs/", {
        "flow_run_id": parent["id"], "task_key": "full", "dynamic_key": "0", "name": "full-0", "cache_key": "ck", "cache_expiration": "2035-01-01T00:00:00Z", "task_version": "v",
        "empirical_policy": {"max_retries": 1, "retry_delay_seconds": 2.0, "retries": 3, "retry_delay": [1, 2], "retry_jitter_factor": 0.5}, "tags": ["a", "b"], "labels": {"l": 1},
        "task_inputs": {"x": [{"input_type": "task_run", "id": first["id"]}, {"input_type": "parameter", "name": "p"}, {"input_type": "constant", "type": "int"}, {"input_type": "flow_run", "id": parent["id"]}], "y": []},
        "state": {"type": "PENDING", "message": "m"},
    })
    c.get(f"/task_runs/{full['id']}")
    c.post("/task_runs/", {"id": "66666666-6666-4666-8666-666666666666", "flow_run_id": parent["id"], "task_key": "given", "dynamic_key": "id", "name": "given"}, show=["id", "name"])
    c.get(f"/task_run_states/?task_run_id={first['id']}")
    c.get(f"/task_runs/{c.nil}")
    c.get("/task_runs/abc")


@case
def create_without_a_flow_run(c):
    key = c.name("key")
    c.post("/task_runs/", {"flow_run_id": None, "task_key": key, "dynamic_key": "0", "name": "n"})
    c.post("/task_runs/", {"task_key": key, "dynamic_key": "0", "name": "n"}, show=["name", "flow_run_id"])
    c.post("/task_runs/", {"task_key": key, "dynamic_key": "1", "name": "scheduled", "state": {"type": "SCHEDULED", "state_details": {"deferred": True, "task_parameters_id": "77777777-7777-4777-8777-777777777777"}}})


@case
def create_errors(c):
    parent = _parent(c)
    good = {"flow_run_id": parent["id"], "task_key": "e", "dynamic_key": "0"}
    for body in (
        {}, {"task_key": "x"}, {"dynamic_key": "x"}, {**good, "task_key": None}, {**good, "task_key": 1}, {**good, "dynamic_key": 1}, {**good, "flow_run_id": "x"}, {**good, "flow_run_id": 1}, {**good, "flow_run_id": c.nil},
        {**good, "name": 1}, {**good, "name": ""}, {**good, "cache_key": "c" * 2001}, {**good, "cache_key": 1}, {**good, "cache_expiration": "x"}, {**good, "task_version": 1}, {**good, "tags": "x"}, {**good, "tags": [1]}, {**good, "labels": []},
        {**good, "task_inputs": []}, {**good, "task_inputs": {"x": "y"}}, {**good, "task_inputs": {"x": [{"input_type": "nope"}]}}, {**good, "task_inputs": {"x": [{}]}}, {**good, "task_inputs": {"x": [{"input_type": "task_run", "id": "x"}]}},
        {**good, "task_inputs": {"x": [{"input_type": "task_run"}]}}, {**good, "task_inputs": {"x": [{"input_type": "constant"}]}}, {**good, "task_inputs": {"x": [{"input_type": "parameter"}]}},
        {**good, "empirical_policy": {"retries": "x"}}, {**good, "empirical_policy": {"retry_delay": "x"}}, {**good, "empirical_policy": {"retry_delay": [1, "x"]}}, {**good, "empirical_policy": {"retry_delay": 1.5}}, {**good, "empirical_policy": {"retry_jitter_factor": -1}}, {**good, "empirical_policy": 1},
        {**good, "empirical_policy": {"retry_delay": list(range(60))}}, {**good, "empirical_policy": {"unknown": 1}},
        {**good, "state": {}}, {**good, "state": {"type": "X"}}, {**good, "state": 1}, {**good, "unknown": 1}, {**good, "id": "x"}, {**good, "state": {"type": "RUNNING", "id": c.nil}}, [],
    ):
        c.post("/task_runs/", body, show="status")


@case
def update(c):
    run = task_run(c, _parent(c)["id"])
    path = f"/task_runs/{run['id']}"
    c.patch(path, {"name": "renamed"})
    c.get(path, show=["name", "updated"])
    c.patch(path, {})
    c.get(path, show=["name"])
    for body in ({"name": None}, {"name": 1}, {"name": ""}, {"tags": []}, {"unknown": 1}, []):
        c.patch(path, body)
    c.patch(path)
    c.patch(f"/task_runs/{c.nil}", {"name": "x"})
    c.patch("/task_runs/abc", {"name": "x"})


@case
def delete(c):
    run = task_run(c, _parent(c)["id"], state="RUNNING")
    c.delete(f"/task_runs/{run['id']}")
    c.delete(f"/task_runs/{run['id']}")
    c.get(f"/task_runs/{run['id']}")
    c.get(f"/task_run_states/?task_run_id={run['id']}")
    c.delete(f"/task_runs/{c.nil}")
    c.delete("/task_runs/abc")


@case
def every_pair(c):
    parent = _parent(c)
    for before in TYPES:
        for after in TYPES:
            run = task_run(c, parent["id"], f"{before}-{after}", state=before)
            _set(c, run, after)
            c.get(f"/task_runs/{run['id']}", show=RUN)


@case
def every_pair_forced(c):
    parent = _parent(c)
    for before in TYPES:
        for after in TYPES:
            run = task_run(c, parent["id"], f"{before}-{after}", state=before)
            _set(c, run, after, force=True)


@case
def parent_not_running(c):
    for state in TYPES:
        parent = _parent(c, state)
        run = task_run(c, parent["id"], state="PENDING")
        _set(c, run, "RUNNING", show=None)
        _set(c, run, "RUNNING", force=True)
    loose = c.post("/task_runs/", {"task_key": c.name("loose"), "dynamic_key": "0", "name": "x", "state": {"type": "PENDING"}}, quiet=True)
    _set(c, loose, "RUNNING")


@case
def life(c):
    parent = _parent(c)
    run = task_run(c, parent["id"])
    _set(c, run, "RUNNING", show=None)
    c.get(f"/task_runs/{run['id']}")
    _set(c, run, "COMPLETED", show=None, message="done", data={"type": "unpersisted"})
    c.get(f"/task_runs/{run['id']}")
    _set(c, run, "RUNNING")
    c.get(f"/task_run_states/?task_run_id={run['id']}", show=["type", "name", "message"])


@case
def retries(c):
    parent = _parent(c)
    run = task_run(c, parent["id"], empirical_policy={"retries": 2, "retry_delay": [90, 180]})
    for _ in range(3):
        _set(c, run, "RUNNING")
        _set(c, run, "RUNNING", force=True)
        _set(c, run, "FAILED", show=None, message="again")
        c.get(f"/task_runs/{run['id']}", show=RUN)
    no = task_run(c, parent["id"], "no", empirical_policy={"retries": 2}, state="RUNNING")
    _set(c, no, "FAILED", state_details={"retriable": False})
    quick = task_run(c, parent["id"], "quick", empirical_policy={"retries": 1, "retry_delay": 0})
    _set(c, quick, "RUNNING")
    _set(c, quick, "FAILED")
    _set(c, quick, "RUNNING")
    _set(c, quick, "COMPLETED")
    c.get(f"/task_run_states/?task_run_id={quick['id']}", show=["type", "name"])


@case
def caching(c):
    parent = _parent(c)
    key = c.name("cache")
    one, two, three = (task_run(c, parent["id"], "cached", str(index)) for index in range(3))
    details = {"cache_key": key}
    _set(c, one, "RUNNING", state_details=details)
    _set(c, one, "COMPLETED", state_details=details, data={"type": "reference", "storage_key": "s"})
    _set(c, two, "RUNNING", state_details=details, show=None)
    c.get(f"/task_runs/{two['id']}", show=[*RUN, "state"])
    _set(c, three, "RUNNING", state_details={**details, "refresh_cache": True})
    _set(c, three, "COMPLETED", state_details={"cache_key": "c" * 2001})
    old = task_run(c, parent["id"], "cached", "old")
    _set(c, old, "RUNNING")
    _set(c, old, "COMPLETED", state_details={"cache_key": key + "x", "cache_expiration": "2021-01-01T00:00:00Z"})
    after = task_run(c, parent["id"], "cached", "after")
    _set(c, after, "RUNNING", state_details={"cache_key": key + "x"})


@case
def set_state_bodies(c):
    run = task_run(c, _parent(c)["id"])
    path = f"/task_runs/{run['id']}/set_state"
    for body in ({}, {"state": None}, {"state": {"type": "X"}}, {"state": {"type": "RUNNING", "message": 1, "name": 2}}, {"state": {"type": "RUNNING"}, "force": "x"}, {"state": {"type": "RUNNING", "timestamp": "2020-01-01T00:00:00Z"}}, []):
        c.post(path, body, show=_ruling)
    c.post(path)
    c.post(f"/task_runs/{c.nil}/set_state", {"state": {"type": "RUNNING"}})
    c.post("/task_runs/abc/set_state", {"state": {"type": "RUNNING"}})


def _some(c):
    parent = _parent(c)
    inner = flow_run(c, flow(c)["id"], "child", "PENDING")
    return parent, {
        "a": task_run(c, parent["id"], "alpha", "0", "PENDING", tags=["x", "y"]),
        "b": task_run(c, parent["id"], "beta", "0", "RUNNING", tags=["x"]),
        "c": task_run(c, parent["id"], "gamma", "0", {"type": "COMPLETED", "name": "Cached"}),
        "d": task_run(c, parent["id"], "delta", "0", {"type": "SCHEDULED", "state_details": {"scheduled_time": "2021-03-04T05:06:07Z"}}, tags=["z"]),
        "e": task_run(c, inner["id"], "epsilon", "0", "FAILED"),
    }


@case
def filter_by_each_field(c):
    parent, runs = _some(c)
    ids = {key: run["id"] for key, run in runs.items()}
    every = {"any_": list(ids.values())}

    def found(**task_runs):
        body = {"task_runs": {"id": every, **task_runs}, "sort": "NAME_ASC"}
        c.post("/task_runs/filter", body, show="name")
        c.post("/task_runs/count", {"task_runs": body["task_runs"]})

    found()
    found(id={"any_": [ids["a"], ids["e"]]})
    found(id={"any_": []})
    found(name={"any_": ["alpha-0", "beta-0"]})
    found(name={"like_": "TA-"})
    found(name={"any_": []})
    found(tags={"all_": ["x"]})
    found(tags={"all_": ["x", "y"]})
    found(tags={"all_": []})
    found(tags={"is_null_": True})
    found(tags={"is_null_": False})
    found(tags={"operator": "or_", "all_": ["z"], "is_null_": True})
    found(state={"type": {"any_": ["RUNNING", "FAILED"]}})
    found(state={"type": {"any_": []}})
    found(state={"name": {"any_": ["Cached"]}})
    found(state={"operator": "or_", "type": {"any_": ["RUNNING"]}, "name": {"any_": ["Cached"]}})
    found(state={})
    found(start_time={"is_null_": True})
    found(start_time={"is_null_": False})
    found(start_time={"after_": "2020-01-01T00:00:00Z"})
    found(start_time={"before_": "2020-01-01T00:00:00Z"})
    found(end_time={"is_null_": False})
    found(end_time={"after_": "2020-01-01T00:00:00Z"})
    found(expected_start_time={"before_": "2022-01-01T00:00:00Z"})
    found(expected_start_time={"after_": "2022-01-01T00:00:00Z"})
    found(subflow_runs={"exists_": True})
    found(subflow_runs={"exists_": False})
    found(flow_run_id={"any_": [parent["id"]]})
    found(flow_run_id={"any_": []})
    found(flow_run_id={"is_null_": True})
    found(flow_run_id={"is_null_": False})
    found(flow_run_id={"operator": "or_", "any_": [parent["id"]], "is_null_": True})
    found(operator="or_", name={"any_": ["alpha-0"]}, state={"type": {"any_": ["FAILED"]}}, id={"any_": []})
    for task_runs in (
        {"id": {"any_": ["x"]}}, {"name": {"like_": 1}}, {"state": {"type": {"any_": ["X"]}}}, {"start_time": {"after_": "x"}}, {"subflow_runs": {"exists_": "x"}}, {"flow_run_id": {"any_": 1}}, {"flow_run_id": {"is_null_": "x"}}, {"unknown": 1}, {"operator": "x"}, [], "x",
        {"expected_start_time": {"after_": "x"}}, {"end_time": {"is_null_": "x"}}, {"tags": {"all_": 1}},
    ):
        c.post("/task_runs/filter", {"task_runs": task_runs}, show="status")


@case
def filter_by_related(c):
    parent, runs = _some(c)
    parent = c.get(f"/flow_runs/{parent['id']}", show="name")
    own = {"task_runs": {"id": {"any_": [run["id"] for run in runs.values()]}}}

    def found(**filters):
        c.post("/task_runs/filter", {**own, "sort": "NAME_ASC", **filters}, show="name")
        c.post("/task_runs/count", {**own, **filters})

    found(flow_runs={"id": {"any_": [parent["id"]]}})
    found(flow_runs={"state": {"type": {"any_": ["PENDING"]}}})
    found(flow_runs={})
    found(flows={"id": {"any_": [parent["flow_id"]]}})
    found(flows={"name": {"like_": "no-such"}})
    found(flows={})
    found(deployments={"name": {"like_": "x"}})
    found(deployments={})
    found(flow_runs={"name": {"any_": ["child"]}}, flows={"id": {"any_": [parent["flow_id"]]}})


@case
def sorts_and_pages(c):
    _, runs = _some(c)
    own = {"task_runs": {"id": {"any_": [run["id"] for run in runs.values()]}}}
    for sort in ("NAME_ASC", "NAME_DESC", "EXPECTED_START_TIME_ASC", "EXPECTED_START_TIME_DESC", "NEXT_SCHEDULED_START_TIME_ASC"):
        c.post("/task_runs/filter", {**own, "sort": sort}, show="name", sort_by="name" if "NEXT" in sort else None)
    c.post("/task_runs/filter", {**own, "sort": "END_TIME_DESC"}, show="name", sort_by="name")
    for sort in ("START_TIME_ASC", "x", 1):
        c.post("/task_runs/filter", {**own, "sort": sort})
    for limit, offset in ((2, 0), (2, 4), (0, 0), (201, 0), (-1, 0), ("x", 0), (1, -1)):
        c.post("/task_runs/filter", {**own, "sort": "NAME_ASC", "limit": limit, "offset": offset}, show="name")
    for limit, page in ((2, 1), (2, 3), (5, 2), (None, 1), (201, 1), (2, 0), (2, "x")):
        c.post("/task_runs/paginate", {**own, "sort": "NAME_ASC", "limit": limit, "page": page}, show=pages())
    c.post("/task_runs/paginate", {"task_runs": {"id": {"any_": []}}})
    c.post("/task_runs/paginate", {**own, "sort": "x", "flows": 1})


@case
def states(c):
    run = task_run(c, _parent(c)["id"], state="PENDING")
    full = c.get(f"/task_runs/{run['id']}", show=["state_type"])
    c.get(f"/task_run_states/{full['state_id']}")
    c.get(f"/task_run_states/{c.nil}")
    c.get("/task_run_states/abc")
    c.get("/task_run_states/")
    c.get("/task_run_states/?task_run_id=abc")
    c.get(f"/task_run_states/?task_run_id={c.nil}")
