"""Cases: automations as a whole; create to delete, lists, ownership. Triggers and actions have files of their own."""

from harness.registry import case


def _body(c, base="automation", **fields):
    return {
        "name": c.name(base), "trigger": {"type": "event", "posture": "Reactive", "expect": ["thing.happened"], "match": {"prefect.resource.id": f"thing.{c.token}"}, "threshold": 1, "within": 0},
        "actions": [{"type": "do-nothing"}], **fields,
    }


@case
def create_and_read(c):
    made = c.post("/automations/", _body(c))
    c.get(f"/automations/{made['id']}")
    c.post("/automations/", _body(c, "full", description="d", enabled=False, tags=["t"], actions_on_trigger=[{"type": "do-nothing"}], actions_on_resolve=[{"type": "send-notification", "block_document_id": c.nil, "subject": "s", "body": "b {{ event.id }}"}]))
    c.get(f"/automations/{c.nil}")
    c.get("/automations/abc")
    compound = {"type": "compound", "require": "all", "within": 60, "triggers": [_body(c)["trigger"], {"type": "sequence", "within": 30, "triggers": [_body(c)["trigger"], _body(c)["trigger"]]}]}
    c.post("/automations/", _body(c, "compound", trigger=compound))
    c.post("/automations/", _body(c, "proactive", trigger={"type": "event", "posture": "Proactive", "expect": ["x"], "within": 30, "threshold": 2, "for_each": ["prefect.resource.id"], "after": ["y"]}))
    for body in (
        {}, {"name": "x"}, _body(c, name=None), _body(c, trigger=None), _body(c, trigger={}), _body(c, trigger={"type": "event"}), _body(c, trigger={"type": "nope"}), _body(c, actions=None), _body(c, actions=[]), _body(c, actions=[{"type": "nope"}]), _body(c, actions=[{}]), _body(c, actions=[{"type": "run-deployment"}]),
        _body(c, actions=[{"type": "run-deployment", "source": "selected"}]), _body(c, actions=[{"type": "call-webhook"}]), _body(c, trigger={"type": "event", "posture": "Proactive", "within": 1}), _body(c, trigger={"type": "event", "posture": "Reactive", "threshold": "x"}), _body(c, enabled="x"), _body(c, unknown=1), [],
    ):
        c.post("/automations/", body, brief=True)


@case
def update_and_delete(c):
    made = c.post("/automations/", _body(c), quiet=True)
    path = f"/automations/{made['id']}"
    c.patch(path, {"enabled": False})
    c.get(path, show=["enabled", "name"])
    c.put(path, _body(c, "replaced", description="new"))
    c.get(path)
    for body in ({}, {"name": "x"}, {"enabled": "x"}, []):
        c.patch(path, body, brief=True)
        c.put(path, body, brief=True)
    c.delete(path)
    c.delete(path)
    c.get(path)
    c.patch(f"/automations/{c.nil}", {"enabled": True})
    c.put(f"/automations/{c.nil}", _body(c))


@case
def lists_and_ownership(c):
    owner = f"prefect.deployment.{c.token}"
    for base in ("aa", "bb"):
        c.post("/automations/", _body(c, base, owner_resource=owner, tags=[base]), quiet=True)
    names = {"any_": [c.name("aa"), c.name("bb")]}
    for body in ({"automations": {"name": names}}, {"automations": {"name": names, "tags": {"all_": ["aa"]}}}, {"automations": {"name": names}, "sort": "NAME_DESC"}, {"automations": {"name": names}, "limit": 1, "sort": "NAME_ASC"}):
        c.post("/automations/filter", body, show="name", sort_by=None if "sort" in body else "name")
    for body in ({"sort": "x"}, {"limit": 201}, {"offset": -1}, {"automations": {"name": 5}}, {"automations": []}):
        c.post("/automations/filter", body, brief=True)
    c.get(f"/automations/related-to/{owner}", show="name", sort_by="name")
    c.delete(f"/automations/owned-by/{owner}")
    c.get(f"/automations/related-to/{owner}")
    for template in ("plain", "{{ event.id }}", "{{ bad", "{% if %}"):
        c.post("/templates/validate", template)
        c.post("/automations/templates/validate", template)
