"""Cases: flows; get-or-create, update, filters and pages."""

from harness.registry import case


@case
def create_is_get_or_create(c):
    name = c.name("flow")
    first = c.post("/flows/", {"name": name, "tags": ["a", "b", "a"], "labels": {"x": 1, "y": "t", "z": True, "f": 1.5}})
    c.post("/flows/", {"name": name})
    c.post("/flows/", {"name": name, "tags": ["c"], "labels": {"n": 1}})
    c.get(f"/flows/{first['id']}")
    c.get(f"/flows/name/{name}")
    c.get(f"/flows/name/{name.upper()}")
    c.get(f"/flows/{str(first['id']).upper()}")
    c.get(f"/flows/{str(first['id']).replace('-', '')}")


@case
def names(c):
    for name in ("has space ", "ümlaut-", "dots.", "[br]", "a,b", "quote'", 'dq"', "per%cent", "a/b", "a&b", "a>b", "a<b", "", " ", "\n", "\u0000"):
        c.post("/flows/", {"name": name + c.token if name not in ("", " ", "\n", "\u0000") else name}, show=["name", "tags", "labels"])
    c.post("/flows/", {"name": "n" * 300 + c.token}, show=["tags"])
    c.get(f"/flows/name/has space {c.token}")
    c.get(f"/flows/name/%C3%BCmlaut-{c.token}")


@case
def create_errors(c):
    for body in (
        {}, {"name": None}, {"name": 1}, {"name": ["a"]}, {"name": "x", "tags": None}, {"name": "x", "tags": "a"}, {"name": "x", "tags": [1]},
        {"name": "x", "tags": [None, "a", {}]}, {"name": "x", "labels": []}, {"name": "x", "labels": "a"}, {"name": "x", "labels": {"a": None}},
        {"name": "x", "labels": {"a": {}}}, {"name": "x", "labels": {"a": [1]}}, {"tags": 1, "labels": 1}, {"name": "x", "unknown": 1},
        {"name": "x", "id": c.nil}, {"unknown": 1},
    ):
        c.post("/flows/", body)
    c.post("/flows/", {"name": c.name("nulls"), "labels": None})


@case
def update(c):
    flow = c.post("/flows/", {"name": c.name("flow"), "tags": ["a"], "labels": {"k": "v"}})
    path = f"/flows/{flow['id']}"
    c.patch(path, {"tags": ["b", "c"]})
    c.get(path)
    c.patch(path, {})
    c.get(path)
    for body in ({"tags": None}, {"tags": "x"}, {"tags": [1]}, {"name": "new"}, {"labels": {}}, {"unknown": 1}, []):
        c.patch(path, body)
    c.patch(path)
    c.get(path)
    c.patch(f"/flows/{c.nil}", {"tags": []})
    c.patch("/flows/abc", {"tags": []})


@case
def delete(c):
    flow = c.post("/flows/", {"name": c.name("flow")})
    run = c.post("/flow_runs/", {"flow_id": flow["id"], "name": "run"}, show=["flow_id"])
    deployment = c.post("/deployments/", {"name": c.name("d"), "flow_id": flow["id"]}, show=["flow_id"])
    c.delete(f"/flows/{flow['id']}")
    c.delete(f"/flows/{flow['id']}")
    c.get(f"/flows/{flow['id']}")
    c.get(f"/flow_runs/{run['id']}")
    c.get(f"/deployments/{deployment['id']}")
    c.delete(f"/flows/{c.nil}")
    c.delete("/flows/abc")


def _three(c):
    ids = []
    for index, tags in enumerate((["x", "y"], ["x"], [])):
        flow = c.post("/flows/", {"name": c.name(f"flow-{'abc'[index]}"), "tags": tags}, quiet=True)
        ids.append(flow["id"])
    return ids


@case
def filter_by_each_field(c):
    ids = _three(c)
    own = {"any_": ids}

    def found(flows, **rest):
        c.post("/flows/filter", {"flows": {"id": own, **flows}, "sort": "NAME_ASC", **rest}, show="name")
        c.post("/flows/count", {"flows": {"id": own, **flows}, **rest})

    found({})
    found({"id": {"any_": ids[:2]}})
    found({"id": {"any_": []}})
    c.post("/flows/filter", {"flows": {"id": {}, "name": {"like_": c.token}}, "sort": "NAME_ASC"}, show="name")
    c.post("/flows/filter", {"flows": {"id": None, "name": {"like_": c.token}}, "sort": "NAME_ASC"}, show="name")
    found({"id": {"not_any_": ids[:1], "any_": ids}})
    found({"name": {"any_": [c.name("flow-a"), c.name("flow-c"), "other"]}})
    found({"name": {"any_": []}})
    found({"name": {"like_": "FLOW-B"}})
    found({"name": {"like_": "low-"}})
    found({"name": {"like_": "%low_b%"}})
    found({"name": {"like_": ""}})
    found({"name": {}})
    found({"name": None})
    found({"tags": {"all_": ["x"]}})
    found({"tags": {"all_": ["x", "y"]}})
    found({"tags": {"all_": ["y", "z"]}})
    found({"tags": {"all_": []}})
    found({"tags": {"is_null_": True}})
    found({"tags": {"is_null_": False}})
    found({"tags": {}})
    found({"tags": {"all_": ["x"], "is_null_": True}})
    found({"tags": {"operator": "or_", "all_": ["y"], "is_null_": True}})
    found({"operator": "or_", "tags": {"all_": ["y"]}, "name": {"like_": c.name("flow-c")}, "id": {"any_": ids[2:]}})
    found({"operator": "and_", "tags": {"all_": ["x"]}, "name": {"like_": "flow-b"}})
    found({"deployment": {"is_null_": True}})
    found({"deployment": {"is_null_": False}})
    found({"deployment": {}})
    c.post("/flows/filter", {"flows": {"operator": "not_"}})
    c.post("/flows/filter", {"flows": {"id": {"any_": ["x", 1]}, "name": {"like_": 1}, "tags": {"is_null_": "z"}}})


