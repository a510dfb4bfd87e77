"""Cases: events over HTTP; batches in, every filter, pages, counts, and the events the server makes itself."""

import uuid

from cases.support import deployment, flow, flow_run, pool
from harness.registry import case


def _id(c, index):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{c.token}-{index}"))


def _event(c, index, name="thing.happened", resource=None, related=(), payload=None, minutes=60, **more):
    return {
        "id": _id(c, index), "occurred": c.now(minutes=-minutes + index), "event": name, "resource": {"prefect.resource.id": f"thing.{c.token}.{index}", **(resource or {})},
        "related": list(related), "payload": payload or {}, **more,
    }


def _related(c, identity, role, **labels):
    return {"prefect.resource.id": f"{identity}.{c.token}", "prefect.resource.role": role, **labels}


def _own(c, **more):
    return {"filter": {"any_resource": {"id_prefix": [f"thing.{c.token}"]}, **more}}


def _send(c, events):
    """Post and wait: the events are stored a little later."""
    c.post("/events", events, quiet=True)
    c.until(lambda answer: answer["total"] == len(events), "POST", "/events/filter", _own(c))


def _some(c):
    events = [
        _event(c, 0, "alpha.one", {"prefect.resource.name": "zero", "kind": "a"}, [_related(c, "flow", "flow", colour="red"), _related(c, "tag", "tag")], {"n": 1, "text": "needle"}),
        _event(c, 1, "alpha.two", {"kind": "b"}, [_related(c, "flow", "creator")]),
        _event(c, 2, "beta.one", {"kind": "a", "extra": "x"}),
        _event(c, 3, "beta.two.deep", follows=_id(c, 2)),
        _event(c, 4, "alpha.one", {"kind": "c"}, [_related(c, "pool", "work-pool", colour="blue")]),
    ]
    _send(c, events)
    return events


def _names(body):
    return [event["event"] for event in body["events"]] + [body["total"]]


@case
def create_and_read(c):
    c.post("/events", [_event(c, 0, payload={"a": [1, 2.0, None]}, related=[_related(c, "flow", "flow")])])
    c.until(lambda answer: answer["total"] == 1, "POST", "/events/filter", _own(c))
    c.post("/events/filter", _own(c))
    c.post("/events", [_event(c, 0, name="same id again")])
    c.post("/events", [])
    c.post("/events/filter", _own(c), show=_names)


@case
def create_errors(c):
    good = _event(c, 9)
    for row in (
        {}, 5, None, {**good, "id": "x"}, {**good, "id": None}, {**good, "occurred": "x"}, {**good, "occurred": None}, {**good, "event": None}, {**good, "event": 5}, {**good, "resource": {}}, {**good, "resource": None}, {**good, "resource": {"prefect.resource.id": ""}}, {**good, "resource": {"prefect.resource.id": 5}}, {**good, "resource": {"prefect.resource.id": "x", "n": 5}},
        {**good, "resource": {"name": "x"}}, {**good, "related": {}}, {**good, "related": [{}]}, {**good, "related": [{"prefect.resource.id": "x"}]}, {**good, "related": [{"prefect.resource.role": "x"}]}, {**good, "related": [{"prefect.resource.id": "x", "prefect.resource.role": ""}]}, {**good, "payload": []}, {**good, "payload": None}, {**good, "follows": "x"},
        {**good, "resource": {"prefect.resource.id": "x", **{f"l{index}": "v" for index in range(500)}}}, {**good, "related": [{"prefect.resource.id": "x", "prefect.resource.role": "y"}] * 101}, {**good, "event": "e" * 1025}, {key: value for key, value in good.items() if key != "id"}, {key: value for key, value in good.items() if key != "occurred"},
    ):
        c.post("/events", [row], show="status")
        body = c.steps[-1].get("body")
        if isinstance(body, dict):
            body.pop("request_body", None)
            for detail in body.get("exception_detail", []):
                detail.pop("input", None)
    for body in ({}, good, "x", None):
        c.post("/events", body, show="status")
        if isinstance(c.steps[-1].get("body"), dict):
            c.steps[-1]["body"].pop("request_body", None)
    c.post("/events")


