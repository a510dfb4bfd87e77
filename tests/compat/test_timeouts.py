"""Timeouts are noticed by the client; the server must keep the name and the message apart from ordinary failures."""

from __future__ import annotations

import asyncio
import time

import pytest
from prefect import flow, task

# The SDK's timeouts and pytest-timeout's default method want the same alarm signal.
pytestmark = pytest.mark.timeout(method="thread")

# Long enough that it never ends before the function has begun: the SDK's clock starts a little before that.
SHORT = 3.0


def run_id(state):
    return state.state_details.flow_run_id


def test_flow_over_its_time_is_timed_out(api):
    @flow(timeout_seconds=SHORT)
    def lingers():
        time.sleep(600)

    state = lingers(return_state=True)

    stored = api.flow_run(run_id(state))["state"]
    assert (stored["type"], stored["name"]) == ("FAILED", "TimedOut")
    assert "exceeded timeout of 3.0 second(s)" in stored["message"]


def test_task_over_its_time_is_timed_out_and_retried(api):
    @task(timeout_seconds=SHORT, retries=1)
    def lingers():
        time.sleep(600)

    @flow
    def waits():
        with pytest.raises(TimeoutError):
            lingers()
        return "moved on"

    state = waits(return_state=True)

    run = api.task_run(run_id(state))
    assert run["state_name"] == "TimedOut"
    assert run["run_count"] == 2
    assert api.flow_run(run_id(state))["state_type"] == "COMPLETED"


def test_async_task_over_its_time_is_timed_out(api):
    @task(timeout_seconds=SHORT)
    async def lingers():
        await asyncio.sleep(600)

    @flow
    async def waits():
        await lingers(return_state=True)
        return "moved on"

    state = asyncio.run(waits(return_state=True))

    assert api.task_run(run_id(state))["state"]["message"].endswith("exceeded timeout of 3.0 second(s)")
