"""Sub-flows: runs of their own, tied to the parent by a task run that follows their state."""

from __future__ import annotations

import asyncio

import pytest
from prefect import flow, task


def run_id(state):
    return state.state_details.flow_run_id


def child_of(api, parent):
    (child,) = api.flow_runs(flow_runs={"parent_flow_run_id": {"any_": [str(parent)]}})
    return child


def test_subflow_is_tied_to_its_parent_by_a_task_run(api):
    @task
    def count(rows):
        return len(rows)

    @flow
    def carrier(code: str):
        return count([code])

    @flow
    def all_carriers():
        return carrier("UA")

    state = all_carriers(return_state=True)

    child = child_of(api, run_id(state))
    parent_task = api.get(f"/task_runs/{child['parent_task_run_id']}")
    assert child["parameters"] == {"code": "UA"}
    assert parent_task["flow_run_id"] == str(run_id(state))
    assert parent_task["state_type"] == "COMPLETED"
    assert parent_task["state"]["state_details"]["child_flow_run_id"] == child["id"]
    assert api.task_run(child["id"])["state_type"] == "COMPLETED"


def test_failed_subflow_fails_the_parent_and_its_task_run(api, unique):
    name = unique("parent")

    @flow
    def child_breaks():
        raise RuntimeError("inner trouble")

    @flow(flow_run_name=name)
    def parent():
        child_breaks()

    with pytest.raises(RuntimeError, match="inner trouble"):
        parent()

    (run,) = api.flow_runs(flow_runs={"name": {"any_": [name]}})
    child = child_of(api, run["id"])
    assert run["state_type"] == child["state_type"] == "FAILED"
    assert api.get(f"/task_runs/{child['parent_task_run_id']}")["state_type"] == "FAILED"


def test_parent_may_go_on_after_a_failed_subflow(api):
    @flow
    def child_breaks():
        raise RuntimeError("tolerated")

    @flow
    def parent():
        return "failed" if child_breaks(return_state=True).is_failed() else "fine"

    state = parent(return_state=True)

    assert state.result() == "failed"
    assert api.flow_run(run_id(state))["state_type"] == "COMPLETED"
    assert child_of(api, run_id(state))["state_type"] == "FAILED"


def test_concurrent_async_subflows_are_all_children_of_one_run(api):
    @flow(flow_run_name="leg-{number}")
    async def leg(number: int):
        await asyncio.sleep(0)
        return number

    @flow
    async def journey():
        return await asyncio.gather(*(leg(number) for number in range(3)))

    state = asyncio.run(journey(return_state=True))

    children = api.flow_runs(flow_runs={"parent_flow_run_id": {"any_": [str(run_id(state))]}}, sort="NAME_ASC")
    assert [child["name"] for child in children] == ["leg-0", "leg-1", "leg-2"]
    assert {child["state_type"] for child in children} == {"COMPLETED"}
    assert len({child["parent_task_run_id"] for child in children}) == 3


def test_only_top_level_runs_are_found_without_a_parent_filter(api, unique):
    tag = unique("family")

    @flow
    def child():
        return 1

    @flow
    def parent():
        return child()

    from prefect import tags

    with tags(tag):
        state = parent(return_state=True)

    tagged = {"tags": {"all_": [tag]}}
    assert len(api.flow_runs(flow_runs=tagged)) == 2
    top = api.flow_runs(flow_runs=tagged | {"parent_task_run_id": {"is_null_": True}})
    assert [run["id"] for run in top] == [str(run_id(state))]