@case
def filters(c):
    events = _some(c)

    def found(**more):
        c.post("/events/filter", _own(c, **more), show=_names)

    found()
    found(order="ASC")
    found(order="DESC")
    found(event={"name": ["alpha.one"]})
    found(event={"prefix": ["alpha."]})
    found(event={"prefix": ["beta", "alpha.two"]})
    found(event={"exclude_name": ["alpha.one"]})
    found(event={"exclude_prefix": ["beta."]})
    found(event={"prefix": ["alpha"], "exclude_name": ["alpha.two"]})
    found(event={"name": []})
    found(event={})
    found(id={"id": [events[0]["id"], events[3]["id"]]})
    found(id={"id": []})
    found(occurred={"since": events[2]["occurred"]})
    found(occurred={"until": events[2]["occurred"]})
    found(occurred={"since": events[1]["occurred"], "until": events[3]["occurred"]})
    found(occurred={"since": c.now(minutes=-1)})
    found(resource={"id": [f"thing.{c.token}.1"]})
    found(resource={"id_prefix": [f"thing.{c.token}.2", f"thing.{c.token}.3"]})
    found(resource={"labels": {"kind": "a"}})
    found(resource={"labels": {"kind": ["a", "b"]}})
    found(resource={"labels": {"kind": "a", "extra": "x"}})
    found(resource={"labels": {"kind": "!a"}})
    found(resource={"labels": {"prefect.resource.name": "ze*"}})
    found(resource={"labels": {"kind": "*"}})
    found(resource={"distinct": True})
    found(related={"role": ["flow"]})
    found(related={"id": [f"flow.{c.token}"]})
    found(related={"id": [f"flow.{c.token}"], "role": ["creator"]})
    found(related={"labels": {"colour": "red"}})
    found(related={"resources_in_roles": [[f"flow.{c.token}", "creator"], [f"pool.{c.token}", "work-pool"]]})
    found(related=[{"role": ["flow"]}, {"role": ["tag"]}])
    found(related=[])
    found(any_resource=[{"id_prefix": [f"thing.{c.token}"]}, {"id": [f"flow.{c.token}"]}])
    for more in ({"any_resource": {"id": [f"flow.{c.token}"]}}, {"any_resource": {"id": [f"thing.{c.token}.4"]}}, {"any_resource": {"labels": {"colour": "blue"}}, "resource": {"id_prefix": [f"thing.{c.token}"]}}):
        c.post("/events/filter", {"filter": more}, show=_names)


@case
def pages(c):
    _send(c, [_event(c, index, "paged") for index in range(7)])
    count = lambda body: {"events": len(body["events"]), "total": body["total"], "next": body["next_page"] and body["next_page"].split("?")[0]}  # noqa: E731
    names = lambda body: {**count(body), "ids": [event["resource"]["prefect.resource.id"] for event in body["events"]]}  # noqa: E731
    page = c.post("/events/filter", {**_own(c), "limit": 3}, show=names)
    for _ in range(3):
        following = page["next_page"]
        if not isinstance(following, str):
            break
        page = c.get(following[len(c.base_url):] if following.startswith(c.base_url) else following, show=names)
    c.post("/events/filter", {**_own(c), "limit": 7}, show=count)
    c.post("/events/filter", {**_own(c), "limit": 0}, show=count)
    for body in ({"limit": 51}, {"limit": -1}, {"limit": "x"}, {"limit": None}):
        c.post("/events/filter", {**_own(c), **body}, show=count)
    c.get("/events/filter/next?page-token=nonsense")
    c.get("/events/filter/next?page-token=bm9uc2Vuc2U=")
    c.get("/events/filter/next")


