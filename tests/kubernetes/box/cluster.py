"""Starts and stops the cluster: etcd, control plane, containerd and kubelet. Knows nothing of what is run in it."""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import keys
from paths import API_PORT, API_SERVICE, BOX, CGROUP, CONTAINERD_SOCKET, ETCD_PORT, KEYS, KUBECONFIG, LOGS, NODE, SECOND_KUBECONFIG, SECOND_PORT, SERVICES, SOURCE, STATE
from processes import Failed, running, start, stop, wait_until

CONTROL_PLANE = ["second-apiserver", "forward", "scheduler", "controller-manager", "apiserver", "etcd"]
NEEDED = ["containerd", "ctr", "runc", "unshare", "nsenter", "ip"]


def why_no_kubelet() -> str | None:
    """What keeps a kubelet from running pods on this machine; nothing if it can."""
    if os.geteuid():
        return "it needs root"
    absent = [program for program in NEEDED if not shutil.which(program)]
    if absent:
        return f"{', '.join(absent)} missing"
    if not os.access("/sys/fs/cgroup", os.W_OK) or not any(Path("/sys/fs/cgroup").iterdir()):
        return "the control groups are not writable"
    return None


def up(images: list[Path], *, kubelet: bool) -> None:
    STATE.mkdir(parents=True, exist_ok=True)
    keys.make()
    control_plane()
    refused = why_no_kubelet() if kubelet else "it was not asked for"
    if not refused:
        for part in ("cni", "cni-bin") if not running("containerd") else ():
            # Links cannot be copied over links, and containerd would not see a folder that came again.
            shutil.rmtree(STATE / part, ignore_errors=True)
            shutil.copytree(SOURCE / "conf" / part, STATE / part, symlinks=True)
        shutil.copytree(SOURCE / "conf/registries", STATE / "registries", dirs_exist_ok=True)
        node(images)
    (STATE / "cluster.json").write_text(json.dumps({"kubelet": refused is None, "why_no_kubelet": refused}))


