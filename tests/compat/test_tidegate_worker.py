"""Our worker on a process pool: the same runs as the upstream worker does, and what only ours promises."""

from __future__ import annotations

import json
import os
import signal
import uuid
from pathlib import Path

import pytest
from prefect import get_client, resume_flow_run
from prefect.deployments import run_deployment
from prefect.states import Cancelling
from support.clients import start
from support.pools import deploy, wait_for_worker
from support.processes import PROJECTS, SDK_BIN, tidegate
from support.running import in_background
from support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.own_worker


# A worker that is told what is due has no use for this setting; one that asks would start nothing while a scenario waits.
NO_POLLS = {"PREFECT_WORKER_QUERY_SECONDS": "86400"}


@pytest.fixture(scope="module")
def worker(processes):
    """The pool's only worker: a pool made by our command line, a worker started by it."""
    pool = f"own-{uuid.uuid4().hex[:8]}"
    tidegate("work-pool", "create", pool, "--type", "process")
    child = processes.tidegate("worker", "start", "--pool", pool, "--type", "process", "--name", "own", **NO_POLLS)
    child.pool = pool
    return child


@pytest.fixture
def pool(api, worker):
    wait_for_worker(api, worker.pool)
    return worker.pool


def test_run_is_done_by_the_worker_and_recorded(api, pool, unique):
    deploy(pool, name := unique("works"), tags=["own"])

    run = run_deployment(f"works/{name}", parameters={"number": 5}, poll_interval=0.2, timeout=DEADLINE)

    stored = api.flow_run(run.id)
    history = api.flow_run_history(run.id)
    assert run.state.is_completed()
    assert stored["work_pool_name"] == pool
    assert stored["infrastructure_pid"]
    assert (history[0], history[-2:]) == ("Scheduled", ["Running", "Completed"])
    assert api.task_run(run.id)["state_type"] == "COMPLETED"
    api.logs(run.id, "doubling 5", "working in process")
    # What the worker keeps is in the session's folder, not in the user's.
    assert Path(os.environ["TIDEGATE_HOME"]).parent == Path(os.environ["PREFECT_HOME"]).parent
    assert (Path(os.environ["TIDEGATE_HOME"]) / "workers").is_dir()


def test_due_run_is_claimed_without_waiting_for_a_poll(api, pool, unique):
    run = start(deploy(pool, unique("works")))

    assert api.wait_for_flow_run(run)["state_type"] == "COMPLETED"
    claimed = api.flow_run_states(run)[1]
    assert (claimed["type"], claimed["name"]) == ("PENDING", "Submitting")


def test_job_variables_reach_the_process(api, pool, unique):
    id = deploy(pool, unique("tells"), "jobs.py:tells", job_variables={"env": {"COMPAT_WORD": "from-deployment"}})

    run = start(id, job_variables={"env": {"COMPAT_WORD": "from-run"}})

    api.wait_for_flow_run(run)
    (line,) = [one["message"] for one in api.logs(run, "seen:") if one["message"].startswith("seen:")]
    assert "'word': 'from-run'" in line
    assert f"'folder': '{PROJECTS}'" in line
    assert f"'python': '{SDK_BIN}" in line


def test_import_error_is_visible_on_the_run(api, pool, unique):
    run = start(deploy(pool, unique("never"), "unimportable.py:never_runs"))

    stored = api.wait_for_flow_run(run)
    assert stored["state_type"] in ("CRASHED", "FAILED")
    lines = api.logs(run, "a_package_that_nobody_installed")
    assert any("ModuleNotFoundError" in line["message"] for line in lines)


def test_process_that_dies_is_a_crash_with_its_exit_code_and_last_words(api, pool, unique):
    run = start(deploy(pool, unique("dies"), "jobs.py:dies"))

    stored = api.wait_for_flow_run(run)
    assert stored["state_type"] == "CRASHED"
    assert "7" in stored["state"]["message"]
    api.logs(run, "last words")


def test_killed_process_is_a_crash_that_names_the_signal(api, pool, unique):
    run = start(deploy(pool, unique("lingers"), "jobs.py:lingers"))
    lines = api.logs(run, "lingering in process")
    (pid,) = [int(one["message"].split()[-1]) for one in lines if one["message"].startswith("lingering in process")]

    os.kill(pid, signal.SIGKILL)

    stored = api.wait_for_flow_run(run)
    assert stored["state_type"] == "CRASHED"
    assert "SIGKILL" in stored["state"]["message"] or "9" in stored["state"]["message"]


def test_failing_flow_is_failed_not_crashed(api, pool, unique):
    run = start(deploy(pool, unique("breaks"), "jobs.py:breaks"))

    stored = api.wait_for_flow_run(run)
    assert stored["state_type"] == "FAILED"
    assert "broken on purpose" in stored["state"]["message"]
    assert api.flow_run_history(run)[-1] == "Failed"


def test_cancelled_run_is_stopped_with_its_process(api, pool, unique):
    run = start(deploy(pool, unique("lingers"), "jobs.py:lingers"))
    lines = api.logs(run, "lingering in process")
    (pid,) = [int(one["message"].split()[-1]) for one in lines if one["message"].startswith("lingering in process")]

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelling())

    assert api.wait_for_flow_run(run)["state_type"] == "CANCELLED"
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or gone(pid))


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_suspended_run_is_started_again_in_a_new_process(api, pool, unique):
    run = start(deploy(pool, unique("suspends"), "jobs.py:suspends"))
    api.wait_for_flow_run(run, "Suspended")

    resume_flow_run(run)

    assert api.wait_for_flow_run(run)["state_type"] == "COMPLETED"
    assert api.flow_run_history(run).count("Running") == 2


def test_deployment_is_run_and_watched_by_our_command_line(api, pool, unique):
    deploy(pool, name := unique("works"))

    done = tidegate("deployment", "run", f"works/{name}", "--param", "number=6", "--watch")

    (run,) = api.flow_runs(deployments={"name": {"any_": [name]}})
    assert run["state_type"] == "COMPLETED"
    assert run["parameters"] == {"number": 6}
    assert run["name"] in done.stdout + done.stderr
    listed = json.loads(tidegate("flow-run", "ls", "--flow-name", "works", "--limit", "200", "--output", "json").stdout)
    assert run["id"] in [one["id"] for one in listed]


def test_stopped_worker_finishes_what_it_began(api, processes, unique, tmp_path):
    pool = unique("own")
    tidegate("work-pool", "create", pool, "--type", "process")
    child = processes.tidegate("worker", "start", "--pool", pool, "--type", "process")
    wait_for_worker(api, pool)
    go = tmp_path / "go"
    run = start(deploy(pool, unique("waits"), "jobs.py:waits"), parameters={"file": str(go)})
    api.logs(run, "waiting in process")

    ending = in_background(child.end)
    wait_until(lambda: "waiting for 1 runs to end" in child.output, what="a worker that waits for its run")
    assert api.flow_run(run)["state_type"] == "RUNNING"
    go.touch()

    assert ending.result(DEADLINE) == 0
    assert api.flow_run(run)["state_type"] == "COMPLETED"
