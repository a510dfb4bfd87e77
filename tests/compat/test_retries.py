"""Retries: the server decides about flows, the client about tasks; both leave a history."""

from __future__ import annotations

import pytest
from prefect import flow, task
from support.api import instant


def run_id(state):
    return state.state_details.flow_run_id


def test_task_is_retried_and_every_attempt_is_in_its_history(api):
    attempts = []

    @task(retries=2)
    def flaky():
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError("try again")
        return len(attempts)

    @flow
    def persists():
        return flaky()

    state = persists(return_state=True)

    run = api.task_run(run_id(state))
    assert state.result() == 3
    assert run["run_count"] == 3
    assert run["empirical_policy"]["retries"] == 2
    history = api.task_run_history(run["id"], ends="Completed")
    assert history == ["Pending", "Running", "Retrying", "Retrying", "Completed"]


def test_delayed_task_retry_waits_in_awaiting_retry(api):
    attempts = []

    @task(retries=1, retry_delay_seconds=0.3)
    def slow_to_wake():
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError("asleep")

    @flow
    def wakes():
        slow_to_wake()
        return "awake"

    state = wakes(return_state=True)

    run = api.task_run(run_id(state))
    history = api.task_run_history(run["id"], ends="Completed")
    assert history == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]


def test_task_out_of_retries_fails_with_the_last_error(api):
    attempts = []

    @task(retries=1)
    def hopeless():
        attempts.append(1)
        raise ConnectionError(f"attempt {len(attempts)}")

    @flow
    def tries():
        return hopeless()

    state = tries(return_state=True)

    run = api.task_run(run_id(state))
    assert run["run_count"] == 2
    assert "attempt 2" in run["state"]["message"]
    assert api.flow_run(run_id(state))["state_type"] == "FAILED"


def test_retry_condition_can_refuse_a_retry(api):
    @task(retries=3, retry_condition_fn=lambda task, run, state: False)
    def final():
        raise ValueError("not worth it")

    @flow
    def once():
        return final()

    state = once(return_state=True)

    run = api.task_run(run_id(state))
    assert run["run_count"] == 1
    assert api.task_run_history(run["id"], ends="Failed") == ["Pending", "Running", "Failed"]


def test_flow_retry_is_decided_by_the_server(api):
    attempts = []

    @flow(retries=2, retry_delay_seconds=0)
    def shaky():
        attempts.append(1)
        if len(attempts) < 3:
            raise RuntimeError("wobble")
        return "stands"

    state = shaky(return_state=True)

    run = api.flow_run(run_id(state))
    assert state.result() == "stands"
    assert run["run_count"] == 3
    assert run["empirical_policy"]["retries"] == 2
    assert api.flow_run_history(run["id"]) == [
        "Pending",
        "Running",
        "AwaitingRetry",
        "Running",
        "AwaitingRetry",
        "Running",
        "Completed",
    ]


def test_flow_retry_delay_is_the_scheduled_time_of_the_waiting_state(api):
    attempts = []

    @flow(retries=1, retry_delay_seconds=1)
    def patient():
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("first time")
        return len(attempts)

    state = patient(return_state=True)

    _, _, waiting, retrying, _ = api.flow_run_states(run_id(state))
    assert (waiting["name"], retrying["type"]) == ("AwaitingRetry", "RUNNING")
    assert "first time" in waiting["message"]
    due = instant(waiting["state_details"]["scheduled_time"])
    assert instant(waiting["timestamp"]) < due <= instant(retrying["timestamp"])
    assert api.flow_run(run_id(state))["next_scheduled_start_time"] is None


def test_flow_out_of_retries_fails(api, unique):
    name = unique("gives-up")

    @flow(retries=1, flow_run_name=name)
    def gives_up():
        raise RuntimeError("again")

    with pytest.raises(RuntimeError):
        gives_up()

    (run,) = api.flow_runs(flow_runs={"name": {"any_": [name]}})
    assert run["run_count"] == 2
    assert api.flow_run_history(run["id"]) == ["Pending", "Running", "AwaitingRetry", "Running", "Failed"]


def test_finished_tasks_are_not_repeated_by_a_flow_retry(api):
    calls = []

    @task(persist_result=True)
    def costly():
        calls.append("costly")
        return 1

    @flow(retries=1)
    def resumes():
        value = costly()
        if calls.count("flow") == 0:
            calls.append("flow")
            raise RuntimeError("after the costly part")
        return value

    state = resumes(return_state=True)

    assert state.result() == 1
    assert calls.count("costly") == 1
    names = sorted(run["state_name"] for run in api.task_runs(run_id(state), count=2))
    assert names == ["Cached", "Completed"]
    assert {run["flow_run_run_count"] for run in api.task_runs(run_id(state), count=2)} == {1, 2}
