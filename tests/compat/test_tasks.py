"""Task runs read back through the API: they exist on the server only because the client's events said so."""

from __future__ import annotations

import asyncio

import pytest
from prefect import allow_failure, flow, tags, task, unmapped
from prefect.futures import wait
from support.api import instant
from support.waiting import wait_until


def run_id(state):
    return state.state_details.flow_run_id


def test_called_task_is_recorded_with_states_and_times(api):
    @task
    def double(number: int) -> int:
        return 2 * number

    @flow
    def doubles():
        return double(21)

    state = doubles(return_state=True)

    run = api.task_run(run_id(state))
    assert state.result() == 42
    assert run["state_type"] == "COMPLETED"
    assert run["task_key"].startswith("double-")
    assert run["name"].startswith("double-")
    assert run["run_count"] == 1
    assert run["flow_run_run_count"] == 1
    assert instant(run["start_time"]) <= instant(run["end_time"])
    assert api.task_run_history(run["id"], ends="Completed") == ["Pending", "Running", "Completed"]


def test_failed_task_keeps_the_exception_as_message(api):
    @task
    def breaks():
        raise KeyError("carrier")

    @flow
    def tolerant():
        breaks(return_state=True)
        return "went on"

    state = tolerant(return_state=True)

    run = api.task_run(run_id(state))
    assert run["state_type"] == "FAILED"
    assert "KeyError: 'carrier'" in run["state"]["message"]
    assert api.flow_run(run_id(state))["state_type"] == "COMPLETED"


def test_task_run_name_and_tags_are_stored(api, unique):
    tag = unique("tag")

    @task(task_run_name="month-{month:02d}", tags=[tag])
    def extract(month: int):
        return month

    @flow
    def extracts():
        with tags("outer"):
            extract(3)
        return "done"

    state = extracts(return_state=True)

    run = api.task_run(run_id(state))
    assert run["name"] == "month-03"
    assert set(run["tags"]) == {tag, "outer"}
    found = api.post("/task_runs/filter", {"task_runs": {"tags": {"all_": [tag]}}})
    assert [one["id"] for one in found] == [run["id"]]


def test_upstream_results_become_task_inputs(api):
    @task(task_run_name="upstream")
    def produce():
        return {"rows": [1, 2]}

    @task(task_run_name="downstream")
    def consume(table):
        return len(table["rows"])

    @flow
    def pipeline():
        return consume.submit(produce.submit()).result()

    state = pipeline(return_state=True)

    downstream, upstream = api.task_runs(run_id(state), count=2)
    assert downstream["task_inputs"]["table"] == [{"input_type": "task_run", "id": upstream["id"]}]
    assert upstream["task_inputs"] == {}


def test_wait_for_is_recorded_and_keeps_the_order(api):
    @task
    def step(order: list[str], name: str):
        order.append(name)

    @flow
    def ordered():
        order: list[str] = []
        first = step.with_options(task_run_name="a-first").submit(order, "first")
        second = step.with_options(task_run_name="b-second").submit(order, "second", wait_for=[first])
        wait([second])
        return order

    state = ordered(return_state=True)

    first, second = api.task_runs(run_id(state), count=2)
    assert state.result() == ["first", "second"]
    assert second["task_inputs"]["wait_for"] == [{"input_type": "task_run", "id": first["id"]}]
    assert instant(first["end_time"]) <= instant(second["start_time"])


def test_failed_upstream_leaves_the_downstream_not_ready(api):
    @task(task_run_name="a-breaks")
    def breaks():
        raise RuntimeError("no data")

    @task
    def needs(value):
        return value

    @task(task_run_name="b-tolerates")
    def tolerates(value):
        return f"got {type(value).__name__}"

    @flow
    def chain():
        broken = breaks.submit()
        needed, tolerated = needs.submit(broken), tolerates.submit(allow_failure(broken))
        wait([needed, tolerated])
        return tolerated.result()

    state = chain(return_state=True)

    assert state.result() == "got RuntimeError"

    def told():
        runs = api.task_runs(run_id(state), count=3, settled=False)
        assert {run["state_name"] for run in runs} == {"Failed", "Completed", "NotReady"}, runs
        return runs

    # A run that never starts keeps its first name: it sorts last, after the two that were renamed at their start.
    broken, tolerated, needed = wait_until(told, what="the last state of every task run")
    assert broken["state_name"] == "Failed"
    assert api.task_run_history(needed["id"], ends="NotReady") == ["Pending", "NotReady"]
    assert api.task_run_history(tolerated["id"], ends="Completed")[-1] == "Completed"


