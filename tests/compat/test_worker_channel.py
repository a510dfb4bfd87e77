"""The worker channel: upstream workers prefer it to requests, and are told over it what they shall clean up."""

from __future__ import annotations

import socket

import pytest
from support import targets
from support.api import Api, instant
from support.pools import deploy, make_pool, wait_for_worker
from support.processes import PROJECTS
from support.waiting import wait_until


@pytest.fixture(scope="module")
def impatient(request, tmp_path_factory):
    """A server of this file's own, which gives runs a second to be cancelled in."""
    home = tmp_path_factory.mktemp("impatient")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(targets.SERVER_SETTINGS, "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS", "1")
        server = targets.start(request.config.option.target, home)
    yield Api(server.url)
    server.stop()


def test_worker_beats_over_the_channel_and_does_runs(api, processes, unique):
    make_pool(pool := unique("channel"))
    worker = processes.prefect(
        "worker", "start", "--pool", pool, "--type", "process", "--name", "tuned", PREFECT_LOGGING_LEVEL="DEBUG"
    )
    first = instant(wait_for_worker(api, pool)["last_heartbeat_time"])

    wait_until(lambda: "because the worker channel is healthy" in worker.output)
    wait_until(lambda: instant(wait_for_worker(api, pool)["last_heartbeat_time"]) > first)

    run = api.post(f"/deployments/{deploy(pool, unique('works'))}/create_flow_run")
    assert api.wait_for_flow_run(run["id"])["state_type"] == "COMPLETED"
    assert "Worker channel" not in worker.output


def test_pool_is_made_by_the_worker_over_the_channel(api, processes, unique):
    pool = unique("made")
    processes.prefect("worker", "start", "--pool", pool, "--type", "process", "--name", "founder")

    wait_until(lambda: api.http.get(f"/work_pools/{pool}").is_success)
    assert wait_for_worker(api, pool)["name"] == "founder"
    assert "variables" in api.get(f"/work_pools/{pool}")["base_job_template"]


def test_what_a_cancelled_run_left_is_cleaned_up(impatient, processes, unique):
    api, pool = impatient, unique("cleanup")
    left = processes.start("sleep", "100000")
    api.post("/work_pools/", {"name": pool, "type": "process"})
    flow = api.post("/flows/", {"name": unique("lingers")})
    deployment = api.post("/deployments/", {"name": "left", "flow_id": flow["id"], "work_pool_name": pool})
    run = api.post(f"/deployments/{deployment['id']}/create_flow_run")
    for state in ("PENDING", "RUNNING"):
        api.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": state}, "force": True})
    api.patch(f"/flow_runs/{run['id']}", {"infrastructure_pid": f"{socket.gethostname()}:{left.process.pid}"})
    api.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})
    assert api.wait_for_flow_run(run["id"])["state_type"] == "CANCELLED"

    worker = processes.python(str(PROJECTS / "ending_worker.py"), pool, PREFECT_API_URL=api.url)

    wait_until(lambda: left.process.poll() is not None, what="the end of what the run had left")
    assert worker.process.poll() is None
