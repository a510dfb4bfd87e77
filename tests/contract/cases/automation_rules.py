"""Cases: what an automation may not be although each of its parts may: loops, job variables that do not fit; and changes."""

from cases.support import deployment, flow, pool
from harness.registry import case

RUNS = "prefect.flow-run."


def _body(c, base="automation", trigger=None, **fields):
    return {
        "name": c.name(base), "trigger": {"type": "event", "posture": "Reactive", "expect": [f"{RUNS}Failed"], **(trigger or {})}, "actions": [{"type": "do-nothing"}], **fields,
    }


def _runs(deployment_id=None):
    return [{"type": "run-deployment", "source": "selected", "deployment_id": str(deployment_id)} if deployment_id else {"type": "run-deployment", "source": "inferred"}]


@case
def loops(c):
    """A deployment that runs because a run was made would run for ever."""
    target = "0e5be0a6-3a07-4f0c-9d3c-5f2a7a1f1c11"
    kind = {"prefect.resource.id": "prefect.flow-run.*"}
    narrow = {"prefect.resource.role": "flow", "prefect.resource.id": "prefect.flow.1"}
    for actions in (_runs(), _runs(target)):
        for trigger in (
            {"expect": [f"{RUNS}Scheduled"]}, {"expect": [f"{RUNS}Pending"]}, {"expect": [f"{RUNS}Running"]}, {"expect": [f"{RUNS}*"]}, {"expect": [f"{RUNS}Completed"]}, {"expect": ["prefect.*"]}, {"expect": []}, {"expect": [f"{RUNS}Failed", f"{RUNS}Running"]},
            {"expect": [f"{RUNS}Running"], "match": kind}, {"expect": [f"{RUNS}Running"], "match": {"prefect.resource.id": ["prefect.flow-run.*", "x"]}}, {"expect": [f"{RUNS}Running"], "match": {**kind, "k": "v"}}, {"expect": [f"{RUNS}Running"], "match": {"prefect.resource.id": "prefect.flow-run.1"}},
            {"expect": [f"{RUNS}Running"], "match": kind, "match_related": narrow}, {"expect": [f"{RUNS}Running"], "match": kind, "match_related": [narrow]}, {"expect": [f"{RUNS}Running"], "match": kind, "match_related": [narrow, {}]}, {"expect": [f"{RUNS}Running"], "posture": "Proactive", "within": 60},
            {"expect": ["x"], "after": [f"{RUNS}Running"]},
        ):
            made = c.post("/automations/", _body(c, "loop", trigger, actions=actions), show="name")
            # Left alone, it would run what other cases make.
            if made["id"] != c.nil:
                c.delete(f"/automations/{made['id']}", quiet=True)
    looping = {"expect": [f"{RUNS}Running"]}
    on_trigger = c.post("/automations/", _body(c, "on-trigger", looping, actions_on_trigger=_runs()), show="name")
    nested = c.post("/automations/", _body(c, "nested", {"type": "sequence", "within": 5, "triggers": [_body(c, trigger=looping)["trigger"]]}, actions=_runs()), show="name")
    for made in (on_trigger, nested):
        c.delete(f"/automations/{made['id']}", quiet=True)
    made = c.post("/automations/", _body(c, "asleep", looping, actions=_runs(), enabled=False), show="enabled")
    path = f"/automations/{made['id']}"
    c.patch(path, {"enabled": True})
    c.patch(path, {"enabled": False})
    c.put(path, _body(c, "asleep", looping, actions=_runs()))
    c.put(path, _body(c, "asleep", looping, actions=_runs(), enabled=False))
    c.get(path, show=["name", "enabled"])


@case
def job_variables(c):
    template = {"job_configuration": {"image": "{{ image }}"}, "variables": {"type": "object", "properties": {"image": {"type": "string"}, "cpu": {"type": "integer"}}, "required": ["image"]}}
    p = pool(c, base_job_template=template)
    d = deployment(c, flow(c)["id"], work_pool_name=p["name"], job_variables={"image": "a"})
    bare = deployment(c, flow(c)["id"], "bare")
    for variables in (None, {}, {"image": "b"}, {"image": 5}, {"cpu": 2}, {"cpu": "x"}, {"other": 1}):
        body = _body(c, "variables", actions=[{**_runs(d["id"])[0], "job_variables": variables}])
        made = c.post("/automations/", body, show="actions")
        c.put(f"/automations/{made['id']}", body)
    for target in (bare["id"], c.nil):
        made = c.post("/automations/", _body(c, "absent", actions=[{**_runs(target)[0], "job_variables": {"image": 5}}]), show="actions")
        c.put(f"/automations/{made['id']}", _body(c, "absent", actions=[{**_runs(target)[0], "job_variables": {}}]))
    two = [{**_runs(d["id"])[0], "job_variables": {"image": 5}}, {**_runs(d["id"])[0], "job_variables": {"cpu": "x"}}]
    c.post("/automations/", _body(c, "two", actions=two))


@case
def fields(c):
    for field, values in {
        "name": ("x", "", "a/b", None, 5, "é 😀", "n" * 300), "description": ("d", "", None, 5), "enabled": (True, False, "true", "no", 1, 0, 2, None), "tags": ([], ["a", "a"], None, "x", [5], {}), "owner_resource": ("x", "", None, 5), "id": ("0e5be0a6-3a07-4f0c-9d3c-5f2a7a1f1c11",), "created": ("2020-01-01T00:00:00Z",), "account": ("x",),
    }.items():
        for value in values:
            made = c.post("/automations/", {**_body(c, field), field: value}, show=[field, "enabled"])
            c.delete(f"/automations/{made['id']}", quiet=made["id"] == c.nil)
    for body in (None, 5, "x", [], [_body(c)]):
        c.post("/automations/", body)
    c.post("/automations/")
    c.post("/automations/", raw="{", headers={"content-type": "application/json"})


@case
def put_and_patch(c):
    made = c.post("/automations/", _body(c, description="d", tags=["t"], owner_resource=f"thing.{c.token}", actions_on_trigger=[{"type": "do-nothing"}]), quiet=True)
    path = f"/automations/{made['id']}"
    c.put(path, _body(c, "new"))
    c.get(path)
    c.put(path, _body(c, "new", {"id": made["trigger"]["id"]}, enabled=False, description="x"))
    c.get(path)
    c.put(path, {**_body(c), "owner_resource": "x"})
    c.put(path, {**_body(c), "trigger": None})
    for body in ({"enabled": True}, {"enabled": None}, {"enabled": "yes"}, {"enabled": 2}, {}, {"enabled": False, "name": "x"}, {"tags": ["x"]}, None, "x", []):
        c.patch(path, body)
        c.get(path, show=["enabled", "name", "tags", "description"])
    c.put("/automations/abc", _body(c))
    c.patch("/automations/abc", {"enabled": True})
    c.delete("/automations/abc")
    c.delete(f"/automations/{c.nil}")
    c.get(f"/automations/{c.nil.replace('-', '')}")
    c.get(f"/automations/{str(made['id']).upper()}", show="name")
    c.get(path.rstrip("/") + "/", show="name")
