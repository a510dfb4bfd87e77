"""Servers of our own to hurt: each test starts the binary, kills it, and looks at what is left. No SDK is involved."""

import itertools
import json
import os
import pathlib
import signal
import subprocess
import time
import uuid

import httpx
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary() -> str:
    if path := os.environ.get("TIDEGATE_BIN"):
        return path
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for kind in ("release", "debug"):
        if (target / kind / "tidegate").exists():
            return str(target / kind / "tidegate")
    pytest.fail("no tidegate binary: build one or set TIDEGATE_BIN")


# Ends a test that will never come true; no test that passes is near it, on however loaded a machine.
DEADLINE = 120.0


def wait_until(condition, seconds=DEADLINE, what="the condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    pytest.fail(f"{what} did not come true within {seconds} s")


# A lease that no test outlives, however slow the machine.
LONG = 3600.0


class Server:
    """One server process; `url` is its API."""

    def __init__(self, home, database_url=None, **settings):
        self.home, self.database_url, self.settings = home, database_url, settings
        self.process = None

    def start(self, wait=True, *options):
        # Port 0: the server takes a free one and writes which, so that nobody can take it in between.
        command = [binary(), "server", "start", "--host", "127.0.0.1", "--port", "0", *options]
        if self.database_url:
            command += ["--database-url", self.database_url]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "TIDEGATE_"))}
        self.log = open(self.home / "server.log", "ab")
        self.process = subprocess.Popen(
            command, env={**clean, "TIDEGATE_HOME": str(self.home), **self.settings}, stdout=self.log, stderr=self.log
        )
        if wait:
            self.url = wait_until(self.address, what="the server's address")
            self.client = httpx.Client(base_url=self.url, timeout=DEADLINE)
            wait_until(self.is_up, what="the server's start")
        return self

    def address(self):
        """What this process wrote when it listened; nothing before that."""
        self.require_running()
        try:
            written = json.loads((self.home / "server.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return written["api_url"] if written["pid"] == self.process.pid else None

    def require_running(self):
        if self.process.poll() is not None:
            pytest.fail(f"the server ended: {(self.home / 'server.log').read_text()[-2000:]}")

    def is_up(self):
        self.require_running()
        try:
            return self.client.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        return self.process.wait(timeout=DEADLINE)

    def post(self, path, body=None, status=(200, 201), **kwargs):
        answer = self.client.post(path, json=body if body is not None else {}, **kwargs)
        assert answer.status_code in status, (path, answer.status_code, answer.text[:500])
        return answer.json() if answer.content else None

    def get(self, path):
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return answer.json()

    def flow(self):
        return self.post("/flows/", {"name": f"flow-{uuid.uuid4().hex[:8]}"})

    def pool(self):
        return self.post("/work_pools/", {"name": f"pool-{uuid.uuid4().hex[:8]}", "type": "process"})

    def scheduled_run(self, flow, pool, **extra):
        body = {"flow_id": flow["id"], "work_pool_name": pool["name"], "state": {"type": "SCHEDULED"}, **extra}
        return self.post("/flow_runs/", body)

    def run(self, run):
        return self.get(f"/flow_runs/{run['id']}")

    def claim(self, pool, worker="worker", limit=1, wait=0, lease=LONG):
        body = {"worker_name": worker, "limit": limit, "wait_seconds": wait, "lease_seconds": lease}
        return self.post(f"/work_pools/{pool['name']}/claim", body)["runs"]

    def renew(self, pool, *claimed, worker="worker", lease=LONG):
        runs = [{"flow_run_id": one["flow_run"]["id"], "token": one["owner"]["token"]} for one in claimed]
        return self.post(f"/work_pools/{pool['name']}/leases/renew", {"worker_name": worker, "lease_seconds": lease, "runs": runs})

    def set_state(self, run, kind, headers=None, **state):
        return self.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": kind, **state}}, headers=headers)


_numbers = itertools.count()


def _postgres_url():
    base = os.environ.get("TIDEGATE_TEST_POSTGRES_URL")
    if not base:
        return None
    name = f"faults_{os.getpid()}_{next(_numbers)}"
    subprocess.run(["psql", "-q", base, "-c", f"CREATE DATABASE {name}"], check=True)
    return base.rsplit("/", 1)[0] + "/" + name


def targets():
    return ["sqlite", "postgres"] if os.environ.get("TIDEGATE_TEST_POSTGRES_URL") else ["sqlite"]


@pytest.fixture(params=targets())
def make_server(request, tmp_path):
    made = []

    def make(home=None, **settings):
        database_url = _postgres_url() if request.param == "postgres" else None
        server = Server(home or tmp_path, database_url, **settings)
        made.append(server)
        return server

    yield make
    for server in made:
        if server.process and server.process.poll() is None:
            server.kill()


class Postgres:
    """A PostgreSQL of the test's own, to stop and start again."""

    def __init__(self, folder):
        self.folder = folder
        self.url = self._run("start").strip()

    def _run(self, command):
        script = str(ROOT / "scripts" / "postgres")
        return subprocess.run([script, command, str(self.folder)], check=True, capture_output=True, text=True).stdout

    def restart(self):
        self._run("restart")

    def stop(self):
        self._run("stop")


@pytest.fixture
def own_postgres():
    import tempfile

    postgres = Postgres(pathlib.Path(tempfile.mkdtemp(prefix="tidegate-faults-")))
    yield postgres
    postgres.stop()
