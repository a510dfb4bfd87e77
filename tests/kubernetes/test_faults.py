"""What becomes of runs when something is taken away: their pod, the API server, the watch on it, the worker, and the right cluster."""

from __future__ import annotations

import collections
import datetime
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import BOX, Cluster
from stage import TERMINAL, Process, Server, binary, environment, eventually
from wire import Wire
from workers import BUSYBOX, RUN, Runs

OUTAGE = float(os.environ.get("TIDEGATE_OUTAGE_SECONDS", "20"))
KILLS = int(os.environ.get("TIDEGATE_KILLS", "10"))
CROWD = int(os.environ.get("TIDEGATE_CROWD", "60"))
# No run may stay where it is for longer, once what was away is back.
STUCK = 60

WAITS = "while [ ! -e /tmp/end ]; do sleep 0.2; done"


def order_box(*words: str) -> str:
    done = subprocess.run([BOX, *words], capture_output=True, text=True)
    assert done.returncode == 0, f"box {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


@pytest.fixture
def runs(server: Server, pods: Cluster) -> Runs:
    """Runs in a pool of the test's own."""
    return Runs(server, pods, server.pool())


@pytest.fixture
def wire(box: dict) -> Iterator[Wire]:
    wire = Wire(6443)
    yield wire
    wire.close()


@pytest.fixture
def api_server(box: dict) -> Iterator[Callable[[str], str]]:
    """`stop` and `start`; whatever happens in the test, it runs afterwards."""
    yield lambda order: order_box("api", order)
    order_box("api", "start")


@pytest.fixture
def second(box: dict, pods: Cluster) -> Iterator[Cluster]:
    """Another cluster's API, with a namespace of the same name."""
    kubeconfig = order_box("second-api", "start")
    second = Second(pods.namespace, {**box, "kubeconfig": kubeconfig})
    second.eventually("the second cluster has its own namespaces", 30, lambda: second.get("namespace", "kube-system"))
    second("create", "namespace", second.namespace)
    yield second
    order_box("second-api", "stop")


