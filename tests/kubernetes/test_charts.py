"""The charts, asked of a real API server and installed by helm: fields, admission, permissions, and that server and worker start."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import stage
import yaml
from conftest import BOX, Cluster

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "charts"), str(BOX.parent), str(ROOT / "tests/charts")]
import paths  # noqa: E402
import render  # noqa: E402
import schemas  # noqa: E402
import tools  # noqa: E402

NAMESPACES = ["tidegate", "flows", "flows-gpu", "monitoring"]
# Kinds of other projects, whose definitions no API server has by itself.
FOREIGN = {"ServiceMonitor", "ScaledObject", "Cluster", "Gateway", "HTTPRoute", "HelmRelease"}


def manifests() -> dict[str, list[dict]]:
    """What is committed, and what deploy/ builds to."""
    found = {f"{path.parent.name}/{path.stem}": path.read_text() for path in sorted(render.RENDERED.glob("*/*.yaml"))}
    for folder in sorted((ROOT / "deploy").glob("*/**/overlays/*")):
        done = subprocess.run([paths.BOX, "kubectl", "kustomize", folder], capture_output=True, text=True)
        found[folder.relative_to(ROOT).as_posix()] = done.stdout if done.returncode == 0 else f"error: {done.stderr!r}"
    return {name: [each for each in yaml.safe_load_all(text) if each] for name, text in found.items()}


MANIFESTS = manifests() if paths.BOX.exists() else {}


@pytest.fixture(scope="module")
def namespaces(box: dict) -> Cluster:
    cluster = Cluster("", box)
    cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES))
    return cluster


@pytest.mark.short
@pytest.mark.parametrize("name", MANIFESTS)
def test_the_api_server_takes_what_is_rendered(namespaces, name) -> None:
    objects = [each for each in MANIFESTS[name] if each["kind"] not in FOREIGN]
    if objects:
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        said = namespaces.run("apply", "--dry-run=server", "--validate=strict", "--filename", "-", text=body)
        assert len(said.stdout.splitlines()) == len(objects)
    else:
        assert {each["kind"] for each in MANIFESTS[name]} <= FOREIGN


@pytest.fixture(scope="module")
def kubeconform(box: dict) -> list[str]:
    tools.require("kubeconform")
    folder = paths.CACHE / "schemas"
    written = schemas.write(json.loads(Cluster("default", box)("get", "--raw", "/openapi/v2")), folder)
    assert written > 100
    return [str(paths.TOOLS / "kubeconform"), "-strict", "-schema-location", f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"]


def conforms(kubeconform: list[str], objects: list[dict]) -> subprocess.CompletedProcess[str]:
    command = [*kubeconform, "-skip", ",".join(sorted(FOREIGN)), "-"]
    return subprocess.run(command, input=yaml.safe_dump_all(objects), capture_output=True, text=True)


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_is_rendered_conforms(kubeconform, name) -> None:
    done = conforms(kubeconform, MANIFESTS[name])
    assert done.returncode == 0, done.stdout


def test_kubeconform_finds_a_field_that_is_not_there(kubeconform) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"portz": []}}
    done = conforms(kubeconform, [service])
    assert done.returncode and "portz" in done.stdout


@pytest.mark.parametrize("name", [name for name in MANIFESTS if name.startswith("tidegate-")])
def test_pods_are_taken_where_only_restricted_ones_are(cluster, name) -> None:
    cluster("label", "namespace", cluster.namespace, "pod-security.kubernetes.io/enforce=restricted")
    specs = [each["spec"]["template"]["spec"] for each in MANIFESTS[name] if each["kind"] == "Deployment"]
    specs += [each["spec"] for each in MANIFESTS[name] if each["kind"] == "Pod"]
    for number, spec in enumerate(specs):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{number}"}, "spec": {**spec, "serviceAccountName": "default"}}
        cluster.run("apply", "--dry-run=server", "--filename", "-", text=json.dumps(pod))


def test_the_workers_permissions_are_these_and_no_others(namespaces) -> None:
    roles = [each for each in MANIFESTS["tidegate-worker/minimal"] if each["kind"] in ("Role", "RoleBinding", "ServiceAccount")]
    namespaces.apply(*roles)

    def may(verb: str, resource: str, namespace: str = "tidegate") -> bool:
        who = "system:serviceaccount:tidegate:tidegate-worker"
        asked = namespaces.run("auth", "can-i", verb, resource, "--namespace", namespace, "--as", who, check=False)
        return asked.stdout.strip() == "yes"

    try:
        for verb in ("create", "get", "list", "watch", "patch", "delete"):
            assert may(verb, "jobs.batch"), verb
        for verb in ("get", "list", "watch", "delete"):
            assert may(verb, "pods"), verb
        assert may("get", "pods/log") and may("list", "events") and may("watch", "events")
        assert may("create", "secrets") and may("get", "secrets") and may("delete", "secrets")
        assert may("update", "leases.coordination.k8s.io")
        for verb, resource in (("create", "pods"), ("create", "pods/exec"), ("list", "secrets"), ("get", "configmaps"), ("list", "nodes"), ("get", "namespaces")):
            assert not may(verb, resource), f"{verb} {resource}"
        assert not may("create", "jobs.batch", "default") and not may("get", "secrets", "kube-system")
    finally:
        namespaces("delete", "--filename", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": roles}))


class Releases:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        tools.require("helm")

    def __call__(self, *words: str) -> str:
        command = [str(paths.TOOLS / "helm"), "--kubeconfig", self.cluster.kubeconfig, "--namespace", self.cluster.namespace, *words]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            events = self.cluster("get", "events", "--sort-by=.lastTimestamp")
            pods = self.cluster("get", "pods", "--output", "wide")
            raise AssertionError(f"helm {' '.join(words)}: {done.stdout}{done.stderr}\n{pods}\n{events}")
        return done.stdout

    def install(self, chart: str, values: dict, verb: str = "install") -> str:
        sets = [word for path, value in values.items() for word in ("--set-json", f"{path}={json.dumps(value)}")]
        return self(verb, chart, str(ROOT / "charts" / chart), "--wait", "--timeout", "2m", *sets)


@pytest.fixture(scope="module")
def image(box: dict) -> str:
    """An image of the binary under test, where the kubelet finds it."""
    archive = paths.IMAGES / "tidegate.tar"
    subprocess.run([ROOT / "deploy/images/build", "tidegate", "--binary", stage.binary(), "--output", archive], check=True)
    if not box["why_no_kubelet"]:
        subprocess.run([BOX, "load", archive], check=True)
    return "localhost/tidegate"


@pytest.mark.short
def test_server_and_worker_are_installed_tested_upgraded_and_removed(pods, image) -> None:
    helm = Releases(pods)
    # The server listens on all of the machine's addresses: the Service's port is another one.
    port, service, address = stage.free_port(), stage.free_port(), "127.96.7.7"
    forward = subprocess.Popen([paths.BOX, "forward", f"{address}:{service}", f"127.0.0.1:{port}"])
    picture = {"repository": image, "tag": "dev", "pullPolicy": "IfNotPresent"}
    auth = {"enabled": True, "existingSecret": "auth"}
    pods("create", "secret", "generic", "auth", "--from-literal=auth-string=admin:secret")
    server = {"image": picture, "server.hostNetwork": True, "service": {"port": service, "targetPort": port, "clusterIP": address},
              "sqlite.persistence.enabled": False, "server.basicAuth": auth}  # fmt: skip
    template = {"variables": {"type": "object", "properties": {"command": {"type": "string"}}}, "job_configuration": {"command": "{{ command }}"}}
    worker = {"worker.image": picture, "worker.hostNetwork": True, "worker.config.type": "process", "worker.config.workPool": "from-the-chart",
              "worker.config.baseJobTemplate.configuration": template,
              "worker.selfHostedServerApiConfig": {"apiUrl": f"http://{address}:{service}/api", "basicAuth": auth}}  # fmt: skip
    try:
        assert f"helm --namespace {pods.namespace} test tidegate-server" in helm.install("tidegate-server", server)
        helm("test", "tidegate-server", "--timeout", "1m")
        helm.install("tidegate-worker", worker)
        helm("test", "tidegate-worker", "--timeout", "1m")
        assert pool(port)["base_job_template"]["job_configuration"] == {"command": "{{ command }}"}
        pods.eventually("the pool has a worker", 60, lambda: pool(port)["status"] == "READY")
        # A changed template reaches the pool by the upgrade alone.
        template["job_configuration"]["extra"] = "yes"
        helm.install("tidegate-worker", worker, "upgrade")
        pods.eventually("the template is the new one", 60, lambda: pool(port)["base_job_template"]["job_configuration"]["extra"] == "yes")
        helm("uninstall", "tidegate-worker", "--wait")
        helm("uninstall", "tidegate-server", "--wait")
        left = pods("get", "deployments,services,serviceaccounts,roles,rolebindings", "--output", "name").split()
        assert [name for name in left if "tidegate" in name] == []
    finally:
        forward.kill()
        forward.wait()


def pool(port: int) -> dict:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/work_pools/from-the-chart", headers={"Authorization": "Basic YWRtaW46c2VjcmV0"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
