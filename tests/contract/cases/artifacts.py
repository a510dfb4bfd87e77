"""Cases: artifacts and their collections (the latest per key)."""

from cases.support import flow, flow_run, task_run
from harness.registry import case


def _make(c, key, **fields):
    return c.post("/artifacts/", {"key": key, **fields}, quiet=True)


@case
def create_and_read(c):
    run = flow_run(c, flow(c)["id"])
    task = task_run(c, run["id"])
    full = c.post("/artifacts/", {"key": c.name("key"), "type": "markdown", "description": "d", "data": "# hi", "metadata_": {"k": "v"}, "flow_run_id": run["id"], "task_run_id": task["id"]})
    c.get(f"/artifacts/{full['id']}")
    for data in ("text", 5, [1, {"a": 2}], {"table": [[1]]}, None, True, 1.5):
        made = c.post("/artifacts/", {"type": "table", "data": data})
        c.get(f"/artifacts/{made['id']}", show=["key", "data", "type"])
    c.post("/artifacts/", {})
    c.get(f"/artifacts/{c.nil}")
    c.get("/artifacts/abc")
    c.get("/artifacts/absent/latest")


@case
def create_errors(c):
    for body in (
        {"key": 1}, {"key": "Upper"}, {"key": "a_b"}, {"key": "a b"}, {"key": ""}, {"key": "-"}, {"type": 1}, {"description": 1}, {"metadata_": []}, {"metadata_": {"a": 1}}, {"metadata_": {"a": {"b": 1}}}, {"flow_run_id": "x"}, {"task_run_id": 1}, {"unknown": 1}, {"id": c.nil}, {"flow_run_id": c.nil}, {"metadata": {}}, [],
    ):
        c.post("/artifacts/", body, show="status")
    c.post("/artifacts/")


@case
def update(c):
    made = _make(c, c.name("key"), type="markdown", data="one", metadata_={"a": "b"})
    path = f"/artifacts/{made['id']}"
    c.patch(path, {"data": "two", "description": "new", "metadata_": {"c": "d"}})
    c.get(path)
    c.get(f"/artifacts/{c.name('key')}/latest")
    c.patch(path, {})
    for body in ({"key": "x"}, {"type": "x"}, {"description": None}, {"data": None}, {"metadata_": None}, {"metadata_": []}, {"description": 5}, {"unknown": 1}, []):
        c.patch(path, body)
        c.get(path, show=["data", "description", "metadata_"])
    c.patch(path)
    c.patch(f"/artifacts/{c.nil}", {"data": 1})
    c.patch("/artifacts/abc", {"data": 1})


@case
def latest_moves(c):
    key = c.name("key")
    one, two = _make(c, key, type="markdown", data="one"), _make(c, key, type="markdown", data="two")
    loose = c.post("/artifacts/", {"type": "markdown", "data": "no key"}, quiet=True)
    c.get(f"/artifacts/{key}/latest")
    own = {"artifacts": {"key": {"any_": [key]}}}
    c.post("/artifacts/latest/filter", own)
    c.post("/artifacts/latest/count", own)
    c.post("/artifacts/filter", {**own, "sort": "ID_DESC"}, show="data", sort_by="data")
    c.delete(f"/artifacts/{two['id']}")
    c.get(f"/artifacts/{key}/latest")
    c.post("/artifacts/latest/filter", own, show=["latest_id", "data"])
    c.delete(f"/artifacts/{one['id']}")
    c.get(f"/artifacts/{key}/latest")
    c.post("/artifacts/latest/filter", own)
    c.delete(f"/artifacts/{one['id']}")
    c.delete(f"/artifacts/{loose['id']}")
    c.delete(f"/artifacts/{c.nil}")
    c.delete("/artifacts/abc")