class Second(Cluster):
    def run(self, *words: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        return super().run(f"--kubeconfig={self.kubeconfig}", *words, text=text, check=check)

    def uid(self) -> str:
        return self.get("namespace", "kube-system")["metadata"]["uid"]


def attempts(runs: Runs) -> collections.Counter:
    """How many Jobs there are for each run and attempt."""
    labels = [job["metadata"]["labels"] for job in runs.cluster.get("jobs", "--selector", RUN)["items"]]
    return collections.Counter((each[RUN], each["tidegate.io/attempt"]) for each in labels)


def touch(runs: Runs, id: str) -> None:
    """Lets a run end that waits for it."""
    runs.cluster("exec", runs.pod(id)["metadata"]["name"], "--", "touch", "/tmp/end")


@pytest.mark.short
def test_an_evicted_run_is_tried_again_and_keeps_its_own_retries(runs, server, start) -> None:
    start(runs.pool, f"evicting-{runs.pool}")
    id = runs.start(f"sh -c 'trap \"exit 143\" TERM; {WAITS}; exit 3'")
    pod = runs.running(id)["metadata"]["name"]
    # As the SDK in the pod would say it, of a flow with two retries.
    server.call("PATCH", f"/flow_runs/{id}", {"empirical_policy": {"retries": 2, "retry_delay": 0}})
    server.call("POST", f"/flow_runs/{id}/set_state", {"state": {"type": "RUNNING"}})
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": runs.cluster.namespace}}
    path = f"/api/v1/namespaces/{runs.cluster.namespace}/pods/{pod}/eviction"
    runs.cluster("create", "--raw", path, "--filename", "-", text=json.dumps(body))
    runs.cluster("wait", f"pod/{pod}", "--for=delete", "--timeout=30s")
    run = server.until(id, "it is to be tried again", 5, lambda run: run["state_name"] == "AwaitingRetry")
    message = run["state"]["message"]
    assert "evicted" in message and "automatic try 1" in message, message
    eventually("its second Job runs", 60, lambda: any(job["status"].get("ready") and job["metadata"]["labels"]["tidegate.io/attempt"] == "2" for job in runs.jobs(id)))
    policy = server.run(id)["empirical_policy"]
    assert policy["retries"] == 3, "the eviction's try comes on top of the flow's own two"
    second = [pod["metadata"]["name"] for pod in runs.cluster.get("pods", "--selector", f"{RUN}={id},tidegate.io/attempt=2")["items"]]
    runs.cluster("exec", second[0], "--", "touch", "/tmp/end")
    assert runs.crashed(id)[1]["exit_code"] == 3, server.told(id)


def test_an_api_server_that_is_away_loses_and_doubles_nothing(runs, server, start, api_server) -> None:
    start(runs.pool, f"cut-off-{runs.pool}")
    lasts = [runs.start(f"sh -c '{WAITS}; exit 4'") for _ in range(4)]
    for id in lasts:
        runs.running(id)
    ends = [runs.start(f"sh -c 'sleep {OUTAGE / 2:.0f}; exit 3'") for _ in range(4)]
    for id in ends:
        eventually("its pod is there", 60, lambda id=id: runs.pod(id), lambda id=id: server.told(id))
    api_server("stop")
    began = time.monotonic()
    due = [runs.start("sh -c 'exit 5'") for _ in range(4)]
    time.sleep(max(0.0, OUTAGE - (time.monotonic() - began)))  # the outage itself
    assert {server.run(id)["state_type"] for id in lasts} <= {"PENDING", "RUNNING"}, "an API that is away says nothing about runs"
    api_server("start")
    for id in lasts:
        touch(runs, id)
    # The cluster's own controllers come back with pauses of their own, which are not ours.
    for id in [*ends, *due, *lasts]:
        eventually("its Job has failed", 3 * STUCK, lambda id=id: [job for job in runs.jobs(id) if job["status"].get("failed")], lambda id=id: server.told(id))
    back = time.monotonic()
    for ids, code in ((ends, 3), (due, 5), (lasts, 4)):
        for id in ids:
            _, failure = runs.crashed(id, STUCK - (time.monotonic() - back))
            assert failure["exit_code"] == code, server.told(id)
    assert attempts(runs) == {(id, "1"): 1 for id in [*ends, *due, *lasts]}


def test_a_worker_that_starts_while_the_api_is_away_finds_its_runs_later(runs, server, start, api_server) -> None:
    name = f"early-{runs.pool}"
    worker = start(runs.pool, name)
    id = runs.start(f"sh -c '{WAITS}; exit 6'")
    runs.running(id)
    worker.kill()
    api_server("stop")
    worker = start(runs.pool, name)
    eventually("the worker goes on without an API", 2 * STUCK, lambda: "cannot be listed" in worker.log.read_text(), worker.said)
    api_server("start")
    eventually("the run is taken back", 3 * STUCK, lambda: f"flow run {id} was left by an earlier worker" in worker.log.read_text(), worker.said)
    touch(runs, id)
    assert runs.crashed(id)[1]["exit_code"] == 6, server.told(id)


@pytest.mark.short
def test_a_pool_that_is_made_again_is_looked_at_again(runs, server, start) -> None:
    start(runs.pool, f"steady-{runs.pool}")
    assert runs.fails("sh -c 'exit 3'")[1]["exit_code"] == 3
    pool = server.call("GET", f"/work_pools/{runs.pool}")
    server.call("DELETE", f"/work_pools/{runs.pool}")
    server.call("POST", "/work_pools/", {key: pool[key] for key in ("name", "type", "base_job_template")})
    assert runs.fails("sh -c 'exit 4'")[1]["exit_code"] == 4
    runs.waits(runs.start("true", image="registry.invalid/nowhere:1"), "registry.invalid/nowhere:1")


@pytest.mark.short
def test_a_watch_that_was_away_for_too_long_lists_again(runs, server, start, wire, api_server, tmp_path) -> None:
    worker = start(runs.pool, f"late-{runs.pool}", wire.kubeconfig(Path(runs.cluster.kubeconfig), tmp_path))
    ends = [runs.start(f"sh -c '{WAITS}; exit 3'") for _ in range(3)]
    deleted = runs.start("sh -c 'sleep 600'")
    for id in [*ends, deleted]:
        runs.running(id)
    wire.lead(None)
    for id in ends:
        touch(runs, id)
    for id in ends:
        eventually("the Job has failed", 30, lambda id=id: runs.jobs(id)[0]["status"].get("failed"))
    runs.cluster("delete", "jobs", "--selector", f"{RUN}={deleted}", "--grace-period=1", "--wait=true")
    order_box("compact")
    # Its cache begins anew, after all that.
    api_server("stop")
    api_server("start")
    wire.lead(6443)
    back = time.monotonic()
    assert {runs.crashed(id, STUCK - (time.monotonic() - back))[1]["exit_code"] for id in ends} == {3}
    assert runs.crashed(deleted, STUCK - (time.monotonic() - back))[1]["class"] == "deleted"
    assert "(410)" in worker.log.read_text(), "the watch was to be told that it is too late"


@pytest.mark.short
def test_a_worker_that_is_killed_again_and_again_doubles_and_loses_nothing(runs, server, start) -> None:
    name = f"mortal-{runs.pool}"
    worker = start(runs.pool, name)
    deployment = server.deploy(runs.pool, runs.cluster.namespace, image=BUSYBOX, command="sh -c 'sleep 1; exit 7'")
    ids = [server.start(deployment) for _ in range(CROWD)]
    for number in range(1, KILLS + 1):
        made = CROWD * number // (KILLS + 1)
        eventually(f"{made} Jobs are there", 2 * STUCK, lambda made=made: len(attempts(runs)) >= made, worker.said)
        worker.kill()
        worker = start(runs.pool, name)
    for id in ids:
        _, failure = runs.crashed(id, 2 * STUCK)
        assert failure["exit_code"] == 7, server.told(id)
    made = attempts(runs)
    assert set(made.values()) == {1}, made
    assert collections.Counter(id for id, _ in made) == dict.fromkeys(ids, 1), "one Job for each run"


@pytest.mark.short
def test_a_run_in_a_namespace_of_its_own_is_found_again(runs, server, start) -> None:
    found_again(runs, lambda: start(runs.pool, f"narrow-{runs.pool}", PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES=""))


@pytest.mark.short
def test_a_run_in_a_cluster_that_its_job_names_is_found_again(runs, server, start, second) -> None:
    kubeconfig = json.loads(runs.cluster("config", "view", "--raw", "--output", "json"))
    config = {"config": kubeconfig, "context_name": kubeconfig["current-context"]}
    found_again(runs, lambda: start(runs.pool, f"far-{runs.pool}", second.kubeconfig), cluster_config=config)
    assert second.get("jobs")["items"] == []


def found_again(runs: Runs, begin: Callable[[], Process], **job_variables: object) -> None:
    """A run outlives its worker, and the next one gives account of it."""
    worker = begin()
    id = runs.start(f"sh -c '{WAITS}; exit 9'", **job_variables)
    runs.running(id)
    worker.kill()
    worker = begin()
    eventually("the run is taken back", 30, lambda: f"flow run {id} was left by an earlier worker" in worker.said(), worker.said)
    touch(runs, id)
    assert runs.crashed(id)[1]["exit_code"] == 9, runs.server.told(id)
    assert len(runs.jobs(id)) == 1


@pytest.mark.short
def test_no_more_runs_are_on_their_way_than_may_be(runs, server, start, wire, tmp_path) -> None:
    kubeconfig = wire.kubeconfig(Path(runs.cluster.kubeconfig), tmp_path)
    worker = start(runs.pool, f"few-{runs.pool}", kubeconfig, TIDEGATE_WORKER_SUBMISSION_LIMIT="3")
    wire.lead(None)
    deployment = server.deploy(runs.pool, runs.cluster.namespace, image=BUSYBOX, command="sh -c 'exit 3'")
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)).isoformat()
    together = {"type": "SCHEDULED", "state_details": {"scheduled_time": soon}}
    ids = [server.start(deployment, state=together) for _ in range(8)]
    taken = lambda: [id for id in ids if server.run(id)["state_type"] != "SCHEDULED"]  # noqa: E731
    eventually("three are on their way", 30, lambda: len(taken()) == 3, worker.said)
    asked = worker.log.read_text().count("is asked again")
    eventually("the API was asked for them again", 30, lambda: worker.log.read_text().count("is asked again") >= asked + 3, worker.said)
    assert len(taken()) == 3
    wire.lead(6443)
    assert {runs.crashed(id)[1]["exit_code"] for id in ids} == {3}