@case
def filter_errors(c):
    for filters in (
        [], "x", {"occurred": {"since": "x"}}, {"occurred": []}, {"event": {"name": "x"}}, {"event": {"prefix": [1]}}, {"resource": {"id": "x"}}, {"resource": {"labels": []}}, {"resource": {"distinct": "x"}}, {"related": {"role": "x"}}, {"related": {"resources_in_roles": [["x"]]}}, {"any_resource": "x"}, {"any_resource": [5]},
        {"id": {"id": ["x"]}}, {"order": "x"}, {"text": {"query": "x" * 201}}, {"text": {}}, {"unknown": 1}, {"event": {"unknown": 1}},
    ):
        c.post("/events/filter", {"filter": filters}, show="status")


@case
def counts(c):
    _some(c)
    summary = lambda rows: [{key: row[key] for key in ("value", "label", "count")} for row in rows]  # noqa: E731
    for countable in ("event", "resource"):
        c.post(f"/events/count-by/{countable}", _own(c), show=summary)
        c.post(f"/events/count-by/{countable}", _own(c, event={"prefix": ["alpha"]}), show=summary)
    c.post("/events/count-by/event", _own(c))
    window = {"occurred": {"since": c.now(hours=-2), "until": c.now()}}
    total = lambda rows: sum(row["count"] for row in rows)  # noqa: E731
    for body in ({"time_unit": "hour"}, {"time_unit": "minute", "time_interval": 30}, {"time_unit": "day"}, {"time_unit": "second", "time_interval": 600}, {"time_unit": "week"}):
        c.post("/events/count-by/time", {**_own(c, **window), **body}, show=total)
    c.post("/events/count-by/day", _own(c, **window), show=total)
    c.post("/events/count-by/time", {**_own(c, **window), "time_unit": "second", "time_interval": 0.01}, show=total)
    for path, body in (("nope", _own(c)), ("time", {}), ("event", {}), ("event", None), ("time", {**_own(c), "time_unit": "x"}), ("time", {**_own(c), "time_interval": 0}), ("time", {**_own(c), "time_interval": "x"}), ("event", {"filter": {"event": 5}})):
        c.post(f"/events/count-by/{path}", body)


@case
def flow_run_events(c):
    """State changes make events; their labels and related resources are what automations and the UI read."""
    parent = flow(c)
    made = deployment(c, parent["id"], work_pool_name=pool(c)["name"], tags=["dt"])
    run = c.post(f"/deployments/{made['id']}/create_flow_run", {"name": "run", "tags": ["rt"]}, quiet=True)
    for kind in ("PENDING", "RUNNING", "COMPLETED"):
        c.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": kind, "message": f"to {kind}"}}, quiet=True)
    own = {"filter": {"resource": {"id": [f"prefect.flow-run.{run['id']}"]}, "order": "ASC"}}
    c.until(lambda answer: answer["total"] == 4, "POST", "/events/filter", own)
    c.post("/events/filter", own)


@case
def lifecycle_events(c):
    """Created, updated, deleted: who the event is about and what is related to it."""
    parent, home = flow(c), pool(c)
    made = deployment(c, parent["id"], work_pool_name=home["name"])
    c.patch(f"/deployments/{made['id']}", {"description": "changed"}, quiet=True)
    c.patch(f"/work_pools/{home['name']}", {"concurrency_limit": 4}, quiet=True)
    c.post(f"/work_pools/{home['name']}/queues", {"name": "q"}, quiet=True)
    c.delete(f"/deployments/{made['id']}", quiet=True)
    resources = [f"prefect.flow.{parent['id']}", f"prefect.deployment.{made['id']}", f"prefect.work-pool.{home['id']}"]
    own = {"filter": {"resource": {"id": resources}, "order": "ASC"}}
    c.until(lambda answer: any(event["event"] == "prefect.deployment.deleted" for event in answer["events"]), "POST", "/events/filter", own)
    c.post("/events/filter", own, show=lambda body: sorted([event["event"], event["payload"], sorted(event["resource"].items()), [sorted(row.items()) for row in event["related"]]] for event in body["events"] if "status" not in event["event"] and "ready" not in event["event"]))
