"""Cases: queues and workers of pools; priorities, default queue, heartbeats, scheduled runs, concurrency status."""

from cases.support import deployment, flow, flow_run, pool
from harness.registry import case


def _priorities(c, home):
    c.post(f"/work_pools/{home['name']}/queues/filter", {}, show=["name", "priority"])


@case
def create_and_read(c):
    home = pool(c)
    path = f"/work_pools/{home['name']}/queues"
    made = c.post(path, {"name": "q", "description": "d", "is_paused": True, "concurrency_limit": 2, "priority": 1})
    c.get(f"{path}/q")
    c.get(f"/work_queues/{made['id']}")
    c.post(path, {"name": "q"})
    c.post(path, {"name": "plain"})
    _priorities(c, home)
    c.get(f"{path}/absent")
    c.get("/work_pools/absent/queues/default")
    c.post("/work_pools/absent/queues", {"name": "q"})
    c.post("/work_pools/absent/queues/filter", {})
    for body in (
        {}, {"name": None}, {"name": ""}, {"name": 5}, {"name": "a/b"}, {"name": "x1", "priority": 0}, {"name": "x2", "priority": -1}, {"name": "x3", "priority": "x"}, {"name": "x4", "concurrency_limit": -1}, {"name": "x5", "concurrency_limit": 0}, {"name": "x6", "is_paused": "x"}, {"name": "x7", "description": 5}, {"name": "x8", "filter": {}}, {"name": "x9", "unknown": 1}, {"name": "x10", "work_queue_id": c.nil}, [],
    ):
        c.post(path, body, show=["name", "priority", "concurrency_limit"])
    c.post(path)


@case
def priorities_shuffle(c):
    home = pool(c)
    path = f"/work_pools/{home['name']}/queues"
    for name, priority in (("a", None), ("b", None), ("c", 1), ("d", 2), ("e", 10), ("f", 10), ("g", None)):
        c.post(path, {"name": name, **({"priority": priority} if priority else {})}, show=["name", "priority"])
        _priorities(c, home)
    for name, priority in (("a", 1), ("default", 3), ("e", 1), ("g", 50), ("g", 50), ("c", 11)):
        c.patch(f"{path}/{name}", {"priority": priority})
        _priorities(c, home)
    c.delete(f"{path}/a")
    _priorities(c, home)
    c.post(path, {"name": "h"}, show=["name", "priority"])


@case
def update(c):
    home = pool(c)
    path = f"/work_pools/{home['name']}/queues"
    made = c.post(path, {"name": "q"}, quiet=True)
    assert made is not None
    c.patch(f"{path}/q", {"description": "new", "is_paused": True, "concurrency_limit": 4, "name": "renamed"})
    c.get(f"{path}/q")
    c.get(f"{path}/renamed")
    c.patch(f"{path}/renamed", {"is_paused": False})
    c.get(f"{path}/renamed", show=["status", "is_paused"])
    c.patch(f"{path}/renamed", {})
    for body in ({"concurrency_limit": None}, {"concurrency_limit": -1}, {"priority": 0}, {"priority": None}, {"name": None}, {"name": "default"}, {"is_paused": None}, {"is_paused": "x"}, {"description": None}, {"last_polled": "2035-01-01T00:00:00Z"}, {"last_polled": "x"}, {"unknown": 1}, {"filter": None}, [], {"name": "a/b"}):
        c.patch(f"{path}/renamed", body)
        c.get(f"{path}/renamed", show=["name", "description", "priority", "concurrency_limit", "is_paused", "last_polled", "status"])
    c.patch(f"{path}/renamed")
    c.patch(f"{path}/absent", {"description": "x"})
    c.patch("/work_pools/absent/queues/q", {"description": "x"})


@case
def delete(c):
    home = pool(c)
    path = f"/work_pools/{home['name']}/queues"
    c.post(path, {"name": "q"}, quiet=True)
    made = deployment(c, flow(c)["id"], work_pool_name=home["name"], work_queue_name="q")
    c.delete(f"{path}/q")
    c.delete(f"{path}/q")
    c.get(f"{path}/q")
    c.get(f"/deployments/{made['id']}", show=["work_pool_name", "work_queue_name"])
    c.delete(f"{path}/default")
    c.get(f"{path}/default", show=["name"])
    c.delete("/work_pools/absent/queues/q")