def copied(job: dict) -> dict:
    """A Job as a backup brings it into another cluster."""
    keys = ("controller-uid", "batch.kubernetes.io/controller-uid")
    metadata = {key: job["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    template = json.loads(json.dumps(job["spec"]["template"]))
    for labels in (metadata["labels"], template["metadata"]["labels"]):
        for key in keys:
            labels.pop(key, None)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"backoffLimit": 0, "template": template}}


@pytest.mark.short
def test_a_worker_in_another_cluster_touches_no_copy_of_a_job(runs, server, start, second) -> None:
    name = f"restored-{runs.pool}"
    here = start(runs.pool, name)
    id = runs.start(f"sh -c '{WAITS}; exit 9'")
    runs.running(id)
    here.kill()
    second.apply(copied(runs.jobs(id)[0]))
    there = start(runs.pool, name, second.kubeconfig)
    left_alone = lambda: "were made in another cluster are left alone" in there.log.read_text()  # noqa: E731
    eventually("the worker says that it leaves the copy alone", 30, left_alone, there.said)
    there.stop()
    assert server.run(id)["state_type"] == "PENDING", server.told(id)
    assert runs.jobs(id)[0]["metadata"].get("deletionTimestamp") is None
    assert [job["metadata"]["labels"][RUN] for job in second.get("jobs")["items"]] == [id]
    start(runs.pool, name)
    touch(runs, id)
    assert runs.crashed(id)[1]["exit_code"] == 9, server.told(id)


