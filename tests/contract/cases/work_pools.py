"""Cases: work pools; create, reserved names, templates, status, update, delete, lists."""

from cases.support import deployment, flow, pool
from harness.registry import case

TEMPLATE = {"job_configuration": {"command": "{{ command }}", "env": "{{ env }}"}, "variables": {"type": "object", "properties": {"command": {"type": "string"}, "env": {"type": "object", "default": {}}}}}


@case
def create(c):
    made = c.post("/work_pools/", {"name": c.name("pool")})
    c.get(f"/work_pools/{made['name']}")
    c.get(f"/work_pools/{made['name']}/queues/default")
    c.post("/work_pools/", {"name": c.name("pool")})
    c.post("/work_pools/", {"name": c.name("full"), "type": "docker", "description": "d", "base_job_template": TEMPLATE, "is_paused": True, "concurrency_limit": 5, "storage_configuration": {"bundle_upload_step": {"a": 1}, "bundle_execution_step": {"b": 1}}})
    c.get(f"/work_pools/{c.name('full')}")
    c.post("/work_pools/", {"name": c.name("agent"), "type": "prefect-agent"})
    c.post("/work_pools/", {"name": c.name("zero"), "type": "process", "concurrency_limit": 0}, show=["concurrency_limit", "status"])
    c.get("/work_pools/absent")


@case
def names(c):
    for name in ("prefect-x", "Prefect", "PREFECT pool", "prefectx", "my-prefect"):
        c.post("/work_pools/", {"name": name if name != "my-prefect" else c.name(name), "type": "process"}, show=["type"])
    for name in ("", "a/b", "a%b", "a&b", "a<b", "a>b", None, 5):
        c.post("/work_pools/", {"name": name, "type": "process"}, show="status")
    spaced = c.post("/work_pools/", {"name": f"has space ü {c.token}", "type": "process"}, show=["name"])
    assert spaced is not None
    c.get(f"/work_pools/has space ü {c.token}", show=["name"])


