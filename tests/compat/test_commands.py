"""Every core command of the upstream command line, with its usual options and its usual mistakes; well over a hundred calls.

What people type every day has scenarios of its own in `test_command_line.py`; here each noun is gone through whole.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import pytest
import yaml
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.states import Scheduled
from support.commands import prefect, refuses

ABSENT = "0e5be0a6-3a07-4f0c-9d3c-5f2a7a1f1c11"
PROJECTS = Path(__file__).parent / "projects"


@task
def step():
    get_run_logger().info("said by the step")


@flow
def toured():
    """Leaves a run, a task run, logs and an artifact."""
    get_run_logger().info("said by the flow")
    create_markdown_artifact("text", key="toured")
    step()


@pytest.fixture(scope="module")
def deployment():
    """A deployment that nobody serves: its id and its full name."""
    name = f"tour-{uuid.uuid4().hex[:8]}"
    return str(toured.to_deployment(name).apply()), f"toured/{name}"


@pytest.fixture(scope="module")
def run():
    return str(toured(return_state=True).state_details.flow_run_id)


def test_variables(unique):
    name = unique("typed").replace("-", "_")
    prefect("variable", "set", name, "5", "--tag", "one", "--tag", "two").says(f"Set variable '{name}'.")
    assert prefect("variable", "get", name).json() == 5
    refuses("variable", "set", name, "6").says("already exists")
    prefect("variable", "set", name, '{"a": [1]}', "--overwrite")
    prefect("variable", "inspect", name).says(name, "'a'")
    assert prefect("variable", "inspect", name, "--output", "json").json()["value"] == {"a": [1]}
    prefect("variable", "ls", "--limit", "200").says(name)
    assert name in [one["name"] for one in prefect("variable", "ls", "--limit", "200", "--output", "json").json()]
    prefect("variable", "unset", name).says("Unset variable")
    for command in (("get", name), ("inspect", name), ("unset", name)):
        refuses("variable", *command).says("not found")


def test_blocks_and_their_types(tmp_path, unique):
    name, slug = unique("typed"), f"tour-{uuid.uuid4().hex[:8]}"
    module = tmp_path / "blocks_of_ours.py"
    module.write_text(f"from prefect.blocks.core import Block\n\nclass Ours(Block):\n    _block_type_name = '{slug}'\n    number: int = 1\n")
    prefect("block", "register", "--file", str(module)).says("Successfully registered 1 block")
    prefect("block", "type", "ls").says(slug)
    assert slug in json.dumps(prefect("block", "type", "ls", "--output", "json").json())
    prefect("block", "type", "inspect", slug).says(slug, "number")
    assert slug in json.dumps(prefect("block", "type", "inspect", slug, "--output", "json").json())
    refuses("block", "type", "inspect", "absent").says("not found")

    id = str(Secret(value="not-to-be-printed").save(name))
    prefect("block", "ls").says(f"secret/{name}")
    assert id in [one["id"] for one in prefect("block", "ls", "--output", "json").json()]
    prefect("block", "inspect", f"secret/{name}").says(name).omits("not-to-be-printed")
    prefect("block", "inspect", "--id", id, "--output", "json").says(id).omits("not-to-be-printed")
    refuses("block", "inspect", "secret/absent").says("not found")
    refuses("block", "inspect", "no-slash").says("is not valid")
    prefect("block", "delete", f"secret/{name}").says("Deleted Block")
    refuses("block", "delete", f"secret/{name}").says("not found")
    refuses("block", "delete", "--id", ABSENT).says("not found")

    prefect("block", "type", "delete", slug).says("Deleted Block Type")
    refuses("block", "type", "delete", slug).says("not found")
    refuses("block", "type", "delete", "secret").says("is a protected block")


def test_work_pools(api, tmp_path, unique):
    name = unique("tour")
    template = tmp_path / "template.json"
    prefect("work-pool", "get-default-base-job-template", "--type", "process", "--file", str(template))
    body = json.loads(template.read_text())
    body["variables"]["properties"]["extra"] = {"type": "string"}
    template.write_text(json.dumps(body))

    prefect("work-pool", "create", name, "--type", "process", "--base-job-template", str(template), "--paused").says(f"Created work pool '{name}'")
    refuses("work-pool", "create", name, "--type", "process").says("already exists")
    refuses("work-pool", "create", unique("tour"), "--type", "no-such-type").says("Unknown work pool type")
    assert "extra" in api.get(f"/work_pools/{name}")["base_job_template"]["variables"]["properties"]
    prefect("work-pool", "create", name, "--type", "process", "--overwrite").says("Updated work pool")
    prefect("work-pool", "ls").says(name)
    prefect("work-pool", "ls", "--verbose").says("Base Job Template")
    assert name in [one["name"] for one in prefect("work-pool", "ls", "--output", "json").json()]
    prefect("work-pool", "inspect", name).says(name)
    assert prefect("work-pool", "inspect", name, "--output", "json").json()["name"] == name
    prefect("work-pool", "pause", name).says("Paused work pool")
    prefect("work-pool", "resume", name).says("Resumed work pool")
    prefect("work-pool", "set-concurrency-limit", name, "7").says("to 7")
    prefect("work-pool", "update", name, "--description", "ours", "--concurrency-limit", "8").says("Updated work pool")
    pool = api.get(f"/work_pools/{name}")
    assert (pool["description"], pool["concurrency_limit"]) == ("ours", 8)
    prefect("work-pool", "slots", name).says(name, "No flow runs occupying slots.")
    prefect("work-pool", "slots", name, "--output", "json").json()
    prefect("work-pool", "clear-concurrency-limit", name).says("Cleared concurrency limit")
    prefect("work-pool", "preview", name)
    prefect("work-pool", "preview", name, "--hours", "5", "--output", "json").json()
    prefect("work-pool", "delete", name).says("Deleted work pool")
    for command in (("inspect", name), ("delete", name), ("pause", name), ("resume", name), ("update", name, "--description", "x"), ("set-concurrency-limit", name, "1"), ("slots", name)):
        refuses("work-pool", *command)


def test_work_queues(api, unique):
    pool, name = unique("tour"), unique("queue")
    prefect("work-pool", "create", pool, "--type", "process")
    of = ("--pool", pool)
    prefect("work-queue", "create", name, *of, "--limit", "3", "--priority", "2").says(name)
    refuses("work-queue", "create", name, *of).says("already exists")
    refuses("work-queue", "create", name, "--pool", "absent").says("not found")
    prefect("work-queue", "ls", *of).says(name)
    prefect("work-queue", "ls", *of, "--verbose").says(name)
    assert name in [one["name"] for one in prefect("work-queue", "ls", *of, "--output", "json").json()]
    prefect("work-queue", "inspect", name, *of).says(name)
    assert prefect("work-queue", "inspect", name, *of, "--output", "json").json()["concurrency_limit"] == 3
    prefect("work-queue", "set-concurrency-limit", name, "5", *of)
    assert api.get(f"/work_pools/{pool}/queues/{name}")["concurrency_limit"] == 5
    prefect("work-queue", "clear-concurrency-limit", name, *of)
    assert api.get(f"/work_pools/{pool}/queues/{name}")["concurrency_limit"] is None
    prefect("work-queue", "pause", name, *of)
    assert api.get(f"/work_pools/{pool}/queues/{name}")["is_paused"] is True
    prefect("work-queue", "resume", name, *of)
    assert api.get(f"/work_pools/{pool}/queues/{name}")["is_paused"] is False
    prefect("work-queue", "preview", name, *of)
    prefect("work-queue", "read-runs", name, *of).says("Read 0 runs")
    prefect("work-queue", "slots", name, *of)
    prefect("work-queue", "delete", name, *of)
    refuses("work-queue", "inspect", name, *of).says(f"No work queue named '{name}' found")
    refuses("work-queue", "delete", name, *of)


def test_limits(api, unique):
    name = unique("tour")
    prefect("gcl", "create", name, "--limit", "5", "--disable", "--active-slots", "1").says("Created global concurrency limit")
    refuses("gcl", "create", name, "--limit", "5").says("already exists")
    prefect("global-concurrency-limit", "enable", name).says("Enabled")
    refuses("global-concurrency-limit", "enable", name).says("already enabled")
    prefect("global-concurrency-limit", "disable", name).says("Disabled")
    refuses("global-concurrency-limit", "disable", name).says("already disabled")
    prefect("gcl", "update", name, "--limit", "9", "--slot-decay-per-second", "0.5").says("Updated")
    refuses("gcl", "update", name).says("No update arguments")
    refuses("gcl", "update", name, "--enable", "--disable")
    assert api.limit(name)["limit"] == 9
    prefect("gcl", "inspect", name).says(name)
    assert prefect("gcl", "inspect", name, "--output", "json").json()["limit"] == 9
    prefect("gcl", "ls").says(name)
    assert name in [one["name"] for one in prefect("gcl", "ls", "--output", "json").json()]
    prefect("gcl", "delete", name).says("Deleted")
    for command in (("inspect", name), ("delete", name), ("enable", name), ("update", name, "--limit", "1")):
        refuses("gcl", *command).says("not found")

    tag = unique("tag")
    prefect("concurrency-limit", "create", tag, "2").says(tag)
    assert prefect("concurrency-limit", "inspect", tag, "--output", "json").json()["concurrency_limit"] == 2
    assert tag in [one["tag"] for one in prefect("concurrency-limit", "ls", "--output", "json").json()]
    prefect("concurrency-limit", "reset", tag).says("Reset concurrency limit")
    prefect("concurrency-limit", "delete", tag).says("Deleted concurrency limit")
    for command in ("inspect", "reset", "delete"):
        refuses("concurrency-limit", command, tag).says("No concurrency limit found")


def test_flows_and_runs(api, run):
    api.logs(run, "said by the flow")
    api.logs(run, "said by the step")
    prefect("flow", "ls", "--limit", "200").says("toured")
    assert "toured" in [one["name"] for one in prefect("flow", "ls", "--limit", "200", "--output", "json").json()]
    prefect("flow-run", "ls", "--flow-name", "toured").says(run)
    prefect("flow-run", "ls", "--flow-name", "toured", "--state-type", "COMPLETED", "--limit", "5").says(run)
    prefect("flow-run", "ls", "--flow-name", "toured", "--state", "Crashed").omits(run)
    refuses("flow-run", "ls", "--state-type", "NONSENSE").says("Invalid state type")
    prefect("flow-run", "inspect", run).says(run)
    assert prefect("flow-run", "inspect", run, "--output", "json").json()["id"] == run
    prefect("flow-run", "logs", run).says("said by the flow")
    prefect("flow-run", "logs", run, "--head", "--num-logs", "1")
    prefect("flow-run", "logs", run, "--tail", "--num-logs", "1")
    prefect("flow-run", "logs", run, "--reverse").says("said by the flow")
    assert "said by the flow" in [line["message"] for line in prefect("flow-run", "logs", run, "--output", "json").json()]
    refuses("flow-run", "logs", run, "--head", "--tail").says("not both")
    prefect("flow-run", "watch", run)
    for command in ("inspect", "logs", "delete", "cancel", "retry"):
        refuses("flow-run", command, ABSENT).says("not found")

    (task_run,) = [one for one in api.task_runs(run) if one["name"].startswith("step")]
    id = task_run["id"]
    prefect("task-run", "ls", "--task-run-name", task_run["name"]).says(task_run["name"])
    prefect("task-run", "ls", "--state-type", "COMPLETED", "--limit", "200", "--output", "json").json()
    refuses("task-run", "ls", "--state-type", "NONSENSE").says("Invalid state type")
    prefect("task-run", "inspect", id).says(id)
    assert prefect("task-run", "inspect", id, "--output", "json").json()["id"] == id
    prefect("task-run", "logs", id).says("said by the step")
    refuses("task-run", "inspect", ABSENT).says("not found")
    refuses("task-run", "logs", ABSENT).says("not found")


def test_runs_are_cancelled_retried_and_deleted(api, deployment):
    id, _ = deployment
    with get_client(sync_client=True) as client:
        run = str(client.create_flow_run_from_deployment(id, state=Scheduled()).id)
    refuses("flow-run", "retry", run).says("cannot be retried")
    prefect("flow-run", "cancel", run).says("was successfully scheduled for cancellation")
    assert api.flow_run(run)["state_type"] in ("CANCELLING", "CANCELLED")
    api.set_flow_run_state(run, "FAILED", force=True)
    prefect("flow-run", "retry", run).says("has been scheduled for retry")
    prefect("flow-run", "delete", run).says("Successfully deleted")
    refuses("flow-run", "inspect", run).says("not found")


def test_deployments(api, deployment):
    id, name = deployment
    prefect("deployment", "ls").says(name)
    prefect("deployment", "ls", "toured", "--by-created").says(name)
    assert id in [one["id"] for one in prefect("deployment", "ls", "--output", "json").json()]
    prefect("deployment", "inspect", name).says(id)
    assert prefect("deployment", "inspect", name, "--output", "json").json()["id"] == id
    refuses("deployment", "inspect", "toured/absent").says("not found")
    refuses("deployment", "inspect", "no-slash").says("Invalid deployment name")
    prefect("deployment", "run", name, "--flow-run-name", "typed by hand", "--start-in", "2 hours").says("typed by hand")
    prefect("deployment", "run", "--id", id, "--start-at", "in 3 hours")
    prefect("deployment", "run", name, "--start-in", "1 hour", "--job-variable", "a=1", "--tag", "toured")
    refuses("deployment", "run", name, "--param", "absent=1").says("not found on the deployment")
    refuses("deployment", "run", "toured/absent").says("not found")
    refuses("deployment", "run", name, "--start-in", "1 hour", "--start-at", "2 hours").says("not both")
    assert len(api.flow_runs(flow_runs={"deployment_id": {"any_": [id]}, "tags": {"all_": ["toured"]}})) == 1

    prefect("deployment", "schedule", "create", name, "--interval", "3600", "--anchor-date", "2030-01-01").says("Created deployment schedule")
    prefect("deployment", "schedule", "create", name, "--rrule", "FREQ=DAILY").says("Created deployment schedule")
    prefect("deployment", "schedule", "create", name, "--cron", "0 4 * * *", "--timezone", "Europe/Berlin", "--no-active")
    refuses("deployment", "schedule", "create", name, "--cron", "x", "--interval", "5").says("Exactly one of")
    refuses("deployment", "schedule", "create", name, "--cron", "not a cron")
    prefect("deployment", "schedule", "ls", name).says("FREQ=DAILY")
    listed = prefect("deployment", "schedule", "ls", name, "--output", "json").json()
    assert len(listed) == 3
    (paused,) = [one for one in api.get(f"/deployments/{id}/schedules") if not one["active"]]
    prefect("deployment", "schedule", "resume", name, paused["id"]).says("Resumed schedule")
    prefect("deployment", "schedule", "pause", name, paused["id"]).says("Paused schedule")
    refuses("deployment", "schedule", "pause", name, ABSENT)
    prefect("deployment", "schedule", "delete", name, paused["id"], "--accept-yes").says("Deleted deployment schedule")
    prefect("deployment", "schedule", "clear", name, "--accept-yes").says("Cleared all schedules")
    assert api.get(f"/deployments/{id}/schedules") == []

    spare = str(toured.to_deployment(f"spare-{uuid.uuid4().hex[:8]}").apply())
    prefect("deployment", "delete", "--id", spare).says("Deleted deployment")
    refuses("deployment", "delete", "--id", spare).says("not found")


def test_deploy_and_project(api, monkeypatch, tmp_path, unique):
    pool, name = unique("tour"), unique("typed")
    prefect("work-pool", "create", pool, "--type", "process")
    shutil.copy(PROJECTS / "jobs.py", tmp_path / "jobs.py")
    monkeypatch.chdir(tmp_path)
    prefect("--no-prompt", "init", "--recipe", "local")
    assert (tmp_path / "prefect.yaml").exists()
    prefect("--no-prompt", "deploy", "jobs.py:works", "--name", name, "--pool", pool, "--cron", "0 1 * * *", "--param", "number=3", "--tag", "typed", "--description", "ours", "--version", "2", "--concurrency-limit", "2", "--job-variable", "a=b").says(f"works/{name}")
    deployed = api.get(f"/deployments/name/works/{name}")
    assert (deployed["parameters"], deployed["tags"], deployed["version"], deployed["job_variables"]) == ({"number": 3}, ["typed"], "2", {"a": "b"})
    assert deployed["schedules"][0]["schedule"]["cron"] == "0 1 * * *"

    other = unique("listed")
    described = yaml.safe_load((tmp_path / "prefect.yaml").read_text())
    described["deployments"] = [{"name": f"{other}-{number}", "entrypoint": "jobs.py:works", "work_pool": {"name": pool}} for number in range(2)]
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(described))
    prefect("--no-prompt", "deploy", "--all").says(f"works/{other}-0", f"works/{other}-1")
    prefect("--no-prompt", "deploy", "--name", f"{other}-0").says(f"works/{other}-0")
    refuses("--no-prompt", "deploy", "jobs.py:absent", "--name", name, "--pool", pool)
    refuses("--no-prompt", "deploy", "jobs.py:works", "--name", name, "--pool", "absent").says("absent")


def test_artifacts(api, run):
    (artifact,) = api.artifacts(run)
    prefect("artifact", "ls").says("toured")
    # One: it sorts by key, and cannot where two artifacts have none.
    prefect("artifact", "ls", "--all", "--limit", "1")
    assert "toured" in [one["key"] for one in prefect("artifact", "ls", "--limit", "200", "--output", "json").json()]
    prefect("artifact", "inspect", "toured").says("toured")
    assert artifact["id"] in [one["id"] for one in prefect("artifact", "inspect", "toured", "--output", "json").json()]
    refuses("artifact", "inspect", "absent").says("not found")
    prefect("artifact", "delete", "--id", artifact["id"]).says("Deleted artifact")
    refuses("artifact", "delete", "--id", artifact["id"]).says("not found")
    refuses("artifact", "delete", "absent").says("not found")
    refuses("artifact", "delete").says("Please provide")


def test_events_and_the_bare_api(api, unique):
    thing = unique("tour.thing")
    prefect("events", "emit", "tour.happened", "--resource-id", thing, "--payload", '{"n": 1}').says("Successfully emitted event")
    prefect("event", "emit", "tour.happened", "--resource", json.dumps({"prefect.resource.id": thing, "k": "v"}), "--related", json.dumps([{"prefect.resource.id": "x", "prefect.resource.role": "flow"}]))
    refuses("events", "emit", "tour.happened", "--resource", "[]")
    refuses("events", "emit", "tour.happened", "--resource-id", thing, "--payload", "no json").says("valid JSON")
    assert len(api.events(name="tour.happened", resource=thing, count=2)) == 2

    assert prefect("api", "GET", "/hello").json() == "👋"
    assert prefect("api", "POST", "/flows/count").json() >= 0
    assert prefect("api", "POST", "/flows/filter", "--data", '{"limit": 1}').json() is not None
    made = prefect("api", "POST", "/flows/", "--data", json.dumps({"name": unique("typed")})).json()
    assert prefect("api", "GET", f"/flows/{made['id']}").json()["id"] == made["id"]
    prefect("api", "PATCH", f"/flows/{made['id']}", "--data", '{"tags": ["typed"]}')
    assert api.get(f"/flows/{made['id']}")["tags"] == ["typed"]
    prefect("api", "DELETE", f"/flows/{made['id']}")
    assert api.http.get(f"/flows/{made['id']}").status_code == 404


def test_the_server_and_the_profile():
    assert prefect("server", "status", "--output", "json").json()["status"] == "available"
    prefect("server", "status", "--wait", "--timeout", "5").says("available")
    prefect("version", "--omit-integrations").says("3.8.8")
    prefect("config", "view").says("PREFECT_API_URL")
    prefect("config", "validate").says("Configuration valid!")
    prefect("profile", "create", "tour").says("Created profile")
    prefect("profile", "inspect", "tour")
    prefect("profile", "rename", "tour", "toured").says("Renamed profile")
    prefect("profile", "ls").says("toured")
    prefect("profile", "delete", "toured").says("Removed profile")
    refuses("profile", "inspect", "toured").says("not found")
