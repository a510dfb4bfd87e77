"""Clients that are set up as for a hosted server (an API key, and a workspace in the URL) against a server of ours.

The session's server asks for nothing; these scenarios have one of their own that asks for a key. The reference has no such mode.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import processes, targets
from support.api import Api
from support.waiting import DEADLINE

pytestmark = pytest.mark.own_worker

KEY = "pnu_of-the-scenarios"
FLOW = """
from prefect import flow, get_run_logger, task
from prefect.events import emit_event


@task
def double(number):
    get_run_logger().info("doubling %s", number)
    return 2 * number


@flow
def hosted():
    emit_event("compat.hosted", resource={"prefect.resource.id": "compat.hosted"})
    return double(21)


hosted()
"""
DEPLOYS = """
from prefect import Flow
from prefect.deployments import run_deployment

flow = Flow.from_source(source={folder!r}, entrypoint="jobs.py:works")
flow.deploy(name="hosted", work_pool_name={pool!r}, print_next_steps=False, ignore_warnings=True)
print(run_deployment("works/hosted", parameters={{"number": 5}}, timeout=0).id)
"""


class Hosted:
    """A server that asks for a key, and a client's home where nobody has logged in."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.api = Api(url)
        self.api.http.headers["Authorization"] = f"Bearer {KEY}"

    def environment(self) -> dict[str, str]:
        """The scenarios' environment, which names the session's server, with this one in the cloud's place."""
        ours = {"PREFECT_HOME": str(self.folder / "sdk"), "PREFECT_CLOUD_API_URL": self.url}
        everything = processes.environment(**ours)
        return {name: value for name, value in everything.items() if name != "PREFECT_API_URL"}

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    def prefect(self, *arguments: str) -> str:
        done = self.python("-m", "prefect", *arguments)
        assert done.returncode == 0, f"prefect {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def hosted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folder = tmp_path_factory.mktemp("hosted")
    home = folder / "server"
    home.mkdir()
    server = targets.start(request.config.option.target, home, TIDEGATE_SERVER_API_KEYS=KEY)
    try:
        yield Hosted(server.url, folder)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def logged_in(hosted: Hosted) -> Hosted:
    said = hosted.prefect("cloud", "login", "--key", KEY, "--workspace", "tidegate/default")
    assert "Using workspace 'tidegate/default'" in said
    return hosted


def test_key_that_is_none_is_refused(hosted):
    done = hosted.python("-m", "prefect", "cloud", "login", "--key", "pnu_wrong", "--workspace", "tidegate/default")

    assert done.returncode == 1
    assert "Please ensure your credentials are correct and unexpired." in done.stdout + done.stderr
    for headers in ({}, {"Authorization": "Bearer pnu_wrong"}):
        assert httpx.get(f"{hosted.url}/me/workspaces", headers=headers).status_code == 401


def test_login_writes_the_workspace_into_the_profile_and_lists_it(logged_in):
    (workspace,) = json.loads(logged_in.prefect("cloud", "workspace", "ls", "--output", "json"))
    assert (workspace["account_handle"], workspace["workspace_handle"]) == ("tidegate", "default")

    profile = json.loads(logged_in.prefect("profile", "inspect", "--output", "json"))
    expected = f"{logged_in.url}/accounts/{workspace['account_id']}/workspaces/{workspace['workspace_id']}"
    assert profile["PREFECT_API_URL"] == expected
    assert "tidegate/default" in logged_in.prefect("cloud", "workspace", "ls")
    assert "version" in logged_in.prefect("version").lower()


def test_flow_of_a_hosted_client_leaves_its_run_logs_tasks_and_events(logged_in, tmp_path):
    script = tmp_path / "hosted.py"
    script.write_text(FLOW)

    done = logged_in.python(str(script))

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    (flow,) = logged_in.api.post("/flows/filter", {"flows": {"name": {"any_": ["hosted"]}}})
    (run,) = logged_in.api.flow_runs(flow_runs={"flow_id": {"any_": [flow["id"]]}})
    assert run["state_type"] == "COMPLETED"
    # Task runs and events come by the socket, which is opened with nothing but a header.
    assert logged_in.api.task_run(run["id"])["name"].startswith("double-")
    logged_in.api.logs(run["id"], "doubling 21")
    (event,) = logged_in.api.events(name="compat.hosted", resource="compat.hosted")
    assert run["id"] in json.dumps(event["related"])


def test_worker_of_a_hosted_client_does_a_run(logged_in, unique, tmp_path):
    pool = unique("hosted")
    logged_in.prefect("work-pool", "create", pool, "--type", "process")
    script = tmp_path / "deploys.py"
    script.write_text(DEPLOYS.format(folder=str(processes.PROJECTS), pool=pool))
    submitted = logged_in.python(str(script))
    assert submitted.returncode == 0, f"{submitted.stdout}\n{submitted.stderr}"
    run = submitted.stdout.split()[-1]

    done = logged_in.python("-m", "prefect", "worker", "start", "--pool", pool, "--name", "there", "--run-once")

    # The worker reads the answer to its heartbeat as the id that it has.
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    (worker,) = logged_in.api.post(f"/work_pools/{pool}/workers/filter")
    assert worker["name"] == "there"
    assert logged_in.api.wait_for_flow_run(run)["state_type"] == "COMPLETED"
    assert logged_in.api.task_run(run)["state_type"] == "COMPLETED"
    logged_in.api.logs(run, "doubling 5", "working in process")


def test_what_the_server_does_not_have_is_said_in_the_clients_words(logged_in):
    done = logged_in.python("-m", "prefect", "cloud", "ip-allowlist", "ls")

    assert done.returncode == 1
    assert "not available for this account" in done.stdout + done.stderr