@case
def create_errors(c):
    good = {"name": c.name("pool"), "type": "process"}
    for body in (
        {}, {**good, "type": None}, {**good, "type": 5}, {**good, "description": 5}, {**good, "is_paused": "x"}, {**good, "concurrency_limit": -1}, {**good, "concurrency_limit": "x"}, {**good, "base_job_template": []}, {**good, "base_job_template": None}, {**good, "base_job_template": {"job_configuration": {}}},
        {**good, "base_job_template": {"variables": {}}}, {**good, "base_job_template": {"job_configuration": {"a": "{{ missing }}"}, "variables": {"type": "object", "properties": {}}}}, {**good, "base_job_template": {"job_configuration": {}, "variables": {"type": "nope"}}},
        {**good, "base_job_template": {"job_configuration": {"a": "{{ a }}"}, "variables": {"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}}}, {**good, "base_job_template": {"job_configuration": {"a": "{{ a }}"}, "variables": {"type": "object", "properties": {"a": {"type": "object", "default": {"$ref": {"block_document_id": c.nil}}}}}}},
        {**good, "base_job_template": {"job_configuration": {"a": "{{ a }} {{ b }}"}, "variables": {"properties": {"a": {}}}}}, {**good, "storage_configuration": 5}, {**good, "storage_configuration": {"unknown": 1}}, {**good, "unknown": 1}, {**good, "default_queue_id": c.nil}, [],
    ):
        c.post("/work_pools/", body, show="status")
        c.delete(f"/work_pools/{c.name('pool')}")
    c.post("/work_pools/")


@case
def update(c):
    made = pool(c)
    path = f"/work_pools/{made['name']}"
    c.patch(path, {"description": "new", "concurrency_limit": 3, "is_paused": True, "base_job_template": TEMPLATE})
    c.get(path)
    c.patch(path, {"is_paused": False})
    c.get(path, show=["is_paused", "status"])
    c.patch(path, {})
    for body in (
        {"concurrency_limit": None}, {"concurrency_limit": -1}, {"concurrency_limit": "x"}, {"description": None}, {"is_paused": None}, {"is_paused": "x"}, {"base_job_template": None}, {"base_job_template": {}}, {"base_job_template": {"job_configuration": {"a": "{{ missing }}"}, "variables": {"properties": {}}}},
        {"base_job_template": {"job_configuration": {}}}, {"name": "x"}, {"type": "docker"}, {"storage_configuration": {"bundle_upload_step": {"a": 1}}}, {"storage_configuration": {}}, {"storage_configuration": None}, {"unknown": 1}, {"default_queue_id": c.nil}, {"default_queue_id": "x"}, [],
    ):
        c.patch(path, body)
        c.get(path, show=["description", "concurrency_limit", "is_paused", "base_job_template", "storage_configuration", "status", "type"])
    c.patch(path)
    c.patch("/work_pools/absent", {"description": "x"})
    c.patch("/work_pools/prefect-managed", {"description": "x"})
    c.patch("/work_pools/prefect-managed", {"is_paused": True})


@case
def delete(c):
    made = pool(c)
    queue = c.post(f"/work_pools/{made['name']}/queues", {"name": "q"}, quiet=True)
    with_pool = deployment(c, flow(c)["id"], work_pool_name=made["name"])
    c.post(f"/work_pools/{made['name']}/workers/heartbeat", {"name": "w"}, quiet=True)
    c.delete(f"/work_pools/{made['name']}")
    c.delete(f"/work_pools/{made['name']}")
    c.get(f"/work_pools/{made['name']}")
    c.get(f"/work_queues/{queue['id']}")
    c.get(f"/deployments/{with_pool['id']}", show=["work_pool_name", "work_queue_name", "work_queue_id", "status"])
    c.delete("/work_pools/absent")
    c.delete("/work_pools/prefect-managed")


@case
def lists(c):
    for name, kind in (("aa", "process"), ("bb", "docker"), ("cc", "process")):
        pool(c, name, type=kind)
    every = {"any_": [c.name(name) for name in ("aa", "bb", "cc")]}
    ids = [row["id"] for row in c.send("POST", "/work_pools/filter", {"work_pools": {"name": every}}, quiet=True)]

    def found(**pools):
        c.post("/work_pools/filter", {"work_pools": {"name": every, **pools}}, show="name")
        c.post("/work_pools/count", {"work_pools": {"name": every, **pools}})

    found()
    found(id={"any_": ids[:1]})
    found(id={"any_": []})
    found(type={"any_": ["docker"]})
    found(type={"any_": []})
    found(name={"any_": every["any_"][1:]})
    found(name={"any_": []})
    found(operator="or_", type={"any_": ["docker"]}, name={"any_": every["any_"][:1]}, id={"any_": []})
    for body in ({"limit": 1}, {"limit": 1, "offset": 2}, {"limit": 0}, {"limit": 201}, {"limit": -1}, {"limit": "x"}, {"offset": -1}, {"sort": "x"}):
        c.post("/work_pools/filter", {"work_pools": {"name": every}, **body}, show="name")
    for pools in ({"id": {"any_": ["x"]}}, {"name": {"any_": 1}}, {"type": {"any_": [1]}}, {"unknown": 1}, [], {"operator": "x"}):
        c.post("/work_pools/filter", {"work_pools": pools}, show="status")
    c.post("/work_pools/filter", {"work_pools": {"name": {"any_": every["any_"][:1]}}})
    c.post("/work_pools/count", {"work_pools": {"id": {"any_": ["x"]}}})


@case
def status_follows_workers_and_pause(c):
    made = pool(c)
    path = f"/work_pools/{made['name']}"
    c.get(path, show=["status", "is_paused"])
    c.post(f"{path}/workers/heartbeat", {"name": "w"})
    c.get(path, show=["status", "is_paused"])
    c.patch(path, {"is_paused": True})
    c.get(path, show=["status", "is_paused"])
    c.patch(path, {"is_paused": False})
    c.get(path, show=["status", "is_paused"])
    c.delete(f"{path}/workers/w")
    c.get(path, show=["status", "is_paused"])
