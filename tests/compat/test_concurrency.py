"""Concurrency and rate limits: slots are the server's, and every one that is taken comes back."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest
from prefect import flow, get_client, task
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.concurrency._asyncio import AcquireConcurrencySlotTimeoutError, ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency, rate_limit
from prefect.states import Completed, Pending, Running
from support.api import instant
from support.waiting import wait_until


def run_id(state):
    return state.state_details.flow_run_id


@pytest.fixture
def limit(api, unique):
    """Makes limits; answers their names."""

    def make(slots: int, **fields):
        name = unique("limit")
        with get_client(sync_client=True) as client:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=slots, **fields))
        return name

    return make


def all_free(api, name):
    return wait_until(lambda: api.limit(name)["active_slots"] == 0, what=f"free slots of {name}")


def test_slot_is_taken_inside_the_block_and_free_after_it(api, limit):
    name = limit(2)

    @flow
    def uses():
        with concurrency(name, occupy=2):
            inside = api.limit(name)["active_slots"]
        return inside

    state = uses(return_state=True)

    assert state.result() == 2
    assert all_free(api, name)
    acquired, released = (
        api.events(name=f"prefect.concurrency-limit.{verb}", resource=f"prefect.concurrency-limit.{api.limit(name)['id']}")
        for verb in ("acquired", "released")
    )
    assert len(acquired) == len(released) == 1
    assert f"prefect.flow-run.{run_id(state)}" in [one["prefect.resource.id"] for one in acquired[0]["related"]]


def test_tasks_of_one_limit_take_turns(api, limit):
    name, inside, most = limit(1), [], []
    guard = threading.Lock()

    @task
    def exclusive(number: int):
        with concurrency(name):
            with guard:
                inside.append(number)
                most.append(len(inside))
            time.sleep(0.1)
            with guard:
                inside.remove(number)

    @flow
    def together():
        exclusive.map(range(3)).wait()
        return max(most)

    state = together(return_state=True)

    assert state.result() == 1
    assert {run["state_type"] for run in api.task_runs(run_id(state), count=3)} == {"COMPLETED"}
    assert all_free(api, name)


def test_slot_comes_back_when_the_block_fails(api, limit):
    name = limit(1)

    @flow
    def breaks():
        with concurrency(name):
            raise RuntimeError("inside")

    assert breaks(return_state=True).is_failed()
    assert all_free(api, name)


def test_full_limit_times_out(api, limit):
    name = limit(1)

    with concurrency(name):
        with pytest.raises(AcquireConcurrencySlotTimeoutError), concurrency(name, timeout_seconds=0.5):
            raise AssertionError("two holders of one slot")
        assert api.limit(name)["active_slots"] == 1

    assert all_free(api, name)


def test_missing_limit_is_an_error_only_when_strict(unique):
    name = unique("missing")

    with concurrency(name):
        passed = True
    assert passed
    with pytest.raises(ConcurrencySlotAcquisitionError), concurrency(name, strict=True):
        raise AssertionError("entered")


def test_inactive_limit_limits_nothing(api, limit):
    name = limit(1)
    api.patch(f"/v2/concurrency_limits/{name}", {"active": False})

    with concurrency(name), concurrency(name):
        assert api.limit(name)["active_slots"] == 0


def test_rate_limit_spreads_calls_over_time(api, limit):
    name = limit(1, slot_decay_per_second=2.0)

    @flow
    def hurries():
        began = time.monotonic()
        for _ in range(3):
            rate_limit(name)
        return time.monotonic() - began

    state = hurries(return_state=True)

    assert state.result() >= 0.5
    assert api.limit(name)["slot_decay_per_second"] == 2.0
    assert api.limit(name)["active_slots"] <= 1


def test_rate_limit_needs_a_decay(limit):
    name = limit(1)

    with pytest.raises(Exception, match=r"422|decay|acquire"):
        rate_limit(name)


def test_tag_limit_keeps_tasks_apart(api, unique):
    tag = unique("database")
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=f"tag:{tag}", limit=1))

    @task(tags=[tag])
    def tagged(number: int):
        time.sleep(0.1)

    @flow
    def together():
        tagged.map(range(3)).wait()

    state = together(return_state=True)

    runs = sorted(api.task_runs(run_id(state), count=3), key=lambda run: instant(run["start_time"]))
    for earlier, later in pairwise(runs):
        assert instant(earlier["end_time"]) <= instant(later["start_time"])
    assert all_free(api, f"tag:{tag}")


def deployment_with_limit(unique, strategy):
    @flow
    def limited():
        return None

    options = ConcurrencyLimitConfig(limit=1, collision_strategy=strategy)
    return limited.to_deployment(unique("limited"), concurrency_limit=options).apply()


def test_deployment_limit_enqueues_the_second_run(api, unique):
    deployment = deployment_with_limit(unique, ConcurrencyLimitStrategy.ENQUEUE)
    with get_client(sync_client=True) as client:
        first, second = (client.create_flow_run_from_deployment(deployment).id for _ in range(2))
        assert client.set_flow_run_state(first, Pending()).status.value == "ACCEPT"
        refused = client.set_flow_run_state(second, Pending())
        assert (refused.status.value, refused.state.name) == ("REJECT", "AwaitingConcurrencySlot")
        assert api.limit(f"deployment:{deployment}")["active_slots"] == 1

        client.set_flow_run_state(first, Running())
        client.set_flow_run_state(first, Completed())
        assert api.limit(f"deployment:{deployment}")["active_slots"] == 0
        assert client.set_flow_run_state(second, Pending()).status.value == "ACCEPT"

    assert api.flow_run_history(second) == ["Scheduled", "AwaitingConcurrencySlot", "Pending"]


def test_deployment_limit_can_cancel_the_newer_run(api, unique):
    deployment = deployment_with_limit(unique, ConcurrencyLimitStrategy.CANCEL_NEW)
    with get_client(sync_client=True) as client:
        first, second = (client.create_flow_run_from_deployment(deployment).id for _ in range(2))
        client.set_flow_run_state(first, Pending())
        client.set_flow_run_state(second, Pending())

    assert api.flow_run(first)["state_type"] == "PENDING"
    assert api.flow_run(second)["state_type"] == "CANCELLED"