@pytest.mark.short
def test_an_api_that_is_another_clusters_now_says_nothing_about_runs(runs, server, start, wire, second, tmp_path) -> None:
    worker = start(runs.pool, f"moved-{runs.pool}", wire.kubeconfig(Path(runs.cluster.kubeconfig), tmp_path))
    id = runs.start(f"sh -c '{WAITS}; exit 9'")
    runs.running(id)
    said = runs.jobs(id)[0]["metadata"]["annotations"]["tidegate.io/cluster"]
    assert said == runs.cluster.get("namespace", "kube-system")["metadata"]["uid"] != second.uid()
    eventually("the run tells its cluster", 10, lambda: server.run(id)["labels"].get("tidegate.cluster.uid") == said)
    assert server.run(id)["infrastructure_pid"] == f"{runs.cluster.namespace}:{runs.jobs(id)[0]['metadata']['name']}"
    wire.lead(None)
    # Both clusters number their revisions alike, since they share an etcd: the other one is not to know these any more.
    order_box("second-api", "stop")
    order_box("compact")
    order_box("second-api", "start")
    wire.lead(6444)
    told = lambda: "is not taken for gone" in worker.log.read_text() and second.uid() in worker.log.read_text()  # noqa: E731
    eventually("the worker says that this is another cluster", STUCK, told, worker.said)
    assert server.run(id)["state_type"] not in TERMINAL, server.told(id)
    wire.lead(6443)
    touch(runs, id)
    assert runs.crashed(id)[1]["exit_code"] == 9, server.told(id)


@pytest.mark.short
def test_a_worker_that_was_told_of_another_cluster_does_not_start(runs, server, second, tmp_path) -> None:
    variables = environment(
        PREFECT_API_URL=server.url, KUBECONFIG=str(runs.cluster.kubeconfig), TIDEGATE_HOME=str(tmp_path),
        PREFECT_INTEGRATIONS_KUBERNETES_CLUSTER_UID=second.uid(),
    )  # fmt: skip
    worker = Process(tmp_path / "worker.log", [binary(), "worker", "start", "--pool", runs.pool, "--type", "kubernetes"], variables)
    eventually("the worker has ended", 30, lambda: worker.child.poll() is not None, worker.said)
    assert worker.child.returncode != 0 and second.uid() in worker.said() and "cluster_uid" in worker.said(), worker.said()