@case
def lists(c):
    home = pool(c)
    path = f"/work_pools/{home['name']}/queues"
    for name in ("qa", "qb", "other"):
        c.post(path, {"name": name}, quiet=True)
    for body in (
        {}, {"work_queues": {"name": {"any_": ["qa", "default"]}}}, {"work_queues": {"name": {"startswith_": ["q"]}}}, {"work_queues": {"name": {"startswith_": "o"}}}, {"work_queues": {"name": {"any_": []}}}, {"work_queues": {"id": {"any_": [c.nil]}}}, {"work_queues": {"operator": "or_", "name": {"any_": ["qa"]}, "id": {"any_": []}}},
        {"limit": 2}, {"limit": 2, "offset": 3}, {"limit": 0}, {"limit": 201}, {"limit": -1}, {"offset": -1}, {"limit": "x"}, {"work_queues": {"id": {"any_": ["x"]}}}, {"work_queues": {"name": {"any_": 1}}}, {"work_queues": {"unknown": 1}}, {"work_queues": []},
    ):
        c.post(f"{path}/filter", body, show=["name", "priority"])
    c.post(f"{path}/filter")
    c.post(f"{path}/filter", [])


@case
def workers(c):
    home = pool(c)
    path = f"/work_pools/{home['name']}/workers"
    c.post(f"{path}/filter", {})
    c.post(f"{path}/heartbeat", {"name": "one"})
    c.post(f"{path}/heartbeat", {"name": "two", "heartbeat_interval_seconds": 45})
    c.post(f"{path}/heartbeat", {"name": "one", "heartbeat_interval_seconds": 20})
    c.post(f"{path}/filter", {}, sort_by="name")
    for body in (
        {"workers": {"status": {"any_": ["ONLINE"]}}}, {"workers": {"status": {"any_": ["OFFLINE"]}}}, {"workers": {"status": {"not_any_": ["ONLINE"]}}}, {"workers": {"status": {"any_": ["X"]}}}, {"workers": {"last_heartbeat_time": {"after_": "2020-01-01T00:00:00Z"}}}, {"workers": {"last_heartbeat_time": {"before_": "2020-01-01T00:00:00Z"}}},
        {"workers": {"last_heartbeat_time": {"after_": "x"}}}, {"workers": {"unknown": 1}}, {"workers": []}, {"limit": 1}, {"limit": 0}, {"limit": 201}, {"limit": -1}, {"offset": 5}, {"offset": -1},
    ):
        c.post(f"{path}/filter", body, show=lambda rows: len(rows))
    for body in ({}, {"name": 5}, {"name": None}, {"name": ""}, {"name": "a/b"}, {"name": "x", "heartbeat_interval_seconds": "x"}, {"name": "y", "heartbeat_interval_seconds": -1}, {"name": "z", "unknown": 1}, []):
        c.post(f"{path}/heartbeat", body)
    c.post(f"{path}/heartbeat")
    c.delete(f"{path}/one")
    c.delete(f"{path}/one")
    c.post(f"{path}/filter", {"limit": 100}, show="name", sort_by="name")
    c.post("/work_pools/absent/workers/heartbeat", {"name": "w"})
    c.post("/work_pools/absent/workers/filter", {})
    c.delete("/work_pools/absent/workers/w")


def _scheduled(c, home, parent):
    high = c.post(f"/work_pools/{home['name']}/queues", {"name": "high", "priority": 1}, quiet=True)
    assert high is not None
    low, fast = deployment(c, parent["id"], "low", work_pool_name=home["name"]), deployment(c, parent["id"], "fast", work_pool_name=home["name"], work_queue_name="high")
    runs = {}
    for name, made, when in (("late-low", low, "2021-01-01T00:00:00Z"), ("late-high", fast, "2021-01-02T00:00:00Z"), ("later-high", fast, "2021-01-03T00:00:00Z"), ("future", fast, "2035-01-01T00:00:00Z")):
        runs[name] = c.post(f"/deployments/{made['id']}/create_flow_run", {"name": name, "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": when}}}, quiet=True)
    return low, fast, runs


