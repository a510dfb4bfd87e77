"""Cases: lists of flow runs; every filter field of the schema, sorts, pages, counts, lateness."""

from cases.support import deployment, flow, flow_run, pages, pool, task_run
from harness.registry import case


def _runs(c):
    """Five runs that differ in every filterable field."""
    parent = flow(c, tags=["flow-tag"])
    home = pool(c)
    made = deployment(c, parent["id"], work_pool_name=home["name"], tags=["deployment-tag"])
    runs = {
        "a": flow_run(c, parent["id"], "run-a", "PENDING", tags=["x", "y"], flow_version="1", idempotency_key=c.name("k")),
        "b": flow_run(c, parent["id"], "run-b", {"type": "RUNNING"}, tags=["x"], flow_version="2"),
        "c": flow_run(c, parent["id"], "run-c", {"type": "COMPLETED", "name": "Done"}),
        "d": flow_run(c, parent["id"], "run-d", {"type": "SCHEDULED", "name": "Late", "state_details": {"scheduled_time": "2021-03-04T05:06:07Z"}}, tags=["z"], deployment_id=made["id"]),
        "e": flow_run(c, parent["id"], "run-e", {"type": "SCHEDULED", "state_details": {"scheduled_time": "2035-01-01T00:00:00Z"}}, work_pool_name=home["name"], tags=["x", "z"]),
    }
    task_run(c, runs["b"]["id"], "task", state="RUNNING", tags=["task-tag"])
    return parent, home, made, runs


@case
def by_each_field(c):
    parent, home, made, runs = _runs(c)
    own = {"flows": {"id": {"any_": [parent["id"]]}}}
    ids = {key: run["id"] for key, run in runs.items()}

    def found(**flow_runs):
        body = {**own, "flow_runs": flow_runs, "sort": "NAME_ASC"}
        c.post("/flow_runs/filter", body, show="name")
        c.post("/flow_runs/count", body)

    found()
    found(id={"any_": [ids["a"], ids["c"]]})
    found(id={"any_": []})
    found(id={"not_any_": [ids["a"]]})
    found(id={"not_any_": []})
    found(id={"any_": [ids["a"], ids["b"]], "not_any_": [ids["a"]]})
    found(id={})
    found(id=None)
    found(name={"any_": ["run-a", "run-e"]})
    found(name={"any_": []})
    found(name={"like_": "N-B"})
    found(name={"like_": "run_"})
    found(name={"like_": "r%e"})
    found(name={})
    found(tags={"all_": ["x"]})
    found(tags={"all_": ["y", "x"]})
    found(tags={"all_": []})
    found(tags={"any_": ["y", "z"]})
    found(tags={"any_": []})
    found(tags={"is_null_": True})
    found(tags={"is_null_": False})
    found(tags={"operator": "or_", "all_": ["y"], "is_null_": True})
    found(tags={"all_": ["x"], "any_": ["z"]})
    found(deployment_id={"any_": [made["id"]]})
    found(deployment_id={"any_": []})
    found(deployment_id={"is_null_": True})
    found(deployment_id={"is_null_": False})
    found(deployment_id={"operator": "or_", "any_": [made["id"]], "is_null_": True})
    found(work_queue_name={"any_": ["default"]})
    found(work_queue_name={"is_null_": True})
    found(work_queue_name={"is_null_": False})
    found(state={"type": {"any_": ["RUNNING", "COMPLETED"]}})
    found(state={"type": {"any_": []}})
    found(state={"type": {"not_any_": ["SCHEDULED"]}})
    found(state={"name": {"any_": ["Done", "Late"]}})
    found(state={"name": {"not_any_": ["Done"]}})
    found(state={"type": {"any_": ["SCHEDULED"]}, "name": {"any_": ["Late"]}})
    found(state={"operator": "or_", "type": {"any_": ["RUNNING"]}, "name": {"any_": ["Late"]}})
    found(state={})
    found(state={"type": {}, "name": {}})
    found(flow_version={"any_": ["1", "3"]})
    found(flow_version={"any_": []})
    found(flow_version={})
    found(start_time={"is_null_": True})
    found(start_time={"is_null_": False})
    found(start_time={"after_": "2030-01-01T00:00:00Z"})
    found(start_time={"after_": "2020-01-01T00:00:00Z"})
    found(start_time={"before_": "2100-01-01T00:00:00Z"})
    found(start_time={"before_": "2020-01-01T00:00:00Z", "after_": "2019-01-01T00:00:00Z"})
    found(start_time={"operator": "or_", "is_null_": True, "after_": "2020-01-01T00:00:00Z"})
    found(end_time={"is_null_": True})
    found(end_time={"is_null_": False})
    found(end_time={"after_": "2020-01-01T00:00:00Z"})
    found(end_time={"before_": "2020-01-01T00:00:00Z"})
    found(expected_start_time={"after_": "2034-01-01T00:00:00Z"})
    found(expected_start_time={"before_": "2022-01-01T00:00:00Z"})
    found(expected_start_time={"after_": "2021-03-04T05:06:07Z", "before_": "2021-03-04T05:06:07Z"})
    found(expected_start_time={"after_": "2021-03-04T06:06:07+01:00", "before_": "2021-03-04T05:06:07.000001Z"})
    found(expected_start_time={})
    found(next_scheduled_start_time={"after_": "2034-01-01T00:00:00Z"})
    found(next_scheduled_start_time={"before_": "2022-01-01"})
    found(next_scheduled_start_time={"after_": "2000-01-01"})
    found(parent_flow_run_id={"any_": [ids["b"]]})
    found(parent_flow_run_id={"any_": []})
    found(parent_flow_run_id={})
    found(parent_task_run_id={"is_null_": True})
    found(parent_task_run_id={"is_null_": False})
    found(parent_task_run_id={"any_": []})
    found(idempotency_key={"any_": [c.name("k")]})
    found(idempotency_key={"not_any_": [c.name("k")]})
    found(idempotency_key={"any_": []})
    found(idempotency_key={})
    found(created_by={"id_": ["33333333-3333-4333-8333-333333333333"]})
    found(created_by={"type_": ["SCHEDULE"]})
    found(created_by={"is_null_": True})
    found(created_by={"is_null_": False})
    found(created_by={})
    found(operator="or_", name={"any_": ["run-a"]}, state={"type": {"any_": ["COMPLETED"]}})
    found(operator="or_", tags={"all_": ["z"]}, start_time={"is_null_": False})
    found(operator="and_", tags={"all_": ["z"]}, start_time={"is_null_": True}, name={"like_": "d"})


