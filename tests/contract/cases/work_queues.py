"""Cases: legacy work queues (queues without a pool)."""

from cases.support import deployment, flow, pool
from harness.registry import case


def _own(body):
    """A new queue's priority in the shared pool depends on the other cases' queues."""
    return {key: value for key, value in body.items() if key != "priority"}


@case
def create_and_read(c):
    made = c.post("/work_queues/", {"name": c.name("q")}, show=_own)
    c.get(f"/work_queues/{made['id']}", show=_own)
    c.get(f"/work_queues/name/{c.name('q')}", show=["name"])
    c.post("/work_queues/", {"name": c.name("q")})
    c.post("/work_queues/", {"name": c.name("full"), "description": "d", "is_paused": True, "concurrency_limit": 3, "priority": 2}, show=_own)
    c.post("/work_queues/", {"name": c.name("filtered"), "filter": {"tags": ["a"], "deployment_ids": [c.nil]}}, show=_own)
    for body in ({}, {"name": None}, {"name": ""}, {"name": "a/b"}, {"name": 5}, {"name": "x", "concurrency_limit": -1}, {"name": "x", "priority": 0}, {"name": "x", "is_paused": "x"}, {"name": "x", "unknown": 1}, []):
        c.post("/work_queues/", body, brief=True)
    c.get(f"/work_queues/{c.nil}")
    c.get("/work_queues/abc")
    c.get("/work_queues/name/absent")


@case
def update_and_delete(c):
    made = c.post("/work_queues/", {"name": c.name("q")}, quiet=True)
    path = f"/work_queues/{made['id']}"
    c.patch(path, {"description": "new", "is_paused": True, "concurrency_limit": 2})
    c.get(path, show=_own)
    c.patch(path, {"is_paused": False})
    c.get(path, show=["status", "is_paused"])
    c.patch(path, {})
    for body in ({"name": "a/b"}, {"concurrency_limit": -1}, {"unknown": 1}, {"is_paused": "x"}, []):
        c.patch(path, body, brief=True)
    c.patch(f"/work_queues/{c.nil}", {"description": "x"})
    c.delete(path)
    c.delete(path)
    c.get(path)
    c.delete("/work_queues/abc")


@case
def runs_and_status(c):
    parent = flow(c)
    queue = c.name("q")
    made = deployment(c, parent["id"], work_queue_name=queue)
    c.post(f"/deployments/{made['id']}/create_flow_run", {"name": "late", "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "2021-01-01T00:00:00Z"}}}, quiet=True)
    c.post(f"/deployments/{made['id']}/create_flow_run", {"name": "future", "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "2035-01-01T00:00:00Z"}}}, quiet=True)
    row = c.send("GET", f"/work_queues/name/{queue}", quiet=True)
    path = f"/work_queues/{row['id']}"
    c.get(f"{path}/status")
    c.post(f"{path}/get_runs", {}, show="name")
    c.post(f"{path}/get_runs", {"scheduled_before": c.now()}, show="name")
    c.post(f"{path}/get_runs", {"limit": 1}, show="name")
    c.post(f"{path}/get_runs", {"agent_id": c.nil}, show="name")
    c.post(f"{path}/get_runs", {"limit": 201})
    c.post(f"{path}/get_runs", {"scheduled_before": "x"})
    c.until(lambda answer: answer["last_polled"] is not None, "GET", path)
    c.get(f"{path}/status")
    c.post(f"{path}/concurrency_status", {})
    c.post(f"{path}/concurrency_status", {"page": 0})
    for tail in ("get_runs", "concurrency_status"):
        c.post(f"/work_queues/{c.nil}/{tail}", {})
    c.get(f"/work_queues/{c.nil}/status")


@case
def lists(c):
    for name in ("aa", "ab", "b"):
        c.post("/work_queues/", {"name": c.name(name)}, quiet=True)
    pool(c)
    for body in ({"work_queues": {"name": {"any_": [c.name("aa"), c.name("b")]}}}, {"work_queues": {"name": {"startswith_": [f"aa-{c.token}", f"ab-{c.token}"]}}}, {"work_queues": {"name": {"any_": []}}}, {"work_queues": {"id": {"any_": [c.nil]}}}):
        c.post("/work_queues/filter", body, show="name", sort_by="name")
    for body in ({"limit": 201}, {"limit": -1}, {"offset": -1}, {"work_queues": {"id": {"any_": ["x"]}}}, {"work_queues": []}):
        c.post("/work_queues/filter", body, brief=True)
