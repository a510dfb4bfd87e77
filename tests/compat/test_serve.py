"""The upstream runner: `serve` and `flow.serve` poll the server and start each run in a process of its own."""

from __future__ import annotations

import signal
import uuid

import pytest
from prefect import get_client
from prefect.deployments import run_deployment
from prefect.states import Cancelling
from support.processes import PROJECTS
from support.waiting import DEADLINE, wait_until


@pytest.fixture(scope="module")
def suffix():
    return uuid.uuid4().hex[:8]


@pytest.fixture(scope="module")
def runner(api, processes, suffix):
    """A process that serves all flows of this file."""
    child = processes.python(str(PROJECTS / "serves.py"), suffix)

    def ready():
        assert child.process.poll() is None, child.output
        return api.http.get(f"/deployments/name/tells/served-{suffix}").is_success

    wait_until(ready, what="the deployments of the runner")
    return child


def started(flow, suffix, **options):
    return run_deployment(f"{flow}/served-{suffix}", timeout=0, **options).id


def test_served_run_is_done_and_recorded(api, runner, suffix):
    run = run_deployment(f"works/served-{suffix}", parameters={"number": 4}, poll_interval=0.2, timeout=DEADLINE)

    assert run.state.is_completed()
    history = api.flow_run_history(run.id)
    assert (history[:2], history[-2:]) == (["Scheduled", "Pending"], ["Running", "Completed"])
    assert api.task_run(run.id)["state_type"] == "COMPLETED"
    messages = [line["message"] for line in api.logs(run.id, "doubling 4", "working in process")]
    assert any(message.startswith("working in process ") for message in messages)
    assert "served" in api.flow_run(run.id)["tags"]


def test_served_run_that_fails_is_failed_with_its_message(api, runner, suffix):
    id = started("breaks", suffix)

    run = api.wait_for_flow_run(id)
    assert run["state_type"] == "FAILED"
    assert "broken on purpose" in run["state"]["message"]


def test_served_run_knows_what_it_is(api, runner, suffix):
    id = started("tells", suffix, flow_run_name="known")

    api.wait_for_flow_run(id)
    (line,) = [one["message"] for one in api.logs(id, "seen:") if one["message"].startswith("seen:")]
    assert f"'deployment': 'served-{suffix}'" in line
    assert "'run': 'known'" in line


def test_cancelled_served_run_is_stopped(api, runner, suffix):
    id = started("lingers", suffix)
    api.logs(id, "lingering in process")

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(id, Cancelling())

    run = api.wait_for_flow_run(id)
    assert run["state_type"] == "CANCELLED"
    assert api.flow_run_history(id)[-2:] == ["Cancelling", "Cancelled"]


def test_schedule_of_a_served_flow_starts_runs(api, runner, suffix):
    deployment = api.get(f"/deployments/name/works/ticking-{suffix}")

    def done():
        return api.flow_runs(
            flow_runs={"deployment_id": {"any_": [deployment["id"]]}, "state": {"type": {"any_": ["COMPLETED"]}}}
        )

    api.post(f"/deployments/{deployment['id']}/resume_deployment")
    runs = wait_until(done, what="a run that the schedule started")
    api.post(f"/deployments/{deployment['id']}/pause_deployment")
    assert runs[0]["parameters"] == {"number": 21}
    assert runs[0]["auto_scheduled"] is True


def test_flow_serve_deploys_and_pauses_when_it_is_stopped(api, processes, unique):
    name = unique("alone")
    child = processes.python(str(PROJECTS / "serves_one.py"), name)
    id = wait_until(lambda: api.http.get(f"/deployments/name/works/{name}").json().get("id"))
    run = run_deployment(f"works/{name}", poll_interval=0.2, timeout=DEADLINE)
    assert run.state.is_completed()
    wait_until(lambda: api.get(f"/deployments/{id}")["status"] == "READY")

    # As with Ctrl-C at a terminal: after SIGTERM the upstream runner ends before it has paused anything.
    assert child.end(signal.SIGINT) == 0, child.output
    assert api.get(f"/deployments/{id}")["paused"] is True
