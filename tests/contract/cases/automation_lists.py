"""Cases: lists, counts and filters of automations; those that belong to a resource, and those that only speak of one."""

from cases.support import deployment, flow
from harness.registry import case

TRIGGER = {"type": "event", "posture": "Reactive", "expect": ["x"]}


def _make(c, base, **fields):
    return c.post("/automations/", {"name": c.name(base), "trigger": TRIGGER, "actions": [{"type": "do-nothing"}], "enabled": False, **fields}, quiet=True)


def _four(c):
    made = {base: _make(c, base, tags=tags) for base, tags in (("bb", ["x", "y"]), ("aa", ["x"]), ("dd", []), ("cc", ["y", "z"]))}
    c.patch(f"/automations/{made['aa']['id']}", {"enabled": True}, quiet=True)
    return made


@case
def filters(c):
    made = _four(c)
    names = {"any_": [c.name(base) for base in made]}
    for more in (
        {}, {"id": {"any_": [made["aa"]["id"], made["cc"]["id"]]}}, {"id": {"any_": []}}, {"id": {}}, {"id": None}, {"name": {"any_": [c.name("bb"), "absent"]}}, {"name": {"any_": []}}, {"name": {"any_": [c.name("BB")]}}, {"tags": {"all_": ["x"]}}, {"tags": {"all_": ["x", "y"]}}, {"tags": {"all_": []}}, {"tags": {"any_": ["x", "z"]}},
        {"tags": {"any_": []}}, {"tags": {"is_null_": True}}, {"tags": {"is_null_": False}}, {"tags": {"all_": ["x"], "any_": ["y"]}}, {"tags": {"all_": ["x"], "any_": ["z"], "operator": "or_"}}, {"created": {"before_": c.now(hours=1)}}, {"created": {"before_": c.now(hours=-1)}}, {"created": {}},
    ):
        body = {"automations": {"name": names, **more}}
        c.post("/automations/filter", body, show="name", own=True)
        c.post("/automations/count", body)
    either = {"operator": "or_", "name": {"any_": [c.name("dd")]}, "id": {"any_": [made["aa"]["id"]]}}
    c.post("/automations/filter", {"automations": either}, show="name")
    c.post("/automations/count", {"automations": either})
    for body in (
        {"automations": 5}, {"automations": []}, {"automations": {"id": {"any_": ["x"]}}}, {"automations": {"id": {"any_": "x"}}}, {"automations": {"id": 5}}, {"automations": {"name": {"any_": [5]}}}, {"automations": {"name": {"like_": "x"}}}, {"automations": {"tags": {"all_": "x"}}}, {"automations": {"tags": {"is_null_": "x"}}},
        {"automations": {"created": {"before_": "x"}}}, {"automations": {"created": {"after_": c.now()}}}, {"automations": {"operator": "xor_"}}, {"automations": {"unknown": 1}}, {"unknown": 1, "automations": {"name": {"any_": []}}}, [], 5, "x",
    ):
        c.post("/automations/filter", body, show="name")
        c.post("/automations/count", body)


@case
def orders_and_pages(c):
    made = _four(c)
    filtered = {"automations": {"name": {"any_": [c.name(base) for base in made]}}}
    for sort in ("CREATED_DESC", "UPDATED_DESC", "NAME_ASC", "NAME_DESC"):
        c.post("/automations/filter", {**filtered, "sort": sort}, show="name")
    for page in ({"limit": 2}, {"limit": 2, "offset": 2}, {"limit": 2, "offset": 3}, {"offset": 9}, {"limit": 0}, {"limit": 200}, {"limit": None}, {"offset": None}):
        c.post("/automations/filter", {**filtered, **page}, show="name")
    for page in ({"limit": 201}, {"limit": -1}, {"limit": "x"}, {"limit": 1.5}, {"offset": -1}, {"offset": "x"}, {"sort": "x"}, {"sort": None}, {"sort": "name_asc"}, {"sort": "CREATED_ASC"}, {"sort": 5}):
        c.post("/automations/filter", {**filtered, **page}, show="name")
    c.post("/automations/count", show="status")
    c.post("/automations/count", None, show="status")
    c.post("/automations/count", {}, show="status")
    c.post("/automations/filter", show="status")
    c.post("/automations/filter", {}, show="status")


@case
def belonging(c):
    owner = f"thing.{c.token}"
    d = deployment(c, flow(c)["id"])
    other = deployment(c, flow(c)["id"], "other")
    runs = [{"type": "run-deployment", "deployment_id": d["id"]}]
    resource = f"prefect.deployment.{d['id']}"
    for base, fields in (("owned", {"owner_resource": owner}), ("both", {"owner_resource": owner, "actions": runs}), ("speaks", {"actions": runs}), ("owned-by-deployment", {"owner_resource": resource}), ("pauses", {"actions": [{"type": "pause-deployment", "deployment_id": d["id"]}]}), ("on-trigger", {"actions_on_trigger": runs})):
        _make(c, base, **fields)
    changing = _make(c, "changing", actions=[{"type": "run-deployment", "deployment_id": other["id"]}])
    for asked in (owner, resource, f"prefect.deployment.{other['id']}", "absent"):
        c.get(f"/automations/related-to/{asked}", show="name", sort_by="name")
    c.put(f"/automations/{changing['id']}", {"name": c.name("changed"), "trigger": TRIGGER, "actions": runs}, quiet=True)
    for asked in (resource, f"prefect.deployment.{other['id']}"):
        c.get(f"/automations/related-to/{asked}", show="name", sort_by="name")
    c.delete(f"/automations/owned-by/{resource}")
    c.get(f"/automations/related-to/{resource}", show="name", sort_by="name")
    c.delete(f"/automations/owned-by/{owner}")
    c.delete(f"/automations/owned-by/{owner}")
    c.get(f"/automations/related-to/{owner}", show="name", sort_by="name")
    c.get(f"/automations/related-to/{resource}", show="name", sort_by="name")
    c.delete(f"/deployments/{d['id']}", show="status")
    c.get(f"/automations/related-to/{resource}", show="name", sort_by="name")
    c.delete("/automations/owned-by/absent")
    c.get("/automations/related-to/a%2Fb")
    c.get("/automations/related-to/")


@case
def lifecycle_events(c):
    """An automation that is made, changed or taken away says so itself."""
    made = _make(c, "spoken", tags=["t"])
    path = f"/automations/{made['id']}"
    c.patch(path, {"enabled": True}, quiet=True)
    c.delete(path, quiet=True)
    asked = {"filter": {"any_resource": {"id": [f"prefect.automation.{made['id']}"]}, "event": {"name": ["prefect.automation.created", "prefect.automation.updated", "prefect.automation.deleted"]}, "order": "ASC"}}
    c.until(lambda answer: answer["total"] == 3, "POST", "/events/filter", asked)
    c.post("/events/filter", asked)