@case
def lists(c):
    parent = flow(c)
    run = flow_run(c, parent["id"], "run-a")
    task = task_run(c, run["id"])
    keys = {name: c.name(name) for name in ("aa", "bb", "cc")}
    made = [
        _make(c, keys["aa"], type="markdown", data="a1", flow_run_id=run["id"]), _make(c, keys["aa"], type="markdown", data="a2", task_run_id=task["id"], flow_run_id=run["id"]),
        _make(c, keys["bb"], type="table", data="b1"), _make(c, keys["cc"], type="link", data="c1"),
    ]
    every = {"any_": list(keys.values())}
    ids = [row["id"] for row in made]

    def found(**artifacts):
        c.post("/artifacts/filter", {"artifacts": {"key": every, **artifacts}, "sort": "KEY_ASC"}, show="data", sort_by="data")
        c.post("/artifacts/count", {"artifacts": {"key": every, **artifacts}})
        latest = {name: value for name, value in artifacts.items() if name != "id"}
        c.post("/artifacts/latest/filter", {"artifacts": {"key": every, **latest}, "sort": "KEY_ASC"}, show="data", sort_by="data")
        c.post("/artifacts/latest/count", {"artifacts": {"key": every, **latest}})

    found()
    found(id={"any_": ids[:2]})
    found(id={"any_": []})
    found(key={"any_": [keys["bb"]]})
    found(key={"like_": c.token})
    found(key={"like_": "AA-" + c.token})
    found(key={"exists_": True, "any_": list(keys.values())})
    found(key={"exists_": False, "any_": list(keys.values())})
    found(flow_run_id={"any_": [run["id"]]})
    found(flow_run_id={"any_": []})
    found(task_run_id={"any_": [task["id"]]})
    found(type={"any_": ["markdown"]})
    found(type={"not_any_": ["markdown", "table"]})
    found(operator="or_", type={"any_": ["link"]}, task_run_id={"any_": [task["id"]]}, key={"any_": []})
    for filters in ({"flow_runs": {"id": {"any_": [run["id"]]}}}, {"flow_runs": {"name": {"any_": ["no"]}}}, {"task_runs": {"id": {"any_": [task["id"]]}}}, {"flows": {"id": {"any_": [parent["id"]]}}}, {"deployments": {"name": {"like_": "x"}}}, {"flow_runs": {}, "task_runs": {}, "flows": {}, "deployments": {}}):
        for path in ("/artifacts/filter", "/artifacts/latest/filter"):
            c.post(path, {"artifacts": {"key": every}, **filters, "sort": "KEY_ASC"}, show="data", sort_by="data")
        c.post("/artifacts/count", {"artifacts": {"key": every}, **filters})
    for sort in ("KEY_ASC", "KEY_DESC"):
        c.post("/artifacts/filter", {"artifacts": {"key": {"any_": [keys["aa"], keys["bb"]]}, "id": {"any_": ids[1:3]}}, "sort": sort}, show="data")
        c.post("/artifacts/latest/filter", {"artifacts": {"key": every}, "sort": sort}, show="data")
    for sort in ("CREATED_DESC", "UPDATED_DESC"):
        c.post("/artifacts/filter", {"artifacts": {"key": every}, "sort": sort}, show="data")
        c.post("/artifacts/latest/filter", {"artifacts": {"key": every}, "sort": sort}, show="data")
    for body in ({"sort": "x"}, {"limit": 201}, {"limit": -1}, {"limit": "x"}, {"offset": -1}, {"artifacts": {"id": {"any_": ["x"]}}}, {"artifacts": {"key": {"like_": 1}}}, {"artifacts": {"key": {"exists_": "x"}}}, {"artifacts": []}, {"artifacts": {"unknown": 1}}, {"artifacts": {"type": {"any_": 1}}}):
        c.post("/artifacts/filter", body, show="status")
        c.post("/artifacts/latest/filter", body, show="status")
    c.post("/artifacts/filter", {"artifacts": {"key": every}, "sort": "KEY_DESC", "limit": 1}, show="data")
    c.post("/artifacts/filter", {"artifacts": {"key": every}, "limit": 0})
    c.post("/artifacts/latest/filter", {"artifacts": {"key": {"any_": [keys["bb"]]}}})
