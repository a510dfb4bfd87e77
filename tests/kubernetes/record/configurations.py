"""Records which Jobs the reference's Kubernetes worker makes of a work pool's template, job variables and a run.

Run with the Python of an environment that holds `prefect==3.8.8` and `prefect-kubernetes==0.8.0`:

    python tests/kubernetes/record/configurations.py

Writes `crates/worker/tests/kubernetes/configurations.json`; `README.md` beside this file says what is in it. No cluster and no
server are asked: what the worker would read or write there is faked. The output is the same on every run.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
import sys
import tempfile
import uuid
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

HOME = tempfile.mkdtemp()
os.environ.clear()
os.environ.update(HOME=HOME, PATH="/usr/bin:/bin")
Path(HOME, ".prefect").mkdir()
# The profile that comes with the reference sets something; what is set goes into every Job.
Path(HOME, ".prefect/profiles.toml").write_text('active = "plain"\n\n[profiles.plain]\n')
HERE = Path(__file__).resolve().parent
os.chdir(HOME)

import prefect  # noqa: E402
import prefect_kubernetes.worker as reference  # noqa: E402
import pydantic  # noqa: E402
from kubernetes_asyncio.client.exceptions import ApiException  # noqa: E402
from prefect.client.schemas.objects import Flow, FlowRun, Variable, WorkPool  # noqa: E402
from prefect.client.schemas.responses import DeploymentResponse  # noqa: E402
from prefect.context import SettingsContext  # noqa: E402
from prefect.exceptions import InfrastructureError, ObjectNotFound  # noqa: E402
from prefect.settings import Profile, Settings  # noqa: E402
from prefect.utilities.dockerutils import get_prefect_image_name  # noqa: E402

sys.path.insert(0, str(HERE))
import cases  # noqa: E402

OUT = HERE.parents[2] / "crates/worker/tests/kubernetes/configurations.json"
# Asked for once: the reference asks git each time.
IMAGE = get_prefect_image_name()
FIXED = uuid.UUID("01234567-89ab-4def-8123-456789abcdef")
JOB_UID = "7f0c9a52-6f5c-4a3e-9d6a-2f7d3c1b8e90"


class Server:
    """What the worker asks a server for."""

    def __init__(self, case: dict) -> None:
        self.case = case

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read_deployment(self, _: object) -> DeploymentResponse:
        return deployment_of(self.case)

    async def read_flow(self, _: object) -> Flow:
        return Flow.model_validate(self.case["flow"])

    async def read_block_document(self, id: object, **_: object) -> SimpleNamespace:
        return self.block(cases.BLOCKS_BY_ID.get(str(id)))

    async def read_block_document_by_name(self, name: str, block_type_slug: str, **_: object) -> SimpleNamespace:
        return self.block(cases.BLOCKS.get(f"{block_type_slug}/{name}"))

    def block(self, data: dict | None) -> SimpleNamespace:
        if data is None:
            raise ObjectNotFound(ValueError("no such block"))
        return SimpleNamespace(data=copy.deepcopy(data))

    async def read_variable_by_name(self, name: str) -> Variable | None:
        value = cases.VARIABLES.get(name)
        return Variable(id=FIXED, name=name, value=value) if name in cases.VARIABLES else None


class Cluster:
    """What the worker writes to a cluster, in order. The first argument of the real classes is a connection."""

    def __init__(self, writes: list[dict], existing: list[str]) -> None:
        self.writes, self.existing = writes, existing

    def note(self, verb: str, kind: str, namespace: str, name: str | None, body: object) -> None:
        self.writes.append({"verb": verb, "kind": kind, "namespace": namespace, "name": name, "body": copy.deepcopy(body)})

    async def create_namespaced_job(self, namespace: str, body: dict) -> SimpleNamespace:
        self.note("create", "Job", namespace, None, body)
        metadata = body["metadata"]
        name = metadata.get("name") or f"{metadata.get('generateName')}x7k2p"
        return SimpleNamespace(metadata=SimpleNamespace(name=name, namespace=namespace, uid=JOB_UID))

    async def read_namespaced_secret(self, name: str, namespace: str) -> object:
        if name not in self.existing:
            raise ApiException(status=404, reason="Not Found")
        metadata = reference.V1ObjectMeta(name=name, namespace=namespace)
        return reference.V1Secret(api_version="v1", kind="Secret", metadata=metadata, data={"value": "b2xk"})

    async def create_namespaced_secret(self, namespace: str, body: object) -> object:
        self.note("create", "Secret", namespace, body.metadata.name, plain(body))
        return body

    async def replace_namespaced_secret(self, name: str, namespace: str, body: object) -> object:
        self.note("replace", "Secret", namespace, name, plain(body))
        return body

    async def patch_namespaced_secret(self, name: str, namespace: str, body: dict) -> None:
        self.note("patch", "Secret", namespace, name, body)


def plain(secret: object) -> dict:
    """A Secret as it goes over the wire."""
    written = {"apiVersion": secret.api_version, "kind": secret.kind, "data": secret.data, "stringData": secret.string_data}
    metadata = {"name": secret.metadata.name, "namespace": secret.metadata.namespace, "labels": secret.metadata.labels}
    written["metadata"] = {key: value for key, value in metadata.items() if value is not None}
    return {key: value for key, value in written.items() if value is not None}


def deployment_of(case: dict) -> DeploymentResponse | None:
    if case["deployment"] is None:
        return None
    return DeploymentResponse.model_validate({**case["deployment"], "job_variables": copy.deepcopy(case["deployment_job_variables"])})


def flow_run_of(case: dict) -> FlowRun:
    return FlowRun.model_validate({**case["flow_run"], "job_variables": copy.deepcopy(case["flow_run_job_variables"])})


def pool_of(case: dict, template: dict) -> WorkPool:
    return WorkPool.model_validate({**case["work_pool"], "base_job_template": copy.deepcopy(template)})


async def rendered(case: dict, template: dict) -> dict:
    """What comes of a case: the Job as it is sent, and what else is written; or why nothing is."""
    writes: list[dict] = []
    connection = lambda *_args, **_kwargs: Cluster(writes, case["existing_secrets"])  # noqa: E731
    with (
        mock.patch.dict(os.environ, case["worker_environment"]),
        mock.patch.object(reference, "CoreV1Api", connection),
        mock.patch.object(reference, "BatchV1Api", connection),
        mock.patch.object(reference.uuid, "uuid4", lambda: FIXED),
        mock.patch.object(reference, "get_prefect_image_name", lambda: IMAGE),
        SettingsContext(profile=Profile(name="plain", settings={}), settings=Settings()),
    ):
        worker = reference.KubernetesWorker(work_pool_name=case["work_pool"]["name"], name=case["worker_name"])
        try:
            configuration = await reference.KubernetesWorkerJobConfiguration.resolve_for_flow_run(
                flow_run_of(case), client=Server(case), work_pool=pool_of(case, template), worker_name=case["worker_name"],
                worker_id=case["worker_id"] and uuid.UUID(case["worker_id"]), deployment=deployment_of(case),
            )
            await worker._create_job(configuration, None)
        except Exception as error:  # whatever it is, it is what the reference answers
            return {"error": described(error)}
    answer = {
        "namespace": configuration.namespace, "name": configuration.name, "command": configuration.command,
        "job_manifest": configuration.job_manifest,
        "job_watch_timeout_seconds": configuration.job_watch_timeout_seconds,
        "pod_watch_timeout_seconds": configuration.pod_watch_timeout_seconds, "stream_output": configuration.stream_output,
        "cluster_config": configuration.cluster_config and {
            "config": configuration.cluster_config.config, "context_name": configuration.cluster_config.context_name,
        },
        "secrets": [write for write in writes if write["kind"] == "Secret"],
    }
    assert [write["body"] for write in writes if write["kind"] == "Job"] == [configuration.job_manifest]
    return answer


def described(error: Exception) -> dict:
    if isinstance(error, pydantic.ValidationError):
        return {"type": "ValidationError", "problems": [
            {"at": [str(part) for part in found["loc"]], "kind": found["type"], "text": found["msg"].removeprefix("Value error, ")}
            for found in error.errors()
        ]}
    return {"type": type(error).__name__, "text": str(error)}


def bare(value: object, names: bool = False) -> object:
    """A template without its prose: no descriptions, titles or examples."""
    if isinstance(value, dict):
        dropped = set() if names else {"description", "title", "example", "examples"}
        return {key: bare(item, key in {"properties", "definitions"}) for key, item in value.items() if key not in dropped}
    return [bare(item) for item in value] if isinstance(value, list) else value


def templates() -> dict[str, dict]:
    views = Path(prefect.__file__).parent / "server/api/collections_data/views/aggregate-worker-metadata.json"
    bundled = json.loads(views.read_text())["prefect-kubernetes"]["kubernetes"]["default_base_job_configuration"]
    current = reference.KubernetesWorker.get_default_base_job_template()
    found = {}
    for name, template in {"current": current, "bundled": bundled}.items():
        found[name] = {"job_configuration": template["job_configuration"], "variables": bare(template["variables"])}
    return found


async def main() -> None:
    logging.disable(logging.CRITICAL)
    shared = templates()
    recorded, names = [], set()
    for case in cases.cases(shared):
        assert case["name"] not in names, f"twice: {case['name']}"
        names.add(case["name"])
        whole = {**cases.DEFAULTS, **case}
        # Over the defaults, name by name: a case says what it changes.
        for part in ("flow_run", "flow", "deployment", "work_pool"):
            if whole[part] is not None and case.get(part):
                whole[part] = {**cases.DEFAULTS[part], **case[part]}
        template = whole["base_job_template"]
        expected = await rendered(whole, shared[template] if isinstance(template, str) else template)
        recorded.append({**case, "expected": expected})
    head = {
        "version": prefect.__version__, "image": IMAGE, "templates": shared, "blocks": cases.BLOCKS,
        "blocks_by_id": cases.BLOCKS_BY_ID, "variables": cases.VARIABLES, "defaults": cases.DEFAULTS,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    # One case a line, so that a difference shows which.
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in recorded)
    OUT.write_text(json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "cases": [\n' + lines + "\n]\n}\n")
    failed = sum("error" in case["expected"] for case in recorded)
    print(f"{len(recorded)} cases, {failed} of them refused, in {OUT}")


if __name__ == "__main__":
    asyncio.run(main())