@case
def by_related(c):
    parent, home, made, runs = _runs(c)
    other = flow(c, "other")
    flow_run(c, other["id"], "stranger")
    own = {"flow_runs": {"id": {"any_": [run["id"] for run in runs.values()]}}, "sort": "NAME_ASC"}

    def found(**filters):
        c.post("/flow_runs/filter", {**own, **filters}, show="name")
        c.post("/flow_runs/count", {**own, **filters})

    found(flows={"name": {"any_": [parent["name"]]}})
    found(flows={"name": {"any_": [other["name"]]}})
    found(flows={"tags": {"all_": ["flow-tag"]}})
    found(flows={})
    found(flows={"deployment": {"is_null_": True}})
    found(task_runs={"tags": {"all_": ["task-tag"]}})
    found(task_runs={"state": {"type": {"any_": ["RUNNING"]}}})
    found(task_runs={})
    found(deployments={"id": {"any_": [made["id"]]}})
    found(deployments={"tags": {"all_": ["deployment-tag"]}})
    found(deployments={"tags": {"all_": ["nope"]}})
    found(deployments={})
    found(work_pools={"name": {"any_": [home["name"]]}})
    found(work_pools={"type": {"any_": ["process"]}})
    found(work_pools={})
    found(work_pool_queues={"name": {"any_": ["default"]}})
    found(work_pool_queues={"name": {"startswith_": ["def"]}})
    found(work_pool_queues={"name": {"any_": ["nope"]}})
    found(work_pool_queues={})
    found(work_pools={"name": {"any_": [home["name"]]}}, work_pool_queues={"name": {"any_": ["default"]}})
    found(flows=None, task_runs=None, deployments=None, work_pools=None, work_pool_queues=None)


@case
def sorts(c):
    parent, _, _, runs = _runs(c)
    own = {"flows": {"id": {"any_": [parent["id"]]}}}
    c.post(f"/flow_runs/{runs['b']['id']}/set_state", {"state": {"type": "FAILED"}}, show=["status"])
    for sort in ("ID_DESC", "NAME_ASC", "NAME_DESC", "EXPECTED_START_TIME_ASC", "EXPECTED_START_TIME_DESC", "NEXT_SCHEDULED_START_TIME_ASC", "NEXT_SCHEDULED_START_TIME_DESC", "START_TIME_ASC", "START_TIME_DESC", "END_TIME_DESC"):
        body = {**own, "sort": sort}
        if sort == "ID_DESC":
            c.post("/flow_runs/filter", body, show="name", sort_by="name")
        else:
            c.post("/flow_runs/filter", body, show="name")
    for sort in ("END_TIME_ASC", "name", "", None, 1):
        c.post("/flow_runs/filter", {**own, "sort": sort}, show="name", sort_by="name")
    c.post("/flow_runs/filter", {"flows": own["flows"]}, show="name", sort_by="name")


