"""Our worker with exactly the permissions of the chart, with one of them missing, and with an image that asks for a password."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import BOX, Cluster
from stage import ROOT, Process, Server, environment, eventually, free_port
from workers import BUSYBOX, Runs, at_home, start_worker

RENDERED = ROOT / "charts/rendered/tidegate-worker/minimal.yaml"


def permit(cluster: Cluster, without: tuple[str, str] | None = None) -> None:
    """The chart's account, Roles and bindings in the test's namespace; `without` takes a verb from a resource."""
    objects = [each for each in yaml.safe_load_all(RENDERED.read_text()) if each and each["kind"] in ("ServiceAccount", "Role", "RoleBinding")]
    text = json.dumps(objects).replace('"namespace": "tidegate"', f'"namespace": "{cluster.namespace}"')
    objects = json.loads(text)
    for role in objects:
        for rule in role.get("rules", []):
            if without and without[1] in rule["resources"]:
                rule["verbs"].remove(without[0])
        if "rules" in role:
            role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
    cluster.apply(*objects)


def account(cluster: Cluster, folder: Path) -> Path:
    """A kubeconfig of the worker's service account, as its pod would have."""
    return at_home(cluster, folder, {"token": cluster("create", "token", "tidegate-worker").strip()})


@pytest.fixture
def worker(server: Server, pods: Cluster, tmp_path: Path) -> Iterator[tuple[str, object]]:
    """A pool of the test's own, and how its worker is started with the rights of the chart."""
    started: list[Process] = []
    pool = server.pool()

    def begin() -> Process:
        namespaces = {"PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": pods.namespace}
        started.append(start_worker(server, tmp_path, pool, f"poor-{pool}", account(pods, tmp_path), **namespaces))
        return started[-1]

    yield pool, begin
    for process in started:
        process.stop()


@pytest.mark.short
def test_the_charts_permissions_are_enough(server, pods, worker) -> None:
    pool, begin = worker
    permit(pods)
    begin()
    runs = Runs(server, pods, pool)
    _, failure, id = runs.fails("sh -c 'echo with few rights; exit 3'")
    assert failure["exit_code"] == 3
    eventually("its output is among the logs", 10, lambda: any("with few rights" in line for line in server.lines(id)))
    waiting = runs.start("true", image="registry.invalid/nowhere:1")
    runs.waits(waiting, "registry.invalid")
    server.cancel(waiting)
    assert server.ended(waiting)["state_type"] == "CANCELLED"
    eventually("its Job is gone", 30, lambda: not runs.jobs(waiting))
    assert pods.get("leases")["items"], "replicas are to know of each other"


def test_a_permission_that_is_missing_is_told(server, pods, worker) -> None:
    pool, begin = worker
    permit(pods, without=("create", "jobs"))
    begin()
    run, failure, id = Runs(server, pods, pool).fails("true")
    message = run["state"]["message"]
    assert "jobs" in message and "RBAC permissions" in message and f"system:serviceaccount:{pods.namespace}:tidegate-worker" in message, message


def test_output_that_may_not_be_read_is_told(server, pods, worker) -> None:
    pool, begin = worker
    permit(pods, without=("get", "pods/log"))
    begin()
    _, failure, id = Runs(server, pods, pool).fails("sh -c 'sleep 3; exit 3'")
    assert failure["exit_code"] == 3
    eventually("the log says why it has no output", 10, lambda: any("pods/log" in line and "chart's Role" in line for line in server.lines(id)))


def test_a_namespace_that_is_not_there_is_told(server, pods, worker) -> None:
    pool, _ = worker
    process = start_worker(server, server.folder, pool, f"lost-{pool}", pods.kubeconfig)
    try:
        run, failure, id = Runs(server, pods, pool).fails("true", namespace="nowhere-at-all")
        assert "Verify that the namespace 'nowhere-at-all' exists" in run["state"]["message"], run["state"]["message"]
    finally:
        process.stop()


def test_a_quota_is_told(server, pods, worker) -> None:
    pool, _ = worker
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    pods.apply(quota)
    counted = lambda: "count/jobs.batch" in pods.get("resourcequota", "none")["status"]["hard"]  # noqa: E731
    pods.eventually("the quota is in force", 30, counted)
    process = start_worker(server, server.folder, pool, f"quota-{pool}", pods.kubeconfig)
    try:
        run, failure, id = Runs(server, pods, pool).fails("true")
        assert "exceeded quota" in run["state"]["message"] and "Check the resource quotas" in run["state"]["message"], run["state"]["message"]
    finally:
        process.stop()


PASSWORD = "low-tide"


@pytest.fixture
def registry(box: dict, tmp_path: Path) -> Iterator[str]:
    """Debian's registry on loopback with one user, and busybox in it; answers the image's name."""
    program = shutil.which("docker-registry")
    if not program:
        pytest.fail("docker-registry is missing: tests/kubernetes/box/box setup")
    host = f"127.0.0.1:{free_port()}"
    # Debian's libc makes bcrypt, which is all that the registry takes.
    hashed = subprocess.run(["perl", "-e", f'print crypt("{PASSWORD}", q($2b$10$abcdefghijklmnopqrstuu))'], capture_output=True, text=True, check=True)
    (tmp_path / "users").write_text(f"robot:{hashed.stdout}\n")
    (tmp_path / "config.yml").write_text(yaml.safe_dump({
        "version": 0.1, "storage": {"filesystem": {"rootdirectory": str(tmp_path / "images")}}, "http": {"addr": host},
        "auth": {"htpasswd": {"realm": "box", "path": str(tmp_path / "users")}},
    }))  # fmt: skip
    process = Process(tmp_path / "registry.log", [program, "serve", tmp_path / "config.yml"], environment())
    answers = lambda: subprocess.run(["curl", "-s", f"http://{host}/v2/"], capture_output=True).returncode == 0  # noqa: E731
    folder = Path(box["kubeconfig"]).parent / "registries" / host
    image = f"{host}/private/busybox:1"
    try:
        eventually("the registry answers", 20, answers, process.said)
        folder.mkdir()
        (folder / "hosts.toml").write_text(f'server = "http://{host}"\n\n[host."http://{host}"]\n')
        for words in (["images", "tag", BUSYBOX, image], ["images", "push", "--plain-http", "--user", f"robot:{PASSWORD}", image], ["images", "rm", image]):
            done = subprocess.run([BOX, "ctr", *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        yield image
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_an_image_that_asks_for_a_password(server, pods, worker, registry) -> None:
    _, begin = worker
    pool = server.pool(lambda pod: pod.update(imagePullSecrets=[{"name": "robot"}]))
    process = start_worker(server, server.folder, pool, f"private-{pool}", pods.kubeconfig)
    try:
        runs = Runs(server, pods, pool)
        id = runs.start("sh -c 'exit 8'", image=registry, image_pull_policy="Always")
        runs.waits(id, registry)
        host, login = registry.split("/")[0], base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": "robot"},
                  "stringData": {".dockerconfigjson": json.dumps({"auths": {f"http://{host}": {"auth": login}, host: {"auth": login}}})}}  # fmt: skip
        pods.apply(secret)
        assert runs.crashed(id, 120)[1]["exit_code"] == 8, server.told(id)
    finally:
        process.stop()
