"""What tests of workers rely on in the box: how real pods end, what a kubelet answers, and that permissions count."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator

import pytest

IMAGE = "localhost/busybox:1"
PULLED = "registry.invalid/nowhere:1"


def pod_spec(*command: str, **fields: object) -> dict:
    container = {"name": "c", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": list(command), **fields.pop("container", {})}
    return {"restartPolicy": "Never", "containers": [container], **fields}


def job(name: str, spec: dict, **fields: object) -> dict:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "template": {"spec": spec}, **fields}}  # fmt: skip


def pod(name: str, spec: dict) -> dict:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def condition(cluster, name: str, kind: str) -> bool:
    found = cluster.get("job", name)["status"].get("conditions", [])
    return any(each["type"] == kind and each["status"] == "True" for each in found)


def state(cluster, selector: str) -> dict:
    return cluster.get("pod", "--selector", selector)["items"][0]["status"]["containerStatuses"][0]["state"]


@pytest.mark.short
@pytest.mark.parametrize(("code", "verdict"), [(0, "Complete"), (3, "Failed")])
def test_a_job_ends_as_its_process_does(pods, code, verdict) -> None:
    pods.apply(job("ends", pod_spec("sh", "-c", f"echo hello; exit {code}")))
    pods.eventually(f"the Job is {verdict}", 90, lambda: condition(pods, "ends", verdict))
    assert state(pods, "job-name=ends")["terminated"]["exitCode"] == code
    assert pods("logs", "job/ends") == "hello\n"


@pytest.mark.short
def test_a_container_over_its_memory_is_killed(pods) -> None:
    limit = {"container": {"resources": {"limits": {"memory": "32Mi"}}}}
    pods.apply(job("oom", pod_spec("dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1", **limit)))
    pods.eventually("the Job is Failed", 90, lambda: condition(pods, "oom", "Failed"))
    ended = state(pods, "job-name=oom")["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_an_image_that_is_nowhere(pods) -> None:
    pods.apply(pod("missing", pod_spec("true", container={"image": PULLED})))
    waiting = lambda: pods.get("pod", "missing")["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]  # noqa: E731
    pods.eventually("the pull fails", 60, lambda: waiting() in ("ErrImagePull", "ImagePullBackOff"))


def test_a_missing_secret(pods) -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "nowhere", "key": "k"}}}]
    pods.apply(pod("config", pod_spec("true", container={"env": env})))
    waiting = lambda: pods.get("pod", "config")["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]  # noqa: E731
    pods.eventually("the container cannot be made", 60, lambda: waiting() == "CreateContainerConfigError")


def test_a_pod_that_fits_nowhere(pods) -> None:
    pods.apply(pod("big", pod_spec("true", container={"resources": {"requests": {"memory": "900Ti"}}})))
    conditions = lambda: {each["type"]: each for each in pods.get("pod", "big")["status"]["conditions"]}  # noqa: E731
    scheduled = pods.eventually("the scheduler says no", 60, lambda: conditions().get("PodScheduled"))
    assert scheduled["reason"] == "Unschedulable" and "Insufficient memory" in scheduled["message"]


def test_a_deadline(pods) -> None:
    pods.apply(job("late", pod_spec("sleep", "600", terminationGracePeriodSeconds=0), activeDeadlineSeconds=2))
    pods.eventually("the Job is Failed", 60, lambda: condition(pods, "late", "Failed"))
    reasons = [each.get("reason") for each in pods.get("job", "late")["status"]["conditions"]]
    assert "DeadlineExceeded" in reasons


TRAP = "trap 'echo got TERM; exit 143' TERM; echo ready; while true; do sleep 0.1; done"


def test_a_pod_is_asked_before_it_is_killed(pods) -> None:
    pods.apply(pod("polite", pod_spec("sh", "-c", TRAP, terminationGracePeriodSeconds=30)))
    pods.eventually("it is ready", 60, lambda: "ready" in pods("logs", "polite"))
    follow = subprocess.Popen([*pods_logs(pods), "polite", "--follow"], stdout=subprocess.PIPE, text=True)
    pods("delete", "pod", "polite", "--wait", "--timeout=25s")
    assert follow.communicate(timeout=10)[0].splitlines()[-1] == "got TERM"


def pods_logs(cluster) -> list[str]:
    from conftest import BOX

    return [str(BOX), "kubectl", "--namespace", cluster.namespace, "logs"]


def test_an_evicted_pod_is_replaced(pods) -> None:
    pods.apply(job("moved", pod_spec("sh", "-c", TRAP, terminationGracePeriodSeconds=5), backoffLimit=2))
    running = lambda: pods.get("pod", "--selector", "job-name=moved", "--field-selector", "status.phase=Running")["items"]  # noqa: E731
    first = pods.eventually("it runs", 60, running)[0]["metadata"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first["name"], "namespace": pods.namespace}}
    path = f"/api/v1/namespaces/{pods.namespace}/pods/{first['name']}/eviction"
    pods("create", "--raw", path, "--filename", "-", text=json.dumps(eviction))
    pods.eventually("another pod runs", 60, lambda: [each for each in running() if each["metadata"]["uid"] != first["uid"]])


def test_exec(pods) -> None:
    pods.apply(pod("shell", pod_spec("sleep", "600", terminationGracePeriodSeconds=0)))
    pods("wait", "--for=condition=Ready", "pod/shell", "--timeout=60s")
    assert pods("exec", "shell", "--", "sh", "-c", "echo $((1+1))") == "2\n"


@pytest.fixture
def web() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello from the machine\n")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def test_pods_in_the_hosts_network_reach_the_machine(pods, web) -> None:
    pods.apply(job("reach", pod_spec("wget", "-q", "-O", "-", f"http://127.0.0.1:{web}/", hostNetwork=True)))
    pods.eventually("the Job is Complete", 60, lambda: condition(pods, "reach", "Complete"))
    assert pods("logs", "job/reach") == "hello from the machine\n"


def test_permissions_count(cluster) -> None:
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader"},
         "rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "reader"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
         "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": cluster.namespace}]},
    )  # fmt: skip
    who = ["--as", f"system:serviceaccount:{cluster.namespace}:reader"]
    assert cluster.run("get", "jobs", *who).returncode == 0
    refused = cluster.run("get", "secrets", *who, check=False)
    assert refused.returncode and "forbidden" in refused.stderr
