"""Our worker at the reference server, which has no stream for it: it polls there, and does the same work."""

from __future__ import annotations

import uuid

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling
from support import targets
from support.api import Api
from support.clients import start
from support.pools import deploy, make_pool, wait_for_worker

pytestmark = pytest.mark.own_worker


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A reference server of this file's own, which the SDK in this process talks to while the file runs."""
    server = targets.start("reference", tmp_path_factory.mktemp("reference"))
    try:
        with temporary_settings({PREFECT_API_URL: server.url}):
            yield Api(server.url)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def pool(reference, processes):
    name = f"elsewhere-{uuid.uuid4().hex[:8]}"
    make_pool(name)
    processes.tidegate("worker", "start", "--pool", name, "--type", "process", PREFECT_API_URL=reference.url)
    wait_for_worker(reference, name)
    return name


def test_run_of_the_reference_server_is_done(reference, pool):
    run = start(deploy(pool, "works"))

    assert reference.wait_for_flow_run(run)["state_type"] == "COMPLETED"
    assert reference.task_run(run)["state_type"] == "COMPLETED"
    reference.logs(run, "working in process")


def test_run_of_the_reference_server_is_cancelled(reference, pool):
    run = start(deploy(pool, "lingers", "jobs.py:lingers"))
    reference.logs(run, "lingering in process")

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelling())

    assert reference.wait_for_flow_run(run)["state_type"] == "CANCELLED"
