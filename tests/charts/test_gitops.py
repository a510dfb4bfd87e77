"""deploy/flux and deploy/plain: the overlays build, Flux's objects have Flux's fields, and the values of the releases go through the charts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import flux_fields
import jsonschema
import pytest
import render
import yaml
from conftest import ROOT, Objects

FLUX = ROOT / "deploy/flux"
PLAIN = ROOT / "deploy/plain"
CLUSTERS = ["eks-production", "gke-staging"]
# What overlays hold are patches: they are checked once they are built.
FLUX_FILES = sorted(path for path in FLUX.glob("**/*.yaml") if "toolkit.fluxcd.io/" in path.read_text() and "overlays" not in path.parts)


def kubectl() -> list[str]:
    cache = Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache/tidegate")
    built = cache / "kubernetes/bin/kubernetes-box"
    if built.exists():
        return [str(built), "kubectl"]
    found = shutil.which("kubectl")
    assert found, "there is no kubectl: tests/kubernetes/box/box build"
    return [found]


def build(folder: Path) -> Objects:
    done = subprocess.run([*kubectl(), "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Objects(done.stdout)


def settings(cluster: str) -> dict[str, str]:
    return yaml.safe_load((FLUX / f"clusters/{cluster}/settings.yaml").read_text())["data"]


def substituted(objects: Objects, cluster: str) -> Objects:
    """As Flux does after a build: `${name}` becomes the cluster's setting, and what is not set is an error here."""
    values = settings(cluster)
    return Objects(re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], yaml.safe_dump_all(objects.all)))


@pytest.mark.parametrize("path", FLUX_FILES, ids=lambda path: path.relative_to(FLUX).as_posix())
def test_objects_have_the_fields_of_flux(path) -> None:
    documents = [each for each in yaml.safe_load_all(path.read_text()) if "toolkit.fluxcd.io" in each["apiVersion"]]
    assert documents
    for document in documents:
        jsonschema.validate(document, flux_fields.schema(document["apiVersion"], document["kind"]))


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_built_objects_have_the_fields_of_flux(cluster) -> None:
    releases = build(FLUX / f"apps/overlays/{cluster}").of("HelmRelease")
    assert releases
    for release in releases:
        jsonschema.validate(release, flux_fields.schema(release["apiVersion"], release["kind"]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda release: release.update(apiVersion="helm.toolkit.fluxcd.io/v2beta1"), "v2beta1"),
        (lambda release: release["spec"].pop("interval"), "interval"),
        (lambda release: release["spec"].update(interval="often"), "often"),
        (lambda release: release["spec"].update(chartRef={"kind": "OCIRepository", "name": "x"}), "chart"),
        (lambda release: release.update(targetNamespace="x"), "targetNamespace"),
    ],
    ids=["old version", "no interval", "interval in words", "two charts", "wrong place"],
)
def test_mistakes_in_flux_objects_are_found(change, said) -> None:
    release = yaml.safe_load((FLUX / "apps/base/server.yaml").read_text())
    change(release)
    with pytest.raises((jsonschema.ValidationError, KeyError), match=said):
        jsonschema.validate(release, flux_fields.schema(release["apiVersion"], release["kind"]))


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_paths_and_sources_exist(cluster) -> None:
    objects = Objects((FLUX / f"clusters/{cluster}/tidegate.yaml").read_text())
    for kustomization in objects.of("Kustomization"):
        assert (ROOT / kustomization["spec"]["path"] / "kustomization.yaml").exists(), kustomization["spec"]["path"]
        for needed in kustomization["spec"].get("dependsOn", []):
            assert objects.one("Kustomization", needed["name"])
    for release in build(FLUX / f"apps/overlays/{cluster}").of("HelmRelease"):
        chart = release["spec"]["chart"]["spec"]
        assert (ROOT / chart["chart"] / "Chart.yaml").exists()
        assert objects.one(chart["sourceRef"]["kind"], chart["sourceRef"]["name"])["metadata"]["namespace"] == chart["sourceRef"]["namespace"]


