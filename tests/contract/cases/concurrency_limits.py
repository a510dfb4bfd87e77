"""Cases: tag concurrency limits of version 1, an adapter over the global ones."""

from cases.support import flow, flow_run, task_run
from harness.registry import case


@case
def life(c):
    tag = c.name("tag")
    made = c.post("/concurrency_limits/", {"tag": tag, "concurrency_limit": 2})
    c.post("/concurrency_limits/", {"tag": tag, "concurrency_limit": 3})
    c.get(f"/concurrency_limits/{made['id']}")
    c.get(f"/concurrency_limits/tag/{tag}")
    c.get(f"/v2/concurrency_limits/tag:{tag}", show=["name", "limit", "active_slots"])
    c.post("/concurrency_limits/filter", {}, own=True)
    c.post("/concurrency_limits/filter", {"limit": 201})
    c.post("/concurrency_limits/filter", {"offset": -1})
    for body in ({}, {"tag": tag}, {"concurrency_limit": 1}, {"tag": 5, "concurrency_limit": 1}, {"tag": tag, "concurrency_limit": "x"}, {"tag": tag, "concurrency_limit": -1}, {"tag": tag, "concurrency_limit": 1, "unknown": 1}, []):
        c.post("/concurrency_limits/", body, brief=True)
    c.delete(f"/concurrency_limits/{made['id']}")
    c.delete(f"/concurrency_limits/{made['id']}")
    c.get(f"/concurrency_limits/{made['id']}")
    c.post("/concurrency_limits/", {"tag": tag, "concurrency_limit": 1}, show=["tag", "concurrency_limit"])
    c.delete(f"/concurrency_limits/tag/{tag}")
    c.delete(f"/concurrency_limits/tag/{tag}")
    c.get(f"/concurrency_limits/tag/{tag}")
    c.get(f"/concurrency_limits/{c.nil}")
    c.get("/concurrency_limits/abc")


@case
def slots(c):
    tag, zero = c.name("tag"), c.name("zero")
    c.post("/concurrency_limits/", {"tag": tag, "concurrency_limit": 1}, quiet=True)
    c.post("/concurrency_limits/", {"tag": zero, "concurrency_limit": 0}, quiet=True)
    parent = flow_run(c, flow(c)["id"], "parent", "RUNNING")
    one, two = (task_run(c, parent["id"], "t", str(index), "PENDING", tags=[tag]) for index in range(2))
    path = "/concurrency_limits"
    c.post(f"{path}/increment", {"names": [tag], "task_run_id": one["id"]})
    c.get(f"{path}/tag/{tag}", show=["active_slots", "concurrency_limit"])
    c.post(f"{path}/increment", {"names": [tag], "task_run_id": two["id"]})
    c.post(f"{path}/increment", {"names": [zero], "task_run_id": two["id"]})
    c.post(f"{path}/decrement", {"names": [tag], "task_run_id": one["id"]})
    c.get(f"{path}/tag/{tag}", show=["active_slots"])
    c.post(f"{path}/increment", {"names": ["absent"], "task_run_id": one["id"]})
    c.post(f"{path}/tag/{tag}/reset", {"slot_override": [one["id"]]})
    c.get(f"{path}/tag/{tag}", show=["active_slots"])
    c.post(f"{path}/tag/{tag}/reset", {})
    c.post(f"{path}/tag/{tag}/reset")
    c.post(f"{path}/tag/absent/reset", {})
    c.post(f"{path}/tag/{tag}/reset", {"slot_override": ["x"]})
    for verb in ("increment", "decrement"):
        for body in ({}, {"names": [tag]}, {"task_run_id": one["id"]}, {"names": "x", "task_run_id": one["id"]}, {"names": [tag], "task_run_id": "x"}, []):
            c.post(f"{path}/{verb}", body, brief=True)


@case
def many_tags(c):
    small, wide, off = c.name("small"), c.name("wide"), c.name("off")
    for tag, size in ((wide, 2), (small, 1), (off, 1)):
        c.post("/concurrency_limits/", {"tag": tag, "concurrency_limit": size}, quiet=True)
    c.patch(f"/v2/concurrency_limits/tag:{off}", {"active": False}, quiet=True)
    parent = flow_run(c, flow(c)["id"], "parent", "RUNNING")
    one, two = (task_run(c, parent["id"], "t", str(index), "PENDING") for index in range(2))
    path = "/concurrency_limits"
    c.post(f"{path}/increment", {"names": [wide, off, "absent", small], "task_run_id": one["id"]})
    c.post(f"{path}/increment", {"names": [small, wide], "task_run_id": two["id"]}, show="status")
    c.get(f"{path}/tag/{wide}", show=["active_slots"])
    c.post(f"{path}/increment", {"names": [wide], "task_run_id": two["id"]}, show=["name", "limit"])
    c.get(f"{path}/tag/{wide}", show=lambda body: len(body["active_slots"]))
    c.get(f"/v2/concurrency_limits/tag:{wide}", show=["active_slots"])
    c.post(f"{path}/decrement", {"names": [small], "task_run_id": one["id"]}, show=["name", "limit"])
    # One lease held both slots, and went as a whole.
    c.get(f"{path}/tag/{wide}", show=lambda body: len(body["active_slots"]))
    c.post(f"{path}/decrement", {"names": [wide, off, "absent"], "task_run_id": one["id"]}, sort_by="name")
    c.post(f"{path}/increment", {"names": [], "task_run_id": one["id"]})
    c.post(f"{path}/decrement", {"names": [], "task_run_id": one["id"]})


@case
def of_global_limits(c):
    name = c.name("global")
    made = c.post("/v2/concurrency_limits/", {"name": name, "limit": 3}, quiet=True)
    c.get(f"/concurrency_limits/{made['id']}")
    c.get(f"/concurrency_limits/tag/{name}")
    c.post("/concurrency_limits/filter", {}, own=True)
    c.delete(f"/concurrency_limits/{made['id']}")
    c.get(f"/v2/concurrency_limits/{name}")
    tagged = c.name("tagged")
    c.post("/v2/concurrency_limits/", {"name": f"tag:{tagged}", "limit": 4}, quiet=True)
    c.get(f"/concurrency_limits/tag/{tagged}", show=["tag", "concurrency_limit", "active_slots"])
