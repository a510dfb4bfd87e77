"""Cancelling runs that have no process of a worker behind them; the others are in the files of runners and workers."""

from __future__ import annotations

import pytest
from prefect import flow, get_client, task
from prefect.states import Cancelled, Cancelling, Pending, Running
from support.clients import start
from support.waiting import wait_until


@pytest.fixture
def scheduled(api, unique):
    """A scheduled run of a deployment that nobody serves."""

    @flow
    def served_by_nobody():
        return None

    deployment = served_by_nobody.to_deployment(unique("nobody")).apply()
    return str(start(deployment))


def test_scheduled_run_is_cancelled_at_once(api, scheduled):
    with get_client(sync_client=True) as client:
        answer = client.set_flow_run_state(scheduled, Cancelling())

    assert answer.status.value == "REJECT"
    assert answer.state.is_cancelled()
    assert api.flow_run_history(scheduled) == ["Scheduled", "Cancelled"]
    assert api.flow_run(scheduled)["end_time"] is not None


def test_cancelled_run_is_not_started(api, scheduled):
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(scheduled, Cancelling())
        pending = client.set_flow_run_state(scheduled, Pending())

    assert pending.status.value == "ABORT"
    assert api.flow_run(scheduled)["state_type"] == "CANCELLED"


def test_cancelling_run_may_only_become_cancelled(api, scheduled):
    with get_client(sync_client=True) as client:
        for state in (Pending(), Running()):
            client.set_flow_run_state(scheduled, state)
        client.update_flow_run(scheduled, infrastructure_pid="host:1")
        client.set_flow_run_state(scheduled, Cancelling())
        back = client.set_flow_run_state(scheduled, Running())
        assert back.status.value == "REJECT"
        assert api.flow_run(scheduled)["state_type"] == "CANCELLING"
        client.set_flow_run_state(scheduled, Cancelled())

    assert api.flow_run_history(scheduled) == ["Scheduled", "Pending", "Running", "Cancelling", "Cancelled"]


def test_tasks_of_a_cancelled_run_are_cancelled_too(api):
    @task
    def never_ends():
        return None

    @flow
    def parent():
        return None

    with get_client(sync_client=True) as client:
        run = client.create_flow_run(parent, state=Running())
        child = client.create_task_run(never_ends, flow_run_id=run.id, dynamic_key="0", state=Running())
        client.set_flow_run_state(run.id, Cancelled(), force=True)

    def cancelled():
        state = api.get(f"/task_runs/{child.id}")["state"]
        assert state["type"] == "CANCELLED", state
        return state["message"]

    assert wait_until(cancelled) == "The parent flow run was cancelled."
