"""What a run's failure policy, profile and patch make of its Jobs on a real cluster, and the Job that a preview shows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from conftest import Cluster
from stage import Server, binary, environment, eventually
from workers import BUSYBOX, Runs, start_worker

PROFILES = {"marked": {"metadata": {"annotations": {"size": "large"}}, "spec": {"terminationGracePeriodSeconds": 7}}}


def with_profiles(server: Server) -> str:
    pool = server.pool()
    template = server.call("GET", f"/work_pools/{pool}")["base_job_template"]
    template["job_configuration"]["profiles"] = PROFILES
    for name in ("profile", "pod_patch", "failure_policy"):
        template["job_configuration"][name] = f"{{{{ {name} }}}}"
        template["variables"]["properties"][name] = {}
    server.call("PATCH", f"/work_pools/{pool}", {"base_job_template": template})
    return pool


@pytest.fixture(scope="module")
def served(server: Server, box: dict, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pool = with_profiles(server)
    process = start_worker(server, tmp_path_factory.mktemp("worker"), pool, "policies", box["kubeconfig"])
    yield pool
    process.stop()


@pytest.fixture
def runs(server: Server, served: str, pods: Cluster) -> Runs:
    return Runs(server, pods, served)


def tries(runs: Runs, id: str) -> list[str]:
    """The reasons of the tries that the policy gave the run."""
    return [state["message"] for state in runs.server.states(id) if state["name"] == "AwaitingRetry"]


def container(job: dict) -> dict:
    return job["spec"]["template"]["spec"]["containers"][0]


def test_a_run_that_had_too_little_memory_gets_more(runs) -> None:
    policy = {"oom_killed": {"retries": 1, "memory_factor": 16, "memory_cap": "400Mi", "delay_seconds": 0}}
    id = runs.start("dd if=/dev/zero of=/dev/null bs=300M count=1", memory_limit="32Mi", failure_policy=policy)
    runs.server.ended(id)
    reasons = tries(runs, id)
    assert len(reasons) == 1 and "oom_killed" in reasons[0] and "32Mi" in reasons[0], runs.server.told(id)
    limits = [container(job)["resources"]["limits"]["memory"] for job in sorted(runs.jobs(id), key=lambda job: job["metadata"]["creationTimestamp"])]
    assert limits[0] == "32Mi" and limits[-1] != "32Mi", limits
    # The second one is no failure of memory.
    failure = runs.failure(id)
    assert failure is None or failure["class"] != "oom_killed", runs.server.told(id)


def test_a_flow_that_had_too_little_memory_gets_more(runs, flow_image) -> None:
    """The SDK says itself that the flow crashed, and its pod ends well: only the reason of the pod's end tells of memory."""
    policy = {"oom_killed": {"retries": 1, "memory_factor": 5, "delay_seconds": 0}}
    id = runs.server.start(
        runs.server.deploy(runs.pool, runs.cluster.namespace, memory_limit="300Mi", failure_policy=policy), {"megabytes": 800})
    runs.server.until(id, "the flow has completed with more memory", 120, lambda run: run["state_type"] == "COMPLETED")
    assert len(tries(runs, id)) == 1, runs.server.told(id)


def test_a_policy_gives_so_many_tries_and_the_last_failure_is_told(runs) -> None:
    policy = {"exit_code": {"retries": 2, "delay_seconds": 0}}
    _, failure, id = runs.fails("sh -c 'exit 3'", failure_policy=policy)
    assert len(tries(runs, id)) == 2 and failure["exit_code"] == 3, runs.server.told(id)
    assert len(runs.jobs(id)) == 3


def test_a_policy_that_is_none_is_told(runs) -> None:
    run, failure, _ = runs.fails("true", failure_policy={"bad_luck": {"retries": 1}})
    assert failure["class"] == "config_error" and "bad_luck" in run["state"]["message"]


def test_a_profile_and_a_patch_change_the_pod(runs) -> None:
    patch = {"spec": {"containers": [{"name": "prefect-job", "env": [{"name": "COLOUR", "value": "teal"}]}]}}
    id = runs.start("sh -c 'echo it is $COLOUR; sleep 5'", profile="marked", pod_patch=patch)
    pod = runs.running(id)
    assert pod["metadata"]["annotations"]["size"] == "large"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 7
    eventually("the variable is in the container", 30, lambda: any("it is teal" in line for line in runs.server.lines(id)), lambda: runs.server.told(id))


def test_a_profile_that_is_not_there_is_told(runs) -> None:
    run, failure, _ = runs.fails("true", profile="huge")
    assert failure["class"] == "config_error" and "huge" in run["state"]["message"] and "marked" in run["state"]["message"]


@pytest.mark.parametrize("where", [(), ("--dry-run=server",)], ids=["rendered", "asked of the cluster"])
def test_a_preview_shows_the_job(runs, where) -> None:
    deployment = runs.server.deploy(runs.pool, runs.cluster.namespace, image=BUSYBOX, command="true", profile="marked")
    variables = environment(PREFECT_API_URL=runs.server.url, KUBECONFIG=str(runs.cluster.kubeconfig), TIDEGATE_HOME=str(runs.server.folder / "preview"))
    words = [binary(), "work-pool", "preview", runs.pool, "--deployment", deployment, *where]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert container(job)["image"] == BUSYBOX and job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 7
    # Only the cluster fills this in.
    assert ("uid" in job["metadata"]) == bool(where)
    assert job["metadata"].get("name") not in {made["metadata"]["name"] for made in runs.cluster.get("jobs")["items"]}
