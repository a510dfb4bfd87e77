"""Where the box keeps what it builds and what runs: outside of the checkout, below $TIDEGATE_CACHE/kubernetes."""

import os
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache/tidegate").resolve() / "kubernetes"
TOOLS = CACHE / "bin"
IMAGES = CACHE / "images"

# All that a cluster leaves behind. One cluster a machine: its parts have fixed ports.
STATE = CACHE / "cluster"
# In which its pods are, and nobody else's.
CGROUP = "tidegate-box"
KEYS = STATE / "keys"
LOGS = STATE / "logs"
PROCESSES = STATE / "processes"
CONTAINERD_SOCKET = STATE / "containerd.sock"
KUBECONFIG = STATE / "admin.kubeconfig"

BOX = TOOLS / "kubernetes-box"
API_PORT = 6443
ETCD_PORT = 2379
# Another cluster's API, on the same etcd under a prefix of its own: no controllers and no nodes.
SECOND_PORT = 6444
SECOND_KUBECONFIG = STATE / "second.kubeconfig"
# Services live on loopback: the API server's own address there can then be served by a plain listener.
SERVICES = "127.96.0.0/16"
API_SERVICE = "127.96.0.1"
# The node's name and also its InternalIP: kubelet refuses `--node-ip` on loopback, and takes an address given as a name unchecked.
NODE = "127.0.0.1"