def control_plane() -> None:
    peer = f"http://127.0.0.1:{ETCD_PORT + 1}"
    client = f"http://127.0.0.1:{ETCD_PORT}"
    start("etcd", BOX, "etcd", "--name", "box", "--data-dir", STATE / "etcd", "--unsafe-no-fsync", "--log-level", "warn",
          "--listen-client-urls", client, "--advertise-client-urls", client,
          "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"box={peer}")
    start_apiserver()
    own = lambda name: [f"--{kind}kubeconfig={STATE}/{name}.kubeconfig" for kind in ("", "authentication-", "authorization-")]  # noqa: E731
    start("controller-manager", BOX, "kube-controller-manager", *own("controller-manager"), "--bind-address=127.0.0.1",
          "--leader-elect=false", "--use-service-account-credentials=true",
          f"--service-account-private-key-file={KEYS}/service-accounts.key", f"--root-ca-file={KEYS}/ca.crt",
          "--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-job-syncs=20", "--concurrent-gc-syncs=20", "--profiling=false")
    # In-cluster clients of pods in the host's network find the API server at KUBERNETES_SERVICE_HOST.
    start("forward", BOX, "forward", f"{API_SERVICE}:443", f"127.0.0.1:{API_PORT}")
    (STATE / "scheduler.json").write_text(json.dumps({
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration", "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": f"{STATE}/scheduler.kubeconfig", "qps": 1000, "burst": 2000},
    }))
    start("scheduler", BOX, "kube-scheduler", f"--config={STATE}/scheduler.json", *own("scheduler")[1:], "--bind-address=127.0.0.1")
    wait_until("the controller manager is healthy", 60, ["curl", "-skf", "https://127.0.0.1:10257/healthz"], "controller-manager")
    wait_until("the scheduler is healthy", 60, ["curl", "-skf", "https://127.0.0.1:10259/healthz"], "scheduler")
    wait_until("there is a default service account", 60, kubectl("get", "serviceaccount", "default"), "controller-manager")


def start_apiserver(name: str = "apiserver", port: int = API_PORT, prefix: str = "/registry", kubeconfig: Path = KUBECONFIG) -> None:
    """Also for tests that stop it for a while."""
    start(name, BOX, "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}", f"--etcd-prefix={prefix}",
          "--bind-address=127.0.0.1", f"--secure-port={port}", f"--service-cluster-ip-range={SERVICES}",
          # Endpoints may not be loopback addresses.
          "--endpoint-reconciler-type=none",
          f"--tls-cert-file={KEYS}/server.crt", f"--tls-private-key-file={KEYS}/server.key", f"--client-ca-file={KEYS}/ca.crt",
          f"--token-auth-file={KEYS}/tokens.csv", "--authorization-mode=Node,RBAC",
          "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
          "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
          f"--service-account-key-file={KEYS}/service-accounts.pub",
          f"--service-account-signing-key-file={KEYS}/service-accounts.key",
          f"--kubelet-certificate-authority={KEYS}/ca.crt", f"--kubelet-client-certificate={KEYS}/apiserver-kubelet.crt",
          f"--kubelet-client-key={KEYS}/apiserver-kubelet.key", "--kubelet-preferred-address-types=InternalIP",
          "--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000", "--profiling=false")
    wait_until("the API server is ready", 120, kubectl("get", "--raw", "/readyz", kubeconfig=kubeconfig), name, "etcd")


def start_second() -> Path:
    """The API of another cluster; answers its kubeconfig."""
    SECOND_KUBECONFIG.write_text(KUBECONFIG.read_text().replace(f":{API_PORT}", f":{SECOND_PORT}"))
    start_apiserver("second-apiserver", SECOND_PORT, "/second", SECOND_KUBECONFIG)
    return SECOND_KUBECONFIG


def compact() -> int:
    """Makes etcd forget how things came to be what they are; answers the revision that it begins with now."""
    def ask(path: str, body: dict) -> dict:
        request = urllib.request.Request(f"http://127.0.0.1:{ETCD_PORT}/v3/kv/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    revision = int(ask("range", {"key": base64.b64encode(b"/").decode()})["header"]["revision"])
    ask("compaction", {"revision": revision, "physical": True})
    return revision


def node(images: list[Path]) -> None:
    """A real node: containerd and kubelet share one private mount namespace, so that no mount stays behind when they end."""
    start("mounts", "unshare", "--mount", "--propagation", "private", "sh", "-c", "mount --make-rshared / && exec sleep infinity")
    wait_until("the mount namespace is there", 10, ["grep", "-q", " / / .*shared:", f"/proc/{running('mounts')}/mountinfo"], "mounts")
    inside = ["nsenter", f"--mount=/proc/{running('mounts')}/ns/mnt", "--wd=/"]
    for name in ("containerd.toml", "kubelet.yaml"):
        text = (SOURCE / "conf" / name).read_text()
        (STATE / name).write_text(text.replace("@STATE@", str(STATE)).replace("@CGROUP@", f"/{CGROUP}"))
    for group in control_groups():
        group.mkdir(exist_ok=True)
    start("containerd", *inside, "containerd", "--config", STATE / "containerd.toml")
    wait_until("containerd answers", 60, ctr("version"), "containerd")
    for image in images:
        load(image)
    start_kubelet(inside)
    wait_until("the node is ready", 90, kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=2s"), "kubelet")


def start_kubelet(inside: list[str]) -> None:
    """containerd listens before its part for kubelets is ready, and a kubelet that comes too early ends: then another one is started."""
    for tries_left in reversed(range(10)):
        start("kubelet", *inside, BOX, "kubelet", f"--config={STATE}/kubelet.yaml", f"--kubeconfig={STATE}/kubelet.kubeconfig",
              f"--root-dir={STATE}/kubelet", f"--hostname-override={NODE}", "--node-labels=kubernetes-box=real")
        try:
            return wait_until("the kubelet is healthy", 60, ["curl", "-sf", "http://127.0.0.1:10248/healthz"], "kubelet")
        except Failed:
            if running("kubelet") or not tries_left:
                raise
            time.sleep(0.3)


def load(image: Path) -> None:
    """Puts an image's archive where the kubelet finds it. An archive that has not changed is not read again."""
    stamps = STATE / "loaded.json"
    loaded = json.loads(stamps.read_text()) if stamps.exists() else {}
    found = image.stat()
    written = [found.st_mtime_ns, found.st_size]
    if loaded.get(str(image)) == written:
        return
    done = subprocess.run(ctr("images", "import", str(image)), capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"cannot load {image}: {done.stderr.strip()}")
    stamps.write_text(json.dumps({**loaded, str(image): written}))


def ctr(*words: str) -> list[str]:
    return ["ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io", *words]


def kubectl(*words: str, kubeconfig: Path = KUBECONFIG) -> list[str]:
    return [str(BOX), "kubectl", f"--kubeconfig={kubeconfig}", *words]


def down(*, purge: bool) -> None:
    (STATE / "cluster.json").unlink(missing_ok=True)
    stop("kwok", "kubelet")
    if running("containerd"):
        end_containers()
    stop(*CONTROL_PLANE[:-2], "containerd", "mounts", *CONTROL_PLANE[-2:])
    end_leftovers()
    if purge and STATE.exists():
        shutil.rmtree(STATE)


def end_containers() -> None:
    """Containers outlive kubelet and containerd by design: they, and their shims, are ended before containerd goes."""
    def listed(kind: str) -> list[str]:
        return subprocess.run(ctr(kind, "ls", "-q"), capture_output=True, text=True).stdout.split()

    for container in listed("tasks"):
        subprocess.run(ctr("tasks", "kill", "-s", "SIGKILL", container), capture_output=True)
    for container in listed("tasks"):
        subprocess.run(ctr("tasks", "rm", "-f", container), capture_output=True)
    for container in listed("containers"):
        subprocess.run(ctr("containers", "rm", container), capture_output=True)


def end_leftovers() -> None:
    """After a crash: shims that still serve this containerd's address, and what is left in the pods' control groups."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"containerd-shim-runc-v2") and str(CONTAINERD_SOCKET).encode() in words:
            kill(int(folder.name))
    groups = [path.parent for root in control_groups() for path in root.glob("**/cgroup.procs")]
    for group in groups:
        for process in (group / "cgroup.procs").read_text().split():
            kill(int(process))
    deadline = time.monotonic() + 2
    for group in sorted(groups, key=lambda path: len(path.parts), reverse=True):
        # A group is empty a moment after its processes were killed.
        while not removed(group) and time.monotonic() < deadline:
            time.sleep(0.02)


def control_groups() -> list[Path]:
    """Where the kubelet makes its groups: below one of the box's own in each hierarchy, since the machine may have pods itself."""
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        return [top / CGROUP]
    return [path / CGROUP for path in top.iterdir() if (path / "cgroup.procs").exists()]


def removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def kill(process: int) -> None:
    try:
        os.kill(process, 9)
    except ProcessLookupError:
        return
