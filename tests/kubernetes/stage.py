"""A server of ours beside the cluster, and what tests ask of it: a pool, a deployment of the flow image, runs and their ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "crates/worker/tests/kubernetes/configurations.json"
TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
FLOW_IMAGE = "localhost/tidegate-flow:dev"


def binary() -> Path:
    found = Path(os.environ.get("TIDEGATE_BIN") or ROOT / "target/release/tidegate")
    assert found.exists(), f"there is no {found}: make build, or set TIDEGATE_BIN"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(what: str, seconds: float, look: Callable[[], object], say: Callable[[], object] = lambda: "") -> object:
    """Looks until what it finds is true; `say` tells what there was instead."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}\n{say()}"
        time.sleep(0.1)  # between two looks
    return found


def environment(**more: str) -> dict[str, str]:
    """The machine's, without settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TIDEGATE_", "KUBE"))}
    return {**kept, "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1", **more}


class Process:
    """A program with its output in a file; asked to end, then killed."""

    def __init__(self, log: Path, words: list[object], variables: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as out:
            self.child = subprocess.Popen([str(word) for word in words], env=variables, stdout=out, stderr=out, cwd=log.parent)

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(15)
        if self.child.poll() is None:
            self.kill()


class Server:
    """Our server on a free port of loopback, with a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}/api"
        port = self.url.rsplit(":", 1)[1].split("/")[0]
        words = [binary(), "server", "start", "--host", "127.0.0.1", "--port", port, "--database-url", f"sqlite:///{folder}/server.db"]
        self.process = Process(folder / "server.log", words, environment(TIDEGATE_HOME=str(folder / "home")))
        try:
            eventually("the server is healthy", 30, self.healthy, self.process.said)
        except AssertionError:
            self.process.stop()
            raise

    def healthy(self) -> bool:
        with contextlib.suppress(OSError):
            return self.call("GET", "/health") is True
        return False

    def call(self, method: str, path: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, data=data, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()[:600]}") from None

    def pool(self, change: Callable[[dict], object] = lambda pod: None, **fields: object) -> str:
        """A pool with the reference's template, whose pods can talk to this machine. `change` is given the pod's spec."""
        template = json.loads(RECORDED.read_text())["templates"]["current"]
        pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
        pod["hostNetwork"] = True
        # A variable of the pool's own.
        pod["containers"][0]["envFrom"] = "{{ env_from }}"
        template["variables"]["properties"]["env_from"] = {"type": "array"}
        # The recording has no titles, and the reference's server fails where a definition has none.
        for name, definition in template["variables"]["definitions"].items():
            definition["title"] = name
        change(pod)
        name = f"pool-{uuid.uuid4().hex[:8]}"
        self.call("POST", "/work_pools/", {"name": name, "type": "kubernetes", "base_job_template": template, **fields})
        return name

    def deploy(self, pool: str, where: str, **job_variables: object) -> str:
        """The flow that is in the image, on that pool, in the namespace `where`; answers the deployment's id."""
        flow = self.call("POST", "/flows/", {"name": "hello"})["id"]
        steps = [{"prefect.deployments.steps.set_working_directory": {"directory": "/opt/flows"}}]
        return self.call("POST", "/deployments/", {
            "name": f"hello-{uuid.uuid4().hex[:8]}", "flow_id": flow, "work_pool_name": pool, "entrypoint": "hello.py:hello", "path": "/opt/flows",
            "pull_steps": steps, "job_variables": {"namespace": where, "image": FLOW_IMAGE, **job_variables},
        })["id"]  # fmt: skip

    def start(self, deployment: str, parameters: dict | None = None, **fields: object) -> str:
        return self.call("POST", f"/deployments/{deployment}/create_flow_run", {"parameters": parameters or {}, **fields})["id"]

    def run(self, id: str) -> dict:
        return self.call("GET", f"/flow_runs/{id}")

    def until(self, id: str, what: str, seconds: float, look: Callable[[dict], object]) -> dict:
        """The run, as soon as `look` finds it so."""
        eventually(what, seconds, lambda: look(self.run(id)), lambda: f"{self.told(id)}")
        return self.run(id)

    def ended(self, id: str, seconds: float = 120) -> dict:
        return self.until(id, "the run has ended", seconds, lambda run: run["state_type"] in TERMINAL)

    def states(self, id: str) -> list[dict]:
        return self.call("GET", f"/flow_run_states/?flow_run_id={id}")

    def lines(self, id: str) -> list[str]:
        found = self.call("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [id]}}, "sort": "TIMESTAMP_ASC", "limit": 200})
        return [line["message"] for line in found]

    def told(self, id: str) -> str:
        """What the run was and what it wrote, for whoever reads a failed test."""
        states = [f"  {state['type']} {state['name']}: {state['message']}" for state in self.states(id)]
        return "\n".join([*states, *(f"  | {line}" for line in self.lines(id))])

    def events(self, prefix: str, run: str) -> list[dict]:
        wanted = {"event": {"prefix": [prefix]}, "any_resource": {"id": [f"prefect.flow-run.{run}"]}, "order": "ASC"}
        return self.call("POST", "/events/filter", {"filter": wanted, "limit": 50})["events"]

    def cancel(self, id: str) -> None:
        self.call("POST", f"/flow_runs/{id}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False})


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.process.stop()
