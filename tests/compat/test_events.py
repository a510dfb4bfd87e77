"""Events: sent by clients, made by the server, stored, and streamed to whoever subscribed."""

from __future__ import annotations

import asyncio
import threading
import uuid
from datetime import datetime, timezone

from prefect import flow, tags, task
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events import emit_event
from prefect.events.clients import get_events_client, get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter
from prefect.events.schemas.events import Event, Resource
from support.clients import ask
from support.running import in_background
from support.waiting import DEADLINE, wait_until


def run_id(state):
    return state.state_details.flow_run_id


def test_event_emitted_in_a_flow_is_stored_with_what_it_is_about(api, unique):
    resource = unique("compat.table")

    @flow
    def emits():
        return emit_event(
            event="table.loaded",
            resource={"prefect.resource.id": resource, "rows": "3"},
            related=[{"prefect.resource.id": "compat.schema", "prefect.resource.role": "schema"}],
            payload={"columns": ["a", "b"]},
        ).id

    state = emits(return_state=True)

    (event,) = api.events(name="table.loaded", resource=resource)
    assert event["id"] == str(state.result())
    assert event["resource"]["rows"] == "3"
    assert event["payload"] == {"columns": ["a", "b"]}
    roles = {one["prefect.resource.role"]: one["prefect.resource.id"] for one in event["related"]}
    assert roles["schema"] == "compat.schema"
    assert roles["flow-run"] == f"prefect.flow-run.{run_id(state)}"


def test_every_state_of_a_flow_run_is_an_event_of_the_server(api, unique):
    tag = unique("tag")

    @flow
    def quiet():
        return None

    with tags(tag):
        state = quiet(return_state=True)

    resource = f"prefect.flow-run.{run_id(state)}"
    states = api.flow_run_states(run_id(state))

    def changes():
        events = [one for one in api.events(resource=resource) if one["event"] != "prefect.flow-run.heartbeat"]
        assert len(events) == len(states), [one["event"] for one in events]
        return events

    events = wait_until(changes)
    assert [one["event"] for one in events] == [f"prefect.flow-run.{one['name']}" for one in states]
    assert [one["id"] for one in events] == [one["id"] for one in states]
    last = events[-1]
    assert last["resource"]["prefect.state-type"] == "COMPLETED"
    assert last["follows"] == events[-2]["id"]
    related = {one["prefect.resource.role"]: one["prefect.resource.id"] for one in last["related"]}
    assert related["flow"] == f"prefect.flow.{api.flow_run(run_id(state))['flow_id']}"
    assert related["tag"] == f"prefect.tag.{tag}"


def test_task_run_events_are_stored_as_sent(api):
    @task
    def step():
        return 1

    @flow
    def steps():
        return step()

    state = steps(return_state=True)

    run = api.task_run(run_id(state))
    events = api.events(resource=f"prefect.task-run.{run['id']}", count=3)
    assert [one["event"] for one in events] == [f"prefect.task-run.{name}" for name in ("Pending", "Running", "Completed")]
    assert [one["id"] for one in events] == [one["id"] for one in api.task_run_states(run["id"])]
    assert events[2]["follows"] == events[1]["id"]
    assert events[0]["payload"]["intended"] == {"from": None, "to": "PENDING"}


def test_subscriber_hears_events_as_they_happen(api, unique):
    resource = unique("compat.heard")
    wanted = EventFilter(event=EventNameFilter(name=["compat.tick"]), resource=EventResourceFilter(id=[resource]))

    subscribed = threading.Event()

    async def first_two():
        heard = []
        async with get_events_subscriber(filter=wanted) as events:
            subscribed.set()
            async for event in events:
                heard.append(event.payload["number"])
                if len(heard) == 2:
                    return heard

    listening = in_background(asyncio.run, first_two())
    assert subscribed.wait(DEADLINE)
    for number, name in enumerate(["compat.tick", "compat.other", "compat.tick"]):
        emit_event(event=name, resource={"prefect.resource.id": resource}, payload={"number": number})

    assert listening.result(DEADLINE) == [0, 2]


def test_new_subscriber_is_told_what_it_missed(api, unique):
    resource = unique("compat.missed")
    sent = emit_event(event="compat.early", resource={"prefect.resource.id": resource})
    api.events(name="compat.early", resource=resource)

    async def first():
        wanted = EventFilter(resource=EventResourceFilter(id=[resource]))
        async with get_events_subscriber(filter=wanted) as events:
            async for event in events:
                return event.id

    assert in_background(asyncio.run, first()).result(DEADLINE) == sent.id


def test_event_sent_twice_is_kept_once(api, unique):
    resource = unique("compat.twice")
    about = Resource({"prefect.resource.id": resource})
    event = Event(event="compat.repeated", resource=about, occurred=datetime.now(timezone.utc))
    after = event.model_copy(update={"event": "compat.after", "id": uuid.uuid4()})

    async def send():
        async with get_events_client() as client:
            for one in (event, event, after):
                await client.emit(one)

    asyncio.run(send())

    api.events(name="compat.after", resource=resource)
    assert len(api.events(name="compat.repeated", resource=resource)) == 1


def test_events_are_read_page_by_page(api, unique):
    resource = unique("compat.pages")
    for number in range(7):
        emit_event(event="compat.page", resource={"prefect.resource.id": resource}, payload={"number": number})
    api.events(resource=resource, count=7)

    page = api.post("/events/filter", {"filter": {"resource": {"id": [resource]}, "order": "ASC"}, "limit": 3})
    assert page["total"] == 7
    numbers = []
    while page:
        numbers += [one["payload"]["number"] for one in page["events"]]
        following = page["next_page"]
        page = api.get(following) if following else None
    assert numbers == list(range(7))


def test_changes_of_resources_are_events_too(api, unique):
    name = unique("pool")
    pool = ask("create_work_pool", WorkPoolCreate(name=name, type="process"))

    resource = f"prefect.work-pool.{pool.id}"
    (created,) = api.events(name="prefect.work-pool.created", resource=resource)
    assert created["resource"]["prefect.resource.name"] == name
    api.delete(f"/work_pools/{name}")
    assert api.events(name="prefect.work-pool.deleted", resource=resource)