def releases(cluster: str) -> dict[str, Objects]:
    """What Helm would install in this cluster, by release."""
    objects = substituted(build(FLUX / f"apps/overlays/{cluster}"), cluster)
    found = {}
    for release in objects.of("HelmRelease"):
        name = release["metadata"]["name"]
        chart = Path(release["spec"]["chart"]["spec"]["chart"]).name
        done = render.template(chart, "--values", "-", values=yaml.safe_dump(release["spec"]["values"]))
        assert done.returncode == 0, done.stderr
        found[name] = Objects(done.stdout)
    return found


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_releases_go_through_the_charts(cluster) -> None:
    found = releases(cluster)
    assert set(found) == ({"tidegate-worker"} if cluster == "gke-staging" else {"tidegate-server", "tidegate-worker"})
    worker = found["tidegate-worker"]
    pool = "gke-pool" if cluster == "gke-staging" else "eks-pool"
    assert ["--pool", pool] == worker.container()["args"][4:6]
    assert {role["metadata"]["namespace"] for role in worker.of("Role")} == {"tidegate", "flows"}


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_what_releases_name_is_made_by_somebody(cluster) -> None:
    infrastructure = substituted(build(FLUX / f"infrastructure/overlays/{cluster}"), cluster)
    apps = build(FLUX / f"apps/overlays/{cluster}")
    made = {(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in infrastructure.all + apps.all if "namespace" in each["metadata"]}
    worker = releases(cluster)["tidegate-worker"]
    assert ("Secret", "tidegate", worker.pod()["imagePullSecrets"][0]["name"]) in made
    for source in worker.container()["envFrom"]:
        assert ("ConfigMap", "tidegate", source["configMapRef"]["name"]) in made
    volumes = [volume["configMap"]["name"] for volume in worker.pod()["volumes"] if "configMap" in volume]
    assert volumes and all(("ConfigMap", "tidegate", name) in made for name in volumes)
    auth = worker.environment()["PREFECT_API_AUTH_STRING"]["secretKeyRef"]["name"]
    # The worker presents it, and so do flow runs, in their namespace.
    assert {("Secret", "tidegate", auth), ("Secret", "flows", auth)} <= made
    template = json.loads(apps.of("ConfigMap")[0]["data"]["baseJobTemplate.json"])
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    defaults = {name: variable.get("default") for name, variable in template["variables"]["properties"].items()}
    assert ("ServiceAccount", defaults["namespace"], defaults["service_account_name"]) in made
    assert ("Secret", defaults["namespace"], pod["imagePullSecrets"][0]["name"]) in made


def test_the_pools_template_uses_what_it_declares() -> None:
    for path in (FLUX / "apps/base/pool.json", PLAIN / "base/pool.json"):
        template = json.loads(path.read_text())
        used = set(re.findall(r"{{ *(\w+) *}}", json.dumps(template["job_configuration"])))
        assert used == set(template["variables"]["properties"]), path


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_plain_overlays_build(cluster) -> None:
    objects = build(PLAIN / f"overlays/{cluster}")
    for name in ("tidegate-server", "tidegate-worker"):
        assert objects.container(name)["image"] == "harbor.example/platform/tidegate:0.1.0"
    secrets = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in objects.of("Secret")}
    assert secrets == {(namespace, name) for namespace in ("tidegate", "flows") for name in ("harbor-registry-creds", "tidegate-auth")}
    names = [volume["configMap"]["name"] for volume in objects.pod("tidegate-worker")["volumes"] if "configMap" in volume]
    assert {found["metadata"]["name"] for found in objects.of("ConfigMap")} == {*names, "prefect-worker-config"}
    account = objects.one("ServiceAccount", "tidegate-worker")["metadata"]["annotations"]
    assert list(account) == ["eks.amazonaws.com/role-arn" if cluster == "eks-production" else "iam.gke.io/gcp-service-account"]
    assert objects.one("Deployment", "tidegate-worker")["spec"]["replicas"] == (2 if cluster == "eks-production" else 1)
    assert not [found for found in objects.all if "helm.sh/hook" in (found["metadata"].get("annotations") or {})]
