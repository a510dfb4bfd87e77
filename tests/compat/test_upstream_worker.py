"""The unmodified upstream worker on a process pool: claims, starts, watches and cancels runs of our server."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from prefect import get_client, resume_flow_run
from prefect.deployments import run_deployment
from prefect.states import Cancelling
from support.api import instant
from support.clients import start
from support.pools import deploy, make_pool, wait_for_worker
from support.processes import PROJECTS
from support.proxies import without_worker_channel
from support.waiting import DEADLINE, wait_until


@pytest.fixture(scope="module")
def pool(api, processes):
    """A pool with one upstream worker."""
    name = f"upstream-{uuid.uuid4().hex[:8]}"
    make_pool(name)
    processes.prefect("worker", "start", "--pool", name, "--type", "process", "--name", "upstream")
    wait_for_worker(api, name)
    return name


def test_worker_registers_itself_and_fills_in_the_template(api, pool):
    worker = wait_for_worker(api, pool)
    assert worker["name"] == "upstream"
    assert worker["heartbeat_interval_seconds"] == 3

    template = wait_until(lambda: api.get(f"/work_pools/{pool}")["base_job_template"])
    assert {"command", "env", "working_dir", "stream_output"} <= set(template["variables"]["properties"])

    first = worker["last_heartbeat_time"]
    wait_until(lambda: instant(wait_for_worker(api, pool)["last_heartbeat_time"]) > instant(first))


def test_run_is_done_by_the_worker_and_recorded(api, pool, unique):
    deploy(pool, name := unique("works"), tags=["upstream"])

    run = run_deployment(f"works/{name}", parameters={"number": 5}, poll_interval=0.2, timeout=DEADLINE)

    stored = api.flow_run(run.id)
    assert run.state.is_completed()
    assert stored["work_pool_name"] == pool
    assert stored["work_queue_name"] == "default"
    assert stored["infrastructure_pid"]
    history = api.flow_run_history(run.id)
    assert (history[0], history[-2:]) == ("Scheduled", ["Running", "Completed"])
    assert api.task_run(run.id)["state_type"] == "COMPLETED"
    api.logs(run.id, "doubling 5", "working in process")


def test_job_variables_reach_the_process(api, pool, unique):
    id = deploy(pool, unique("tells"), "jobs.py:tells", job_variables={"env": {"COMPAT_WORD": "from-deployment"}})

    run = start(id, job_variables={"env": {"COMPAT_WORD": "from-run"}})

    api.wait_for_flow_run(run)
    (line,) = [one["message"] for one in api.logs(run, "seen:") if one["message"].startswith("seen:")]
    assert "'word': 'from-run'" in line
    assert f"'folder': '{PROJECTS}'" in line


def test_code_that_cannot_be_imported_ends_the_run_with_a_reason(api, pool, unique):
    # Deployed by its path: the SDK reads what it can of a file that does not import.
    run = start(deploy(pool, unique("never"), "unimportable.py:never_runs"))

    stored = api.wait_for_flow_run(run)
    assert stored["state_type"] in ("CRASHED", "FAILED")
    assert stored["run_count"] == 0
    assert stored["state"]["message"]


def test_process_that_dies_is_a_crash(api, pool, unique):
    run = start(deploy(pool, unique("dies"), "jobs.py:dies"))

    stored = api.wait_for_flow_run(run)
    assert stored["state_type"] == "CRASHED"
    assert "7" in stored["state"]["message"]


def test_cancelled_run_is_stopped_by_the_worker(api, pool, unique):
    run = start(deploy(pool, unique("lingers"), "jobs.py:lingers"))
    api.logs(run, "lingering in process")

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelling())

    assert api.wait_for_flow_run(run)["state_type"] == "CANCELLED"
    assert api.flow_run_history(run)[-2:] == ["Cancelling", "Cancelled"]


def test_suspended_run_is_started_again_in_a_new_process(api, pool, unique):
    run = start(deploy(pool, unique("suspends"), "jobs.py:suspends"))
    suspended = api.wait_for_flow_run(run, "Suspended")
    # Upstream's worker may take the end of the first process for that of the second one, when that starts at once.
    process = Path("/proc", suspended["infrastructure_pid"].split(":")[-1])
    wait_until(lambda: not process.exists(), what="the end of the first process")

    resume_flow_run(run)

    assert api.wait_for_flow_run(run)["state_type"] == "COMPLETED"
    history = api.flow_run_history(run)
    assert history.count("Running") == 2
    assert "Resuming" in history
    api.logs(run, "went on after the suspension")


def test_paused_queue_and_pool_start_nothing(api, pool, unique):
    queue = unique("queue")
    id = deploy(pool, unique("works"), work_queue_name=queue)
    api.patch(f"/work_pools/{pool}/queues/{queue}", {"is_paused": True})
    waiting = start(id)
    passing = start(deploy(pool, unique("works")))
    assert api.wait_for_flow_run(passing)["state_type"] == "COMPLETED"
    assert api.flow_run(waiting)["state_type"] == "SCHEDULED"

    api.patch(f"/work_pools/{pool}/queues/{queue}", {"is_paused": False})
    assert api.wait_for_flow_run(waiting)["state_type"] == "COMPLETED"


def test_worker_works_without_the_worker_channel(api, processes, unique):
    name = unique("fallback")
    make_pool(name)
    with without_worker_channel(api.url) as (url, refused):
        child = processes.prefect(
            "worker", "start", "--pool", name, "--type", "process", "--name", "fallback", PREFECT_API_URL=url
        )
        worker = wait_for_worker(api, name)
        run = start(deploy(name, unique("works")))
        stored = api.wait_for_flow_run(run)
        child.clear_away()

    assert worker["name"] == "fallback"
    assert len(refused) >= 1
    assert stored["state_type"] == "COMPLETED"
