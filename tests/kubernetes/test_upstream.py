"""The unmodified upstream worker and library for Kubernetes, against our server, with runs in real pods."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Cluster
from stage import ROOT, Process, Server, environment, eventually, free_port

BUSYBOX = "localhost/busybox:1"


@pytest.fixture(scope="module")
def upstream() -> Path:
    """The Python of an environment that holds upstream's integration."""
    made = subprocess.run([ROOT / "scripts/python-env", "kubernetes"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


def variables(server: Server, box: dict, folder: Path, **more: str) -> dict[str, str]:
    return environment(
        PREFECT_API_URL=server.url, PREFECT_HOME=str(folder / "upstream"), KUBECONFIG=box["kubeconfig"],
        PREFECT_SERVER_ANALYTICS_ENABLED="false", PREFECT_LOGGING_COLORS="false", **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def served(server, box, upstream, flow_image, tmp_path_factory) -> Iterator[str]:
    """A pool that upstream's worker serves, watching all namespaces."""
    pool, folder = server.pool(), tmp_path_factory.mktemp("worker")
    settings = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_WEBSERVER_PORT": str(free_port())}
    words = [upstream, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "kubernetes", "--name", f"upstream-{pool}"]
    process = Process(folder / "worker.log", words, variables(server, box, folder, **settings))
    online = lambda: any(each["status"] == "ONLINE" for each in server.call("POST", f"/work_pools/{pool}/workers/filter", {}))  # noqa: E731
    try:
        eventually("upstream's worker is online", 90, online, process.said)
        yield pool
    finally:
        process.stop()


@pytest.fixture
def worker(server, served, pods) -> tuple[Server, Cluster, str]:
    return server, pods, served


def test_a_run_is_a_job_with_states_logs_and_events(worker) -> None:
    server, cluster, pool = worker
    id = server.start(server.deploy(pool, cluster.namespace), {"names": ["tide"]})
    run = server.ended(id)
    assert run["state_type"] == "COMPLETED", server.told(id)
    namespace, _, job = run["infrastructure_pid"].partition(":")
    assert namespace == cluster.namespace
    found = cluster.get("job", job)["metadata"]["labels"]
    assert (found["prefect.io/flow-run-id"], found["prefect.io/work-pool-name"]) == (id, pool)
    names = [state["name"] for state in server.states(id)]
    assert names[:2] == ["Scheduled", "Pending"] and names[-2:] == ["Running", "Completed"], names
    assert "Submitting" in names
    lines = eventually("the flow's line is among the logs", 30, lambda: [line for line in server.lines(id) if "Hello, tide!" in line])
    assert len(lines) == 1
    assert any(f"Kubernetes job '{job}' created in namespace '{namespace}'" in line for line in server.lines(id))
    told = lambda: {event["event"] for event in server.events("prefect.kubernetes.pod.", id)}  # noqa: E731
    eventually("the observer's events are here", 60, lambda: {"prefect.kubernetes.pod.running", "prefect.kubernetes.pod.succeeded"} <= told(), told)


def test_a_process_that_ends_without_a_word_crashes_its_run(worker) -> None:
    server, cluster, pool = worker
    id = server.start(server.deploy(pool, cluster.namespace), {"exit_code": 3})
    run = server.ended(id)
    assert run["state_type"] == "CRASHED" and "status code: 3" in run["state"]["message"], server.told(id)


def test_a_pod_that_dies_before_the_flow_crashes_its_run(worker) -> None:
    server, cluster, pool = worker
    id = server.start(server.deploy(pool, cluster.namespace, command="sh -c 'echo nothing works; exit 3'"))
    run = server.ended(id)
    assert (run["state_type"], run["state"]["message"]) == ("CRASHED", "No active or succeeded pods found for any job"), server.told(id)
    eventually("what the pod said is among the logs", 30, lambda: any("nothing works" in line for line in server.lines(id)), lambda: server.told(id))


def test_a_bad_image_is_told_as_a_log_of_the_run(worker) -> None:
    server, cluster, pool = worker
    id = server.start(server.deploy(pool, cluster.namespace, image="registry.invalid/nowhere:1"))
    server.until(id, "the run waits for its pod", 60, lambda run: run["state_name"] == "InfrastructurePending")
    eventually("the diagnosis is among the logs", 60, lambda: any("Image pull failed" in line for line in server.lines(id)), lambda: server.told(id))


def test_a_cancelled_run_ends_in_its_pod(worker) -> None:
    server, cluster, pool = worker
    id = server.start(server.deploy(pool, cluster.namespace), {"seconds": 300})
    server.until(id, "the run is running", 90, lambda run: run["state_type"] == "RUNNING")
    server.cancel(id)
    assert server.ended(id)["state_type"] == "CANCELLED", server.told(id)
    alive = lambda: [pod for pod in cluster.get("pods")["items"] if pod["status"]["phase"] == "Running"]  # noqa: E731
    eventually("the pod has ended", 60, lambda: not alive())


LIBRARY = '''
import asyncio, os, sys
from prefect import flow
from prefect_kubernetes.credentials import KubernetesClusterConfig, KubernetesCredentials
from prefect_kubernetes.flows import run_namespaced_job
from prefect_kubernetes.jobs import KubernetesJob, list_namespaced_job, read_namespaced_job
from prefect_kubernetes.pods import list_namespaced_pod

@flow(log_prints=True)
async def library(namespace: str, manifest: str):
    await KubernetesClusterConfig.from_file(os.environ["KUBECONFIG"], context_name="box").save("box", overwrite=True)
    credentials = KubernetesCredentials(cluster_config=await KubernetesClusterConfig.load("box"))
    await credentials.save("box", overwrite=True)
    credentials = await KubernetesCredentials.load("box")
    job = KubernetesJob.from_yaml_file(manifest, credentials=credentials, namespace=namespace, interval_seconds=1, delete_after_completion=False)
    await job.save("from-yaml", overwrite=True)
    job = await KubernetesJob.load("from-yaml")
    run = await job.trigger()
    await run.wait_for_completion(print)
    result = await run.fetch_result()
    print("logs:", sorted(result.values()))
    listed = await list_namespaced_job.with_options(name="listing", retries=2, tags=["k8s"])(credentials, namespace=namespace)
    print("jobs:", [each.metadata.name for each in listed.items])
    read = await read_namespaced_job(credentials, "from-yaml", namespace=namespace)
    print("succeeded:", read.status.succeeded)
    async with credentials.get_client("core") as core:
        pods = await core.list_namespaced_pod(namespace)
        print("pods:", len(pods.items))

asyncio.run(library(*sys.argv[1:]))
'''


def test_the_library_in_a_flow(server, box, pods, upstream, tmp_path) -> None:
    manifest = tmp_path / "job.yaml"
    container = {"name": "c", "image": BUSYBOX, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", "echo from a pod"]}
    spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    # YAML holds JSON.
    manifest.write_text(json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "from-yaml"}, "spec": spec}))
    script = tmp_path / "library.py"
    script.write_text(LIBRARY)
    words = [upstream, script, pods.namespace, manifest]
    done = subprocess.run(words, env=variables(server, box, tmp_path), capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    run = server.call("POST", "/flow_runs/filter", {"flows": {"name": {"any_": ["library"]}}})[0]
    assert run["state_type"] == "COMPLETED"
    wanted = ["logs: ['from a pod\\n']", "jobs: ['from-yaml']", "succeeded: 1", "pods: 1"]
    eventually("its lines are among the logs", 30, lambda: set(wanted) <= set(server.lines(run["id"])), lambda: server.lines(run["id"]))
    tasks = server.call("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert any(task["name"].startswith("listing") and "k8s" in task["tags"] for task in tasks)
    slugs = {block["block_type"]["slug"] for block in server.call("POST", "/block_documents/filter", {"include_secrets": False})}
    assert {"kubernetes-cluster-config", "kubernetes-credentials", "k8s-job"} <= slugs
