"""Our Kubernetes worker on a real cluster: how runs end and what is told of it, what keeps them, and how they are cancelled and found again."""

from __future__ import annotations

import base64
import json
import subprocess
import uuid
from collections.abc import Iterator

import pytest
from conftest import BOX, Cluster
from stage import Server, eventually
from workers import RUN, Runs, at_home, start_worker


@pytest.fixture(scope="module")
def served(server: Server, box: dict, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A pool with a worker."""
    pool = server.pool()
    process = start_worker(server, tmp_path_factory.mktemp("worker"), pool, "one", box["kubeconfig"])
    yield pool
    process.stop()


@pytest.fixture
def runs(server: Server, served: str, pods: Cluster) -> Runs:
    return Runs(server, pods, served)


@pytest.mark.short
def test_an_exit_code_is_told_with_the_last_words(runs) -> None:
    run, failure, id = runs.fails("sh -c 'echo the sluice is stuck; exit 3'")
    assert (failure["class"], failure["exit_code"]) == ("exit_code", 3)
    message = run["state"]["message"]
    assert "prefect-job" in message and "node" in message and "Hint: " in message
    eventually("its output is among the logs", 5, lambda: any("the sluice is stuck" in line for line in runs.server.lines(id)))


@pytest.mark.short
def test_output_in_no_encoding_does_not_hide_what_comes_after_it(runs) -> None:
    run, failure, id = runs.fails("sh -c 'printf \"before\\n\\377\\376 bytes\\nafter\\n\"; exit 3'")
    assert failure["exit_code"] == 3
    eventually("all of it is among the logs", 5, lambda: all(any(word in line for line in runs.server.lines(id)) for word in ("before", "bytes", "after")))


ENDS = {
    "signal": ("sh -c 'sleep 60 & kill -SEGV $!; wait $!'", {}, "signal"),
    "killed": ("sh -c 'sleep 60 & kill -9 $!; wait $!'", {}, "signal"),
    "memory": ("dd if=/dev/zero of=/dev/null bs=300M count=1", {"memory_limit": "32Mi"}, "oom_killed"),
    "no such program": ("no-such-program", {}, "command_not_found"),
    "time": ("sleep 600", {"job_watch_timeout_seconds": 3}, "deadline"),
}


@pytest.mark.short
@pytest.mark.parametrize("name", ENDS)
def test_the_class_of_a_failure(runs, name) -> None:
    command, variables, expected = ENDS[name]
    run, failure, _ = runs.fails(command, **variables)
    assert failure["class"] == expected, run["state"]["message"]
    assert "Hint: " in run["state"]["message"]


def test_the_deadline_of_a_pod_is_told(runs) -> None:
    # The pod's own, which its kubelet minds.
    pool = runs.server.pool(lambda pod: pod.update(activeDeadlineSeconds=3))
    process = start_worker(runs.server, runs.server.folder, pool, f"hurried-{pool}", runs.cluster.kubeconfig)
    try:
        id = runs.start("sleep 600", pool=pool)
        _, failure = runs.crashed(id)
        assert failure["class"] == "deadline", runs.server.told(id)
    finally:
        process.stop()


MISSING = [{"secretRef": {"name": "nobody"}}]
KEPT = {
    "image": ({"image": "registry.invalid/nowhere:1"}, "registry.invalid/nowhere:1", "image_pull"),
    "room": ({"memory_request": "900Ti"}, "cannot be scheduled", "unschedulable"),
    "secret": ({"env_from": MISSING}, "nobody", "config_error"),
    "image's name": ({"image": "Not A Name"}, "InvalidImageName", "config_error"),
}


@pytest.mark.short
@pytest.mark.parametrize("name", KEPT)
def test_what_keeps_a_run_is_told_and_ends_it_in_time(runs, name) -> None:
    variables, word, expected = KEPT[name]
    id = runs.start("true", pod_watch_timeout_seconds=5, **variables)
    runs.waits(id, word)
    run, failure = runs.crashed(id)
    assert failure["class"] == expected and "Hint: " in run["state"]["message"], run["state"]["message"]
    eventually("its Job is gone", 30, lambda: not runs.jobs(id))


def test_a_missing_secret_that_comes_lets_the_run_go_on(runs) -> None:
    id = runs.start("sh -c 'exit $code'", env_from=MISSING)
    runs.waits(id, "nobody")
    runs.cluster("create", "secret", "generic", "nobody", "--from-literal=code=4")
    _, failure = runs.crashed(id, 90)
    assert failure["exit_code"] == 4


def test_an_evicted_pod(runs) -> None:
    id = runs.start("sleep 600")
    pod = runs.running(id)["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": runs.cluster.namespace}}
    runs.cluster("create", "--raw", f"/api/v1/namespaces/{runs.cluster.namespace}/pods/{pod}/eviction", "--filename", "-", text=json.dumps(body))
    look = lambda: runs.failure(id) or any("evict" in line.lower() for line in runs.server.lines(id))  # noqa: E731
    eventually("the eviction is told", 90, look, lambda: runs.server.told(id))
    told = f"{runs.failure(id)} {runs.server.told(id)}"
    assert "evicted" in told, told


def test_a_job_that_somebody_deletes(runs) -> None:
    id = runs.start("sleep 600")
    runs.running(id)
    runs.cluster("delete", "jobs", "--selector", f"{RUN}={id}", "--grace-period=1")
    run, failure = runs.crashed(id)
    assert failure["class"] == "deleted", run["state"]["message"]


def test_a_node_that_is_gone(runs, fake_node) -> None:
    there = {"nodeSelector": {"kubernetes.io/hostname": fake_node}, "tolerations": [{"key": "kubernetes-box", "operator": "Exists"}]}
    pool = runs.server.pool(lambda pod: pod.update(there))
    process = start_worker(runs.server, runs.server.folder, pool, f"far-{pool}", runs.cluster.kubeconfig)
    try:
        policy = {"node_lost": {"retries": 0}}
        id = runs.start("true", pool=pool, annotations={"kubernetes-box/run": "30m"}, failure_policy=policy)
        runs.running(id)
        runs.cluster("delete", "node", fake_node)
        run, failure = runs.crashed(id, 180)
        assert failure["class"] == "node_lost", run["state"]["message"]
    finally:
        process.stop()


@pytest.fixture
def fake_node(box: dict) -> Iterator[str]:
    """The name of a node that kwok plays."""
    subprocess.run([BOX, "fake-nodes", "1"], check=True)
    yield "fake-1"
    subprocess.run([BOX, "fake-nodes", "0"], check=True)


@pytest.mark.short
def test_a_run_that_waits_is_cancelled(runs) -> None:
    id = runs.start("true", image="registry.invalid/nowhere:1")
    runs.waits(id, "registry.invalid")
    runs.server.cancel(id)
    assert runs.server.ended(id)["state_type"] == "CANCELLED", runs.server.told(id)
    eventually("its Job is gone", 30, lambda: not runs.jobs(id))


def test_code_that_does_not_listen_is_killed_and_cancelled(runs) -> None:
    id = runs.start("sh -c 'trap \"\" TERM INT; while true; do sleep 1; done'")
    runs.running(id)
    runs.server.cancel(id)
    assert runs.server.ended(id)["state_type"] == "CANCELLED", runs.server.told(id)
    alive = lambda: (runs.pod(id) or {}).get("status", {}).get("phase") == "Running"  # noqa: E731
    eventually("its pod is gone", 60, lambda: not alive())


def test_the_sdk_in_a_pod_is_heard_finished_and_cancelled(runs, flow_image) -> None:
    done = runs.server.start(runs.server.deploy(runs.pool, runs.cluster.namespace), {"names": ["tide"]})
    long = runs.server.start(runs.server.deploy(runs.pool, runs.cluster.namespace), {"seconds": 600})
    assert runs.server.ended(done)["state_type"] == "COMPLETED", runs.server.told(done)
    said = lambda: [line for line in runs.server.lines(done) if "Hello, tide!" in line]  # noqa: E731
    eventually("the flow's line is among the logs", 30, said)
    assert len(said()) == 1, "what the SDK sent is not sent again by the worker"
    names = [state["name"] for state in runs.server.states(done)]
    assert names[-2:] == ["Running", "Completed"], names
    runs.server.until(long, "the run is running", 90, lambda run: run["state_type"] == "RUNNING")
    runs.server.cancel(long)
    assert runs.server.ended(long)["state_type"] == "CANCELLED", runs.server.told(long)
    told = lambda: {event["event"] for event in runs.server.events("prefect.kubernetes.pod.", done)}  # noqa: E731
    eventually("the pod's events are here", 30, lambda: {"prefect.kubernetes.pod.running", "prefect.kubernetes.pod.succeeded"} <= told(), told)


def test_a_flow_over_its_memory_is_told_of_as_such(runs, flow_image) -> None:
    """The SDK's own parent process outlives the flow and calls it a crash; why, the cluster knows."""
    id = runs.server.start(runs.server.deploy(runs.pool, runs.cluster.namespace, memory_limit="300Mi"), {"megabytes": 800})
    assert runs.server.ended(id)["state_type"] == "CRASHED", runs.server.told(id)
    told = lambda: any("OOMKilled" in line for line in runs.server.lines(id))  # noqa: E731
    eventually("its memory is among the logs", 30, told, lambda: runs.server.told(id))
    judged = lambda: (runs.failure(id) or {}).get("class") == "oom_killed"  # noqa: E731
    eventually("the run's failure is its memory", 30, judged, lambda: runs.server.told(id))


@pytest.mark.short
def test_a_worker_that_was_killed_finds_its_run_again(server, pods, start) -> None:
    pool = server.pool()
    runs, name = Runs(server, pods, pool), f"killed-{pool}"
    first = start(pool, name)
    id = runs.start("sh -c 'while [ ! -e /tmp/end ]; do sleep 0.2; done; exit 5'")
    pod = runs.running(id)["metadata"]["name"]
    first.kill()
    start(pool, name)
    pods("exec", pod, "--", "touch", "/tmp/end")
    _, failure = runs.crashed(id)
    assert failure["exit_code"] == 5
    assert len(runs.jobs(id)) == 1


def test_a_run_that_ended_while_no_worker_looked_is_told(server, pods, start) -> None:
    pool = server.pool()
    runs, name = Runs(server, pods, pool), f"away-{pool}"
    first = start(pool, name)
    id = runs.start("sh -c 'while [ ! -e /tmp/end ]; do sleep 0.2; done; exit 6'")
    pod = runs.running(id)["metadata"]["name"]
    first.kill()
    pods("exec", pod, "--", "touch", "/tmp/end")
    eventually("the pod has failed", 30, lambda: runs.pod(id)["status"]["phase"] == "Failed")
    start(pool, name)
    assert runs.crashed(id)[1]["exit_code"] == 6


@pytest.mark.short
def test_two_replicas_make_each_job_once(server, pods, start) -> None:
    pool = server.pool()
    runs = Runs(server, pods, pool)
    for name in ("left", "right"):
        start(pool, f"{name}-{pool}")
    ids = [runs.start("sh -c 'exit 7'") for _ in range(8)]
    assert {runs.crashed(id)[1]["exit_code"] for id in ids} == {7}
    jobs = pods.get("jobs", "--selector", RUN)["items"]
    assert sorted(job["metadata"]["labels"][RUN] for job in jobs) == sorted(ids)


def test_replicas_know_of_each_other_by_leases(server, pods, start, tmp_path) -> None:
    pool = server.pool()
    names = {f"{name}-{pool}" for name in ("left", "right")}
    selector = f"tidegate.io/work-pool={server.call('GET', f'/work_pools/{pool}')['id']}"
    for name in names:
        start(pool, name, at_home(pods, tmp_path))
    leases = lambda: {lease["spec"]["holderIdentity"]: lease["spec"]["renewTime"] for lease in pods.get("leases", "--selector", selector)["items"]}  # noqa: E731
    eventually("each has its Lease", 20, lambda: leases().keys() == names, leases)
    first = leases()
    eventually("each renews its Lease", 30, lambda: all(leases()[name] > first[name] for name in names), leases)


@pytest.mark.short
def test_a_key_is_in_a_secret_of_the_jobs_own_and_nowhere_else(server, pods, start) -> None:
    pool, key = server.pool(), f"k3y-{uuid.uuid4().hex}"
    runs = Runs(server, pods, pool)
    start(pool, f"keyed-{pool}", PREFECT_API_KEY=key)
    id = runs.start("sh -c 'while [ ! -e /tmp/end ]; do sleep 0.2; done; exit 3'")
    pod = runs.running(id)
    (job,) = runs.jobs(id)
    assert key not in json.dumps([job, pod])
    (variable,) = [each for each in job["spec"]["template"]["spec"]["containers"][0]["env"] if each["name"] == "PREFECT_API_KEY"]
    name = f"{job['metadata']['name']}-env"
    assert variable == {"name": "PREFECT_API_KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "PREFECT_API_KEY"}}}
    secret = pods.get("secret", name)
    assert base64.b64decode(secret["data"]["PREFECT_API_KEY"]).decode() == key
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner["uid"] == job["metadata"]["uid"]
    assert pods("exec", pod["metadata"]["name"], "--", "sh", "-c", "echo $PREFECT_API_KEY").strip() == key
    pods("exec", pod["metadata"]["name"], "--", "touch", "/tmp/end")
    assert runs.crashed(id)[1]["exit_code"] == 3
    eventually("the Secret is gone", 20, lambda: name not in {each["metadata"]["name"] for each in pods.get("secrets")["items"]})


def test_a_secret_that_a_dead_worker_left_goes_with_the_next_attempt(server, pods, start) -> None:
    pool = server.pool()
    runs = Runs(server, pods, pool)
    start(pool, f"hiding-{pool}", PREFECT_INTEGRATIONS_KUBERNETES_WORKER_STORE_ENV_AS_SECRET="true")
    id = runs.start("sh -c 'exit 3'", failure_policy={"exit_code": {"retries": 1, "delay_seconds": 10}})
    server.until(id, "it is to be tried again", 60, lambda run: run["state_name"] == "AwaitingRetry")
    (job,) = runs.jobs(id)
    left = f"{job['metadata']['name']}-env"
    present = lambda: {secret["metadata"]["name"] for secret in pods.get("secrets")["items"]}  # noqa: E731
    eventually("its own Secret is gone", 20, lambda: left not in present(), present)
    # As a worker leaves it that dies before it has made the Job.
    pods("create", "secret", "generic", left, "--from-literal=PREFECT_API_KEY=k3y")
    assert runs.crashed(id)[1]["exit_code"] == 3
    assert len(runs.jobs(id)) == 2 and left not in present()