def test_async_tasks_run_together_and_are_all_recorded(api):
    @task
    async def fetch(page: int):
        await asyncio.sleep(0.01)
        return page

    @flow
    async def fetches():
        return await asyncio.gather(*(fetch(page) for page in range(4)))

    state = asyncio.run(fetches(return_state=True))

    runs = api.task_runs(run_id(state), count=4)
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert len({run["dynamic_key"] for run in runs}) == 4


def test_task_in_task_is_recorded_with_its_parent(api):
    @task(task_run_name="b-inner")
    def inner():
        return 1

    @task(task_run_name="a-outer")
    def outer():
        return inner() + 1

    @flow
    def nests():
        return outer()

    state = nests(return_state=True)

    parent, child = api.task_runs(run_id(state), count=2)
    assert child["task_inputs"]["__parents__"] == [{"input_type": "task_run", "id": parent["id"]}]
    times = [parent["start_time"], child["start_time"], child["end_time"], parent["end_time"]]
    assert [instant(one) for one in times] == sorted(instant(one) for one in times)


def test_task_without_a_flow_has_a_run_of_its_own(api, unique):
    name = unique("alone")

    @task(task_run_name=name)
    def alone():
        return "done"

    state = alone(return_state=True)
    id = state.state_details.task_run_id

    assert api.task_run_history(id, ends="Completed") == ["Pending", "Running", "Completed"]
    found = api.post("/task_runs/filter", {"task_runs": {"name": {"any_": [name]}}})
    assert [run["id"] for run in found] == [str(id)]


def test_mapped_task_has_one_run_per_item(api):
    @task
    def scale(number: int, factor: int):
        return number * factor

    @flow
    def scales():
        return scale.map([1, 2, 3, 4, 5], factor=unmapped(10)).result()

    state = scales(return_state=True)

    runs = api.task_runs(run_id(state), count=5)
    assert state.result() == [10, 20, 30, 40, 50]
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert len({run["task_key"] for run in runs}) == 1
    assert api.post("/task_runs/count", {"flow_runs": {"id": {"any_": [str(run_id(state))]}}}) == 5


def test_map_over_a_map_links_item_to_item(api):
    @task(task_run_name="a-{value}")
    def first(value: int):
        return value * 100

    @task(task_run_name="b-{value}")
    def second(value: int):
        return value + 1

    @flow
    def chained():
        return second.map(first.map([7, 8, 9])).result()

    state = chained(return_state=True)

    runs = {run["name"]: run for run in api.task_runs(run_id(state), count=6)}
    assert state.result() == [701, 801, 901]
    for value in (7, 8, 9):
        linked = runs[f"b-{value * 100}"]["task_inputs"]["value"]
        assert linked == [{"input_type": "task_run", "id": runs[f"a-{value}"]["id"]}]


def test_one_failed_item_of_a_map_does_not_stop_the_others(api):
    @task(task_run_name="item-{number}")
    def picky(number: int):
        if number == 2:
            raise ValueError("not two")
        return number

    @flow
    def picks():
        futures = picky.map([1, 2, 3])
        wait(futures)
        return [future.state.type.value for future in futures]

    state = picks(return_state=True)

    runs = api.task_runs(run_id(state), count=3)
    assert [(run["name"], run["state_type"]) for run in runs] == [
        ("item-1", "COMPLETED"),
        ("item-2", "FAILED"),
        ("item-3", "COMPLETED"),
    ]
    assert state.result() == ["COMPLETED", "FAILED", "COMPLETED"]


@pytest.mark.parametrize("items", [0, 60], ids=["none", "sixty"])
def test_maps_of_any_size_are_complete_on_the_server(api, items):
    @task
    def note(number: int):
        return number

    @flow
    def notes():
        return sum(note.map(range(items)).result())

    state = notes(return_state=True)

    assert state.result() == sum(range(items))
    runs = api.task_runs(run_id(state), count=items)
    assert all(api.task_run_history(run["id"], ends="Completed") for run in runs[:3])
