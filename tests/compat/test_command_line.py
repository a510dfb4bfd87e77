"""The upstream command line against the server: what people type every day."""

from __future__ import annotations

import json
import uuid

import pytest
from prefect import flow, get_client, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.system import Secret
from prefect.states import Scheduled
from support import commands, processes


def prefect(*arguments: str) -> str:
    """Runs an upstream command that has to succeed; answers what it prints."""
    return commands.prefect(*arguments).output


@flow
def spoken():
    """Leaves something to look at."""
    get_run_logger().info("said on the command line")
    create_markdown_artifact("text", key="command-line")


@pytest.fixture(scope="module")
def deployment():
    """A deployment that nobody serves: its id and its full name."""
    name = f"cli-{uuid.uuid4().hex[:8]}"
    return str(spoken.to_deployment(name).apply()), f"spoken/{name}"


def test_version_and_health_are_told_about_the_server(api):
    assert "3.8.8" in processes.prefect("version").stdout
    assert prefect("api", "GET", "/health").strip() == "true"
    assert json.loads(prefect("api", "GET", "/admin/version")) == api.get("/admin/version")


def test_flow_run_is_listed_inspected_and_its_logs_shown(api):
    id = str(spoken(return_state=True).state_details.flow_run_id)
    api.logs(id, "said on the command line")

    listed = json.loads(prefect("flow-run", "ls", "--flow-name", "spoken", "--output", "json"))
    assert id in [run["id"] for run in listed]
    inspected = json.loads(prefect("flow-run", "inspect", id, "--output", "json"))
    assert inspected["state"]["type"] == "COMPLETED"
    assert "said on the command line" in prefect("flow-run", "logs", id)


def test_deployment_is_listed_run_and_its_run_cancelled_and_deleted(api, deployment):
    id, name = deployment
    listed = json.loads(prefect("deployment", "ls", "--output", "json"))
    assert id in [one["id"] for one in listed]
    assert "'status': 'NOT_READY'" in prefect("deployment", "inspect", name)

    prefect("deployment", "run", name, "--start-in", "1 hour", "--tag", "typed")
    (run,) = api.flow_runs(flow_runs={"deployment_id": {"any_": [id]}, "tags": {"all_": ["typed"]}})
    assert run["state_type"] == "SCHEDULED"

    prefect("flow-run", "cancel", run["id"])
    assert api.flow_run(run["id"])["state_type"] == "CANCELLED"
    prefect("flow-run", "delete", run["id"])
    assert api.http.get(f"/flow_runs/{run['id']}").status_code == 404


def test_schedules_are_created_listed_and_paused(api, deployment):
    id, name = deployment
    prefect("deployment", "schedule", "create", name, "--cron", "0 0 1 1 *", "--timezone", "UTC")
    (schedule,) = api.get(f"/deployments/{id}/schedules")
    assert schedule["schedule"]["cron"] == "0 0 1 1 *"

    prefect("deployment", "schedule", "pause", name, schedule["id"])
    assert api.get(f"/deployments/{id}/schedules")[0]["active"] is False
    prefect("deployment", "schedule", "clear", name, "--accept-yes")
    assert api.get(f"/deployments/{id}/schedules") == []


def test_work_pool_is_created_limited_paused_and_deleted(api, unique):
    name = unique("typed")
    prefect("work-pool", "create", name, "--type", "process")
    pool = api.get(f"/work_pools/{name}")
    assert (pool["type"], pool["is_paused"]) == ("process", False)
    assert "command" in pool["base_job_template"]["variables"]["properties"]

    prefect("work-pool", "set-concurrency-limit", name, "3")
    prefect("work-pool", "pause", name)
    pool = api.get(f"/work_pools/{name}")
    assert (pool["concurrency_limit"], pool["is_paused"], pool["status"]) == (3, True, "PAUSED")

    prefect("work-queue", "create", "urgent", "--pool", name, "--priority", "1")
    assert api.get(f"/work_pools/{name}/queues/urgent")["priority"] == 1
    assert api.get(f"/work_pools/{name}/queues/default")["priority"] == 2
    prefect("work-pool", "delete", name)
    assert api.http.get(f"/work_pools/{name}").status_code == 404


def test_limit_on_a_tag_is_made_and_looked_at_on_the_command_line(api, unique):
    tag = unique("tag")

    prefect("concurrency-limit", "create", tag, "3")
    assert tag in prefect("concurrency-limit", "inspect", tag)
    assert tag in prefect("concurrency-limit", "ls")
    assert api.get(f"/v2/concurrency_limits/tag:{tag}")["limit"] == 3

    prefect("concurrency-limit", "reset", tag)
    prefect("concurrency-limit", "delete", tag)
    assert tag not in prefect("concurrency-limit", "ls")


def test_variables_limits_and_artifacts_are_managed(api, unique):
    name = unique("typed").replace("-", "_")
    prefect("variable", "set", name, '{"minutes": 15}')
    assert api.get(f"/variables/name/{name}")["value"] == {"minutes": 15}
    assert "15" in prefect("variable", "get", name)

    prefect("global-concurrency-limit", "create", name, "--limit", "5", "--slot-decay-per-second", "0.5")
    limit = api.limit(name)
    assert (limit["limit"], limit["slot_decay_per_second"]) == (5, 0.5)

    spoken()
    assert "command-line" in prefect("artifact", "ls")


def test_blocks_are_listed_and_inspected_without_their_secrets(unique):
    name = unique("typed")
    Secret(value="not-to-be-printed").save(name)

    assert f"secret/{name}" in prefect("block", "ls")
    inspected = prefect("block", "inspect", f"secret/{name}")
    assert name in inspected and "not-to-be-printed" not in inspected


def test_event_is_emitted(api, unique):
    resource = unique("compat.typed")
    prefect("events", "emit", "compat.typed", "--resource-id", resource, "--payload", '{"by": "hand"}')
    (event,) = api.events(name="compat.typed", resource=resource)
    assert event["payload"] == {"by": "hand"}


def test_finished_run_is_retried_from_the_command_line(api, deployment):
    id, _ = deployment
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(id, state=Scheduled()).id
    api.set_flow_run_state(run, "FAILED", force=True)

    prefect("flow-run", "retry", str(run))

    stored = api.flow_run(run)
    assert stored["state_type"] == "SCHEDULED"
    assert stored["next_scheduled_start_time"] is not None
