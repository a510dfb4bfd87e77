"""The cluster that tests talk to: the box. It is started if it is not up, and ended again only by whoever started it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stage
import workers

BOX = Path(__file__).resolve().parent / "box/box"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-cluster", action="store_true", help="leave the cluster running that the tests have started")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "short: what CI asks of the cluster where it is built; the rest is `make test-kubernetes`")


class Cluster:
    """kubectl and what it answers, in one namespace; with none, objects say themselves where they belong."""

    def __init__(self, namespace: str, described: dict) -> None:
        self.namespace = namespace
        self.kubeconfig = described["kubeconfig"]
        self.why_no_kubelet = described["why_no_kubelet"]

    def run(self, *words: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        where = ["--namespace", self.namespace] if self.namespace else []
        command = [str(BOX), "kubectl", *where, *words]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done

    def __call__(self, *words: str, text: str | None = None) -> str:
        return self.run(*words, text=text).stdout

    def apply(self, *objects: dict) -> None:
        self("apply", "--filename", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def get(self, *words: str) -> dict:
        return json.loads(self("get", *words, "--output", "json"))

    def eventually(self, what: str, seconds: float, look: Callable[[], object]) -> object:
        """Looks until what it finds is true. Objects that are not there yet count as false."""
        deadline = time.monotonic() + seconds
        while True:
            found = None
            with contextlib.suppress(KeyError, IndexError, AssertionError):
                found = look()
            if found:
                return found
            assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
            time.sleep(0.2)  # between two looks


@pytest.fixture(scope="session")
def box(request: pytest.FixtureRequest) -> Iterator[dict]:
    def status() -> dict | None:
        done = subprocess.run([BOX, "status"], capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    described = status()
    started = described is None
    if started:
        subprocess.run([BOX, "up"], check=True)
        described = status()
        assert described
    if described["why_no_kubelet"]:
        print(f"\nno kubelet runs here: {described['why_no_kubelet']}. Only the API server is asked.")
    yield described
    if started and not request.config.getoption("--keep-cluster"):
        subprocess.run([BOX, "down"], check=True)


@pytest.fixture
def cluster(box: dict) -> Iterator[Cluster]:
    """A namespace of the test's own, with its default service account."""
    cluster = Cluster(f"test-{uuid.uuid4().hex[:8]}", box)
    cluster("create", "namespace", cluster.namespace)
    # After an outage of the API server the cluster's own controllers come back with pauses of their own.
    cluster.eventually("a default service account", 120, lambda: cluster.get("serviceaccount", "default"))
    yield cluster
    cluster("delete", "namespace", cluster.namespace, "--wait=false")


@pytest.fixture
def pods(cluster: Cluster) -> Cluster:
    """As `cluster`, for tests whose pods really run."""
    if cluster.why_no_kubelet:
        pytest.skip(f"no kubelet runs here: {cluster.why_no_kubelet}")
    return cluster


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Server]:
    """Our server, for all tests of a session: each test has a pool and a namespace of its own."""
    with stage.serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def start(server: stage.Server, box: dict, tmp_path: Path) -> Iterator[Callable[..., stage.Process]]:
    """Starts workers that end with the test."""
    started: list[stage.Process] = []

    def begin(pool: str, name: str, kubeconfig: object = box["kubeconfig"], **settings: str) -> stage.Process:
        started.append(workers.start_worker(server, tmp_path, pool, name, kubeconfig, **settings))
        return started[-1]

    yield begin
    for process in started:
        process.stop()


@pytest.fixture(scope="session")
def flow_image(box: dict) -> str:
    """The image that runs execute, where the kubelet finds it: made once, since it takes a minute."""
    images = Path(box["images"])
    archive, sources = images / "flow.tar", stage.ROOT / "deploy/images"
    if not archive.exists() or archive.stat().st_mtime < max(path.stat().st_mtime for path in sources.rglob("*") if path.is_file()):
        command = [sources / "build", "flow", "--output", archive, "--python-layer", images / "python-layer.tar"]
        subprocess.run(command, check=True)
    subprocess.run([BOX, "load", archive], check=True)
    return stage.FLOW_IMAGE
