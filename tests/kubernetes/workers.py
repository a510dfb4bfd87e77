"""Workers of ours, and runs for them, as all tests of this folder start them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from stage import Process, Server, binary, environment, eventually

if TYPE_CHECKING:
    from conftest import Cluster

BUSYBOX = "localhost/busybox:1"
RUN = "prefect.io/flow-run-id"


def start_worker(server: Server, folder: Path, pool: str, name: str, kubeconfig: object, **settings: str) -> Process:
    """A worker that looks at all namespaces, unless settings say otherwise; one name has one home."""
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    variables = environment(
        PREFECT_API_URL=server.url, KUBECONFIG=str(kubeconfig), TIDEGATE_HOME=str(home),
        **{"PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": "*", **settings},
    )  # fmt: skip
    process = Process(home / "worker.log", [binary(), "worker", "start", "--pool", pool, "--type", "kubernetes", "--name", name], variables)
    online = lambda: {each["name"] for each in server.call("POST", f"/work_pools/{pool}/workers/filter", {}) if each["status"] == "ONLINE"}  # noqa: E731
    eventually(f"the worker {name} is online", 30, lambda: name in online(), process.said)
    return process


def at_home(cluster: Cluster, folder: Path, user: dict | None = None) -> Path:
    """A kubeconfig whose own namespace is the test's, as it is for a worker in a pod; of another user if one is given."""
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    config["contexts"][0]["context"]["namespace"] = cluster.namespace
    if user:
        config["users"][0]["user"] = user
    path = folder / "home.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


class Runs:
    """Runs of busybox, which starts at once: how its process ends is what matters here."""

    def __init__(self, server: Server, cluster: Cluster, pool: str) -> None:
        self.server, self.cluster, self.pool = server, cluster, pool

    def start(self, command: str, pool: str | None = None, **job_variables: object) -> str:
        deployment = self.server.deploy(pool or self.pool, self.cluster.namespace, **{"image": BUSYBOX, "command": command, **job_variables})
        return self.server.start(deployment)

    def fails(self, command: str, seconds: float = 60, **job_variables: object) -> tuple[dict, dict, str]:
        """The run, its failure, and its id, once it has crashed."""
        id = self.start(command, **job_variables)
        return *self.crashed(id, seconds), id

    def crashed(self, id: str, seconds: float = 60) -> tuple[dict, dict]:
        run = self.server.ended(id, seconds)
        assert run["state_type"] == "CRASHED", self.server.told(id)
        return run, self.failure(id)

    def failure(self, id: str) -> dict:
        return self.server.call("GET", f"/flow_runs/{id}/infrastructure")["failure"]

    def jobs(self, id: str) -> list[dict]:
        return self.cluster.get("jobs", "--selector", f"{RUN}={id}")["items"]

    def pod(self, id: str) -> dict | None:
        return next(iter(self.cluster.get("pods", "--selector", f"{RUN}={id}")["items"]), None)

    def running(self, id: str) -> dict:
        """The run's pod, once its container runs."""
        phase = lambda: (self.pod(id) or {}).get("status", {}).get("phase") == "Running"  # noqa: E731
        eventually("the pod is running", 60, phase, lambda: self.server.told(id))
        return self.pod(id)

    def waits(self, id: str, word: str, seconds: float = 60) -> dict:
        """The run, once its state says what it waits for."""
        is_told = lambda run: run["state_name"] == "InfrastructurePending" and word in run["state"]["message"]  # noqa: E731
        return self.server.until(id, f"the run says that it waits for {word}", seconds, is_told)
