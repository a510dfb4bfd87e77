"""Nodes that kwok plays, beside the real one: their pods have no processes and end as their annotations say (conf/kwok-stages.yaml)."""

import json
import subprocess

from cluster import kubectl
from paths import KUBECONFIG, SOURCE, TOOLS
from processes import Failed, start, stop

LABEL = "kubernetes-box"
ROOM = {"cpu": "10000", "memory": "10000Gi", "pods": "10000"}


def up(count: int) -> None:
    nodes = [fake(number) for number in range(1, count + 1)]
    apply = kubectl("apply", "--filename", "-")
    done = subprocess.run(apply, input=json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}), text=True, capture_output=True)
    if done.returncode:
        raise Failed(f"cannot make the nodes: {done.stderr.strip()}")
    # Without leases of some length the nodes become NotReady.
    start("kwok", TOOLS / "kwok", "--kubeconfig", KUBECONFIG, "--manage-nodes-with-label-selector", f"{LABEL}=fake",
          "--node-lease-duration-seconds", "40", "--node-ip", "127.0.0.1", "--cidr", "127.64.0.0/16", "-v", "WARN",
          "--config", SOURCE / "conf/kwok-stages.yaml")
    ready = kubectl("wait", "--for=condition=Ready", "node", "--selector", f"{LABEL}=fake", "--timeout=60s")
    if subprocess.run(ready, stdout=subprocess.DEVNULL).returncode:
        raise Failed("the nodes do not become ready\nhint: see kwok.log")


def fake(number: int) -> dict:
    name = f"fake-{number}"
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "labels": {LABEL: "fake", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": [{"key": LABEL, "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": ROOM, "capacity": ROOM},
    }


def down() -> None:
    stop("kwok")
    subprocess.run(kubectl("delete", "node", "--selector", f"{LABEL}=fake", "--ignore-not-found"), check=True, stdout=subprocess.DEVNULL)