@case
def pages_and_limits(c):
    parent, _, _, _ = _runs(c)
    own = {"flows": {"id": {"any_": [parent["id"]]}}, "sort": "NAME_ASC"}
    for limit, offset in ((1, 0), (2, 1), (2, 4), (0, 0), (200, 0), (2, 100), (201, 0), (-1, 0), (None, 0), ("2", "1"), (1.0, 0), (1.5, 0), ("x", 0), (1, -1), (1, "x")):
        c.post("/flow_runs/filter", {**own, "limit": limit, "offset": offset}, show="name")
    for limit, page in ((2, 1), (2, 3), (2, 4), (5, 1), (0, 1), (None, 1), (200, 1), (201, 1), (-1, 1), (2, 0), (2, -1), (2, "2"), (2, "x")):
        c.post("/flow_runs/paginate", {**own, "limit": limit, "page": page}, show=pages())
    c.post("/flow_runs/paginate", {**own, "limit": 1})
    c.post("/flow_runs/paginate", {"flows": own["flows"], "flow_runs": {"name": {"any_": ["none"]}}})
    c.post("/flow_runs/paginate", {**own, "sort": "bad", "page": 0, "limit": "x", "flow_runs": {"id": 1}})
    c.post("/flow_runs/paginate", {**own, "flow_runs": {"tags": {"all_": ["x"]}}}, show=pages())
    c.post("/flow_runs/paginate", {**own, "deployments": {"tags": {"all_": ["deployment-tag"]}}}, show=pages())
    c.post("/flow_runs/count", {"flows": own["flows"], "limit": 1, "offset": 2})


@case
def errors(c):
    for flow_runs in (
        [], "x", 1, {"id": "x"}, {"id": {"any_": "x"}}, {"id": {"any_": ["x", 1, None]}}, {"id": {"not_any_": 1}}, {"name": {"any_": [1]}}, {"name": {"like_": 5}}, {"name": []},
        {"tags": "a"}, {"tags": {"all_": "a"}}, {"tags": {"is_null_": "maybe"}}, {"tags": {"is_null_": 3}}, {"tags": {"operator": "xor"}}, {"tags": {"any_": [1]}},
        {"state": {"type": {"any_": ["X", "RUNNING", 1]}}}, {"state": {"type": "RUNNING"}}, {"state": {"name": {"any_": "x"}}}, {"state": []},
        {"start_time": {"after_": "soon"}}, {"start_time": {"after_": ""}}, {"start_time": {"before_": "2020-13-01T00:00:00Z"}}, {"start_time": {"before_": "2020-01-01T25:00:00Z"}}, {"start_time": {"after_": []}}, {"start_time": {"after_": True}},
        {"start_time": {"after_": 1}}, {"start_time": {"is_null_": "x"}}, {"end_time": {"after_": {}}}, {"expected_start_time": {"before_": "x", "after_": "y"}}, {"next_scheduled_start_time": {"after_": "x"}},
        {"deployment_id": {"any_": ["x"]}}, {"deployment_id": {"is_null_": "x"}}, {"flow_version": {"any_": [1]}}, {"parent_flow_run_id": {"any_": ["x"]}}, {"parent_task_run_id": {"any_": ["x"]}},
        {"idempotency_key": {"any_": 1}}, {"created_by": {"id_": ["x"]}}, {"created_by": {"type_": [1]}}, {"operator": "nor_"}, {"operator": None}, {"work_queue_name": {"any_": 1}},
        {"unknown": 1}, {"id": {"unknown": 1}}, {"state": {"type": {"unknown": []}}},
    ):
        c.post("/flow_runs/filter", {"flow_runs": flow_runs}, show="status")
    for body in ({"flows": []}, {"flows": {"id": {"any_": ["x"]}}}, {"task_runs": {"id": "x"}}, {"deployments": 1}, {"work_pools": {"name": {"any_": 1}}}, {"work_pool_queues": {"id": {"any_": ["x"]}}}, {"flows": 1, "flow_runs": 1, "limit": "x", "offset": -1, "sort": 1}):
        c.post("/flow_runs/filter", body)
        c.post("/flow_runs/count", body)


@case
def average_lateness(c):
    parent = flow(c)
    own = {"flows": {"id": {"any_": [parent["id"]]}}}
    c.post("/flow_runs/lateness", own)
    flow_run(c, parent["id"], "late", {"type": "SCHEDULED", "state_details": {"scheduled_time": c.now(minutes=-10)}})
    c.post("/flow_runs/lateness", own, show=_about)
    run = flow_run(c, parent["id"], "ran", {"type": "SCHEDULED", "state_details": {"scheduled_time": c.now(minutes=-20)}})
    c.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "RUNNING"}}, show=["status"])
    c.post("/flow_runs/lateness", own, show=_about)
    c.get(f"/flow_runs/{run['id']}", show=["estimated_start_time_delta", "expected_start_time", "start_time"])
    c.post("/flow_runs/lateness", {**own, "flow_runs": {"name": {"any_": ["ran"]}}}, show=_about)
    c.post("/flow_runs/lateness", {"flows": {"id": {"any_": ["x"]}}})


def _about(seconds):
    return f"about {round(seconds / 60)} minutes" if isinstance(seconds, float) else seconds
