"""Flow runs started by calling a flow: the states, parameters, names and messages that the server keeps."""

from __future__ import annotations

import asyncio

import pytest
from prefect import flow, get_run_logger, tags, task
from prefect.exceptions import ParameterTypeError
from prefect.states import Cancelled, Completed, Failed
from support.api import instant


def run_id(state):
    return state.state_details.flow_run_id


def test_completed_flow_is_recorded_with_parameters_and_history(api):
    @flow
    def add(first: int, second: int = 2) -> int:
        return first + second

    state = add(1, return_state=True)

    run = api.flow_run(run_id(state))
    assert state.result() == 3
    assert run["state_type"] == "COMPLETED"
    assert run["parameters"] == {"first": 1, "second": 2}
    assert run["run_count"] == 1
    assert instant(run["start_time"]) <= instant(run["end_time"])
    assert run["total_run_time"] > 0
    assert api.flow_run_history(run["id"]) == ["Pending", "Running", "Completed"]
    assert api.get(f"/flows/{run['flow_id']}")["name"] == "add"


def test_failed_flow_keeps_the_message_and_raises_to_the_caller(api, unique):
    name = unique("breaks")

    @flow(flow_run_name=name)
    def breaks():
        raise ValueError("the well is dry")

    with pytest.raises(ValueError, match="the well is dry"):
        breaks()

    (run,) = api.flow_runs(flow_runs={"name": {"any_": [name]}})
    assert run["state_type"] == "FAILED"
    assert "ValueError: the well is dry" in run["state"]["message"]
    assert api.flow_run_history(run["id"]) == ["Pending", "Running", "Failed"]


def test_async_flow_is_recorded_like_a_sync_one(api):
    @flow
    async def waits(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    state = asyncio.run(waits(3, return_state=True))

    run = api.flow_run(run_id(state))
    assert run["state_name"] == "Completed"
    assert run["parameters"] == {"turns": 3}


def test_flow_run_name_template_tags_and_version_are_stored(api, unique):
    tag = unique("tag")

    @flow(flow_run_name="load-{year}", version="7.1")
    def load(year: int):
        return None

    with tags(tag, "nightly"):
        state = load(2013, return_state=True)

    run = api.flow_run(run_id(state))
    assert run["name"] == "load-2013"
    assert run["flow_version"] == "7.1"
    assert set(run["tags"]) == {tag, "nightly"}
    assert [found["id"] for found in api.flow_runs(flow_runs={"tags": {"all_": [tag]}})] == [run["id"]]


def test_invalid_parameters_fail_the_run_before_it_runs(api, unique):
    name = unique("typed")

    @flow(name=name)
    def typed(count: int):
        return count

    with pytest.raises(ParameterTypeError):
        typed("many")

    (run,) = api.flow_runs(flows={"name": {"any_": [name]}})
    assert api.flow_run_history(run["id"]) == ["Pending", "Failed"]
    assert "Validation of flow parameters failed" in run["state"]["message"]
    assert run["run_count"] == 0


@pytest.mark.parametrize(
    ("returned", "type", "name"),
    [
        (Completed(message="nothing to do", name="Skipped"), "COMPLETED", "Skipped"),
        (Failed(message="refused"), "FAILED", "Failed"),
        (Cancelled(message="not today"), "CANCELLED", "Cancelled"),
    ],
    ids=["completed", "failed", "cancelled"],
)
def test_returned_state_becomes_the_state_of_the_run(api, returned, type, name):
    @flow
    def decides():
        return returned

    state = decides(return_state=True)

    stored = api.flow_run(run_id(state))["state"]
    assert (stored["type"], stored["name"], stored["message"]) == (type, name, returned.message)


def test_flow_fails_when_a_returned_future_failed(api):
    @task
    def sometimes(ok: bool):
        if not ok:
            raise RuntimeError("no")
        return ok

    @flow
    def mixed():
        return [sometimes.submit(True), sometimes.submit(False), sometimes.submit(True)]

    state = mixed(return_state=True)

    run = api.flow_run(run_id(state))
    assert run["state_type"] == "FAILED"
    assert run["state"]["message"] == "1/3 states failed."
    types = sorted(one["state_type"] for one in api.task_runs(run["id"], count=3))
    assert types == ["COMPLETED", "COMPLETED", "FAILED"]


def test_exit_in_the_flow_is_recorded_as_a_crash(api, unique):
    name = unique("leaves")

    @flow(flow_run_name=name)
    def leaves():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        leaves()

    (run,) = api.flow_runs(flow_runs={"name": {"any_": [name]}})
    assert run["state_type"] == "CRASHED"
    assert "system exit" in run["state"]["message"]


def test_state_hooks_see_the_state_that_the_server_recorded(api):
    seen = []

    def remember(flow, flow_run, state):
        seen.append((str(flow_run.id), state.name, str(state.id)))

    @flow(on_running=[remember], on_completion=[remember])
    def watched():
        get_run_logger().info("watched")

    state = watched(return_state=True)

    id = str(run_id(state))
    states = {one["name"]: one["id"] for one in api.flow_run_states(id)}
    assert seen == [(id, "Running", states["Running"]), (id, "Completed", states["Completed"])]


def test_the_same_flow_is_registered_once(api, unique):
    name = unique("twice")

    @flow(name=name)
    def twice():
        return None

    first, second = (api.flow_run(run_id(twice(return_state=True))) for _ in range(2))

    assert first["flow_id"] == second["flow_id"]
    assert api.post("/flows/count", {"flows": {"name": {"any_": [name]}}}) == 1
    assert api.post("/flow_runs/count", {"flows": {"name": {"any_": [name]}}}) == 2