@case
def get_scheduled_flow_runs(c):
    home, parent = pool(c), flow(c)
    low, fast, runs = _scheduled(c, home, parent)
    path = f"/work_pools/{home['name']}/get_scheduled_flow_runs"
    names = lambda rows: [row["flow_run"]["name"] for row in rows]  # noqa: E731
    c.post(path, {}, show=names)
    c.post(path, {"limit": 1})
    c.post(path, {"scheduled_before": c.now()}, show=names)
    c.post(path, {"scheduled_before": "2021-01-01T12:00:00Z"}, show=names)
    c.post(path, {"scheduled_before": "2021-01-01T00:00:00Z"}, show=names)
    c.post(path, {"scheduled_after": "2021-01-01T12:00:00Z", "scheduled_before": c.now()}, show=names)
    c.post(path, {"work_queue_names": ["high"]}, show=names)
    c.post(path, {"work_queue_names": ["default", "high"], "scheduled_before": c.now()}, show=names)
    c.post(path, {"work_queue_names": ["absent"]}, show=names)
    c.post(path, {"work_queue_names": []}, show=names)
    c.post(path, {"limit": 2}, show=names)
    c.patch(f"/work_pools/{home['name']}/queues/high", {"concurrency_limit": 1})
    c.post(path, {}, show=names)
    c.patch(f"/work_pools/{home['name']}/queues/high", {"is_paused": True})
    c.post(path, {}, show=names)
    c.patch(f"/work_pools/{home['name']}/queues/high", {"is_paused": False, "concurrency_limit": None})
    c.patch(f"/work_pools/{home['name']}", {"concurrency_limit": 2})
    c.post(path, {}, show=names)
    c.post(f"/flow_runs/{runs['late-high']['id']}/set_state", {"state": {"type": "PENDING"}}, show=["status"])
    c.post(path, {}, show=names)
    c.post(f"/flow_runs/{runs['late-low']['id']}/set_state", {"state": {"type": "RUNNING"}}, show=["status"])
    c.post(path, {}, show=names)
    c.patch(f"/work_pools/{home['name']}", {"concurrency_limit": None, "is_paused": True})
    c.post(path, {}, show=names)
    c.patch(f"/work_pools/{home['name']}", {"is_paused": False})
    c.post(path, {}, show=names)
    for body in ({"limit": -1}, {"limit": 201}, {"limit": "x"}, {"scheduled_before": "x"}, {"scheduled_after": "x"}, {"work_queue_names": "x"}, {"work_queue_names": [1]}, []):
        c.post(path, body)
    c.post(path, show=names)
    c.post("/work_pools/absent/get_scheduled_flow_runs", {})
    c.until(lambda found: found["status"] == "READY", "GET", f"/work_pools/{home['name']}/queues/high")
    c.get(f"/work_pools/{home['name']}/queues/high", show=["status", "last_polled"])
    c.until(lambda found: found["status"] == "READY", "GET", f"/deployments/{low['id']}")
    c.get(f"/deployments/{low['id']}", show=["status"])
    assert fast is not None


@case
def concurrency_status(c):
    home, parent = pool(c, concurrency_limit=3), flow(c)
    _, _, runs = _scheduled(c, home, parent)
    path = f"/work_pools/{home['name']}/concurrency_status"
    c.post(path, {})
    c.post(f"/flow_runs/{runs['late-high']['id']}/set_state", {"state": {"type": "PENDING"}}, show=["status"])
    c.post(f"/flow_runs/{runs['late-low']['id']}/set_state", {"state": {"type": "RUNNING"}}, show=["status"])
    c.post(path, {})
    c.post(path)
    for body in ({"page": 1, "limit": 1}, {"page": 2, "limit": 1}, {"limit": 0}, {"limit": 201}, {"page": 0}, {"flow_run_limit": 1}, {"limit": "x"}, []):
        c.post(path, body)
    c.post("/work_pools/absent/concurrency_status", {})
    queue = c.get(f"/work_pools/{home['name']}/queues/high", show=["name"])
    c.post(f"/work_queues/{queue['id']}/concurrency_status", {}, show="status")