@case
def filter_by_related(c):
    ids = _three(c)
    pool = c.post("/work_pools/", {"name": c.name("pool"), "type": "process"}, quiet=True)
    deployment = c.post("/deployments/", {"name": c.name("d"), "flow_id": ids[0], "work_pool_name": pool["name"], "tags": ["dt"]}, quiet=True)
    run = c.post("/flow_runs/", {"flow_id": ids[1], "tags": ["rt"], "state": {"type": "RUNNING"}}, quiet=True)
    task = c.post("/task_runs/", {"flow_run_id": run["id"], "task_key": "t", "dynamic_key": "0", "tags": ["tt"]}, quiet=True)
    own = {"id": {"any_": ids}}

    def found(**filters):
        c.post("/flows/filter", {"flows": own, "sort": "NAME_ASC", **filters}, show="name")
        c.post("/flows/count", {"flows": own, **filters})

    found(flow_runs={"id": {"any_": [run["id"]]}})
    found(flow_runs={"tags": {"all_": ["rt"]}})
    found(flow_runs={"tags": {"all_": ["nope"]}})
    found(flow_runs={"state": {"type": {"any_": ["RUNNING"]}}})
    found(flow_runs={})
    found(task_runs={"id": {"any_": [task["id"]]}})
    found(task_runs={"tags": {"all_": ["tt"]}})
    found(task_runs={})
    found(deployments={"id": {"any_": [deployment["id"]]}})
    found(deployments={"tags": {"all_": ["dt"]}})
    found(deployments={"name": {"like_": "no-such"}})
    found(deployments={})
    found(work_pools={"name": {"any_": [pool["name"]]}})
    found(work_pools={"type": {"any_": ["process"]}})
    found(work_pools={"type": {"any_": ["docker"]}})
    found(work_pools={})
    found(flow_runs={"tags": {"all_": ["rt"]}}, deployments={"tags": {"all_": ["dt"]}})
    c.post("/flows/filter", {"flows": {**own, "deployment": {"is_null_": True}}, "sort": "NAME_ASC"}, show="name")
    c.post("/flows/filter", {"flows": {**own, "deployment": {"is_null_": False}}, "sort": "NAME_ASC"}, show="name")
    c.post("/flows/filter", {"flows": own, "sort": "NAME_ASC", "flow_runs": None, "task_runs": None, "deployments": None, "work_pools": None}, show="name")


@case
def sorts_and_pages(c):
    ids = _three(c)
    c.patch(f"/flows/{ids[0]}", {"tags": ["touched"]}, quiet=True)
    own = {"flows": {"id": {"any_": ids}}}
    for sort in ("NAME_ASC", "NAME_DESC", "CREATED_DESC", "UPDATED_DESC"):
        c.post("/flows/filter", {**own, "sort": sort}, show="name")
    for sort in ("CREATED_ASC", "name", "", 1):
        c.post("/flows/filter", {**own, "sort": sort})
    for limit, offset in ((1, 0), (1, 1), (2, 2), (0, 0), (200, 0), (2, 100), (201, 0), (-1, 0), (None, 0), ("2", "1"), (1.0, 0), (1.5, 0), (True, 0), ("x", 0), (1, -1), (1, "x")):
        c.post("/flows/filter", {**own, "sort": "NAME_ASC", "limit": limit, "offset": offset}, show="name")
    pages = lambda body: {**body, "results": [row["name"] for row in body["results"]]}  # noqa: E731
    for limit, page in ((2, 1), (2, 2), (2, 3), (3, 1), (1, 2), (0, 1), (None, 1), (200, 1), (201, 1), (-1, 1), (2, 0), (2, -1), (2, "2"), (2, "x"), (2, 1.5)):
        c.post("/flows/paginate", {**own, "sort": "NAME_ASC", "limit": limit, "page": page}, show=pages)
    c.post("/flows/paginate", {**own, "limit": 2}, show=lambda body: {k: v for k, v in body.items() if k != "results"})
    c.post("/flows/paginate", {"flows": {"id": {"any_": [c.nil]}}})
    c.post("/flows/paginate", {**own, "sort": "NAME_ASC"})
    c.post("/flows/paginate", {**own, "offset": 1, "sort": "NAME_ASC"}, show=pages)
    c.post("/flows/paginate", {**own, "sort": "x", "page": 0})
