"""What is measured: a server, a worker, a pool whose pods are on kwok's nodes, and a watch that notes each Job's coming."""

from __future__ import annotations

import collections
import datetime
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import stage
import yaml
from api import Api

RUN, ATTEMPT = "prefect.io/flow-run-id", "tidegate.io/attempt"
FAKE = {"nodeSelector": {"kubernetes-box": "fake"}, "tolerations": [{"key": "kubernetes-box", "operator": "Exists"}]}
ACCOUNT = "bench-worker"
OBSERVED = "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"


class Jobs:
    """The Jobs of a namespace, each with the time at which it was seen first."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.seen: dict[str, float] = {}
        self.runs: collections.Counter = collections.Counter()
        self.ready: set[str] = set()
        self.ended: set[str] = set()
        self.last = time.time()
        self.done = api.watch(f"/apis/batch/v1/namespaces/{namespace}/jobs", self.note)

    def note(self, kind: str, job: dict, now: float) -> None:
        labels = job["metadata"].get("labels", {})
        if kind == "ADDED" and job["metadata"]["uid"] not in self.seen:
            self.seen[job["metadata"]["uid"]] = self.last = now
            self.runs[labels.get(RUN), labels.get(ATTEMPT)] += 1
        if job["status"].get("ready"):
            self.ready.add(job["metadata"]["uid"])
        if job["status"].get("succeeded") or job["status"].get("failed"):
            self.ended.add(job["metadata"]["uid"])

    def of(self, run: str) -> bool:
        return any(id == run for id, _ in list(self.runs))


class Worker:
    """A worker under its name; one name has one home, so that it can be killed and started again."""

    def __init__(self, server: stage.Server, pool: str, name: str, words: list[object], variables: dict[str, str], folder: Path) -> None:
        self.server, self.pool, self.name, self.words, self.variables, self.folder = server, pool, name, words, variables, folder
        self.start()

    def start(self) -> None:
        self.process = stage.Process(self.folder / f"{self.name}.log", self.words, self.variables)

    def until_online(self, seconds: float = 120) -> None:
        path = f"/work_pools/{self.pool}/workers/filter"
        online = lambda: any(each["name"] == self.name and each["status"] == "ONLINE" for each in self.server.call("POST", path, {}))  # noqa: E731
        stage.eventually(f"the worker {self.name} is online", seconds, online, self.process.said)

    @property
    def id(self) -> int:
        return self.process.child.pid


class Scene:
    def __init__(self, box: dict, folder: Path) -> None:
        self.box, self.folder = box, folder
        self.api = Api(Path(box["kubeconfig"]))
        self.kubeconfig = self.account()

    def namespace(self) -> str:
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self.api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        stage.eventually("the namespace has an account", 30, lambda: self.there(path))
        return name

    def there(self, path: str) -> dict | None:
        try:
            return self.api("GET", path)
        except RuntimeError:
            return None

    def remove(self, namespace: str) -> None:
        """Returns when nothing of it is left: what is being removed would be measured, too."""
        self.api("DELETE", f"/api/v1/namespaces/{namespace}")
        stage.eventually("the namespace is gone", 1800, lambda: not self.there(f"/api/v1/namespaces/{namespace}"))

    def account(self) -> Path:
        """A kubeconfig of the worker's own account, whose requests the API server counts apart."""
        def apply(path: str, body: dict) -> None:
            if not self.there(f"{path}/{body['metadata']['name']}"):
                self.api("POST", path, body)

        subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "default"}
        apply("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": ACCOUNT}})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        apply("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {"metadata": {"name": ACCOUNT}, "roleRef": role, "subjects": [subject]})
        every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
        rule = {"subjects": [{"kind": "ServiceAccount", "serviceAccount": {"name": ACCOUNT, "namespace": "default"}}], "resourceRules": [every]}
        spec = {"priorityLevelConfiguration": {"name": "exempt"}, "matchingPrecedence": 1000, "rules": [rule]}
        apply("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", {"metadata": {"name": ACCOUNT}, "spec": spec})
        path = f"/api/v1/namespaces/default/serviceaccounts/{ACCOUNT}/token"
        token = self.api("POST", path, {"spec": {"expirationSeconds": 86400}})["status"]["token"]
        config = yaml.safe_load(Path(self.box["kubeconfig"]).read_text())
        config["users"][0]["user"] = {"token": token}
        written = self.folder / "worker.kubeconfig"
        written.write_text(yaml.safe_dump(config))
        return written

    def requests(self) -> float:
        """How many requests the API server has taken from the worker, by its own count."""
        lines = self.api.raw("GET", "/metrics").decode().splitlines()
        wanted = [line for line in lines if line.startswith("apiserver_flowcontrol_dispatched_requests_total") and f'"{ACCOUNT}"' in line]
        return sum(float(line.rpartition(" ")[2]) for line in wanted)

    def worker(self, server: stage.Server, pool: str, name: str, namespace: str) -> Worker:
        home = self.folder / name
        home.mkdir(exist_ok=True)
        variables = stage.environment(
            PREFECT_API_URL=server.url, KUBECONFIG=str(self.kubeconfig), TIDEGATE_HOME=str(home), **{OBSERVED: namespace}
        )
        words = [stage.binary(), "worker", "start", "--pool", pool, "--type", "kubernetes", "--name", name]
        worker = Worker(server, pool, name, words, variables, home)
        worker.until_online()
        return worker


def pool(server: stage.Server, run: str | None = "0s") -> str:
    """On kwok's nodes, whose pods run so long; without, on the real node."""
    def change(pod: dict) -> None:
        if run is not None:
            pod.update(FAKE)

    return server.pool(change)


def deployment(server: stage.Server, pool: str, namespace: str, run: str = "0s") -> str:
    """kwok's pods have no output that could be read."""
    annotations = {"kubernetes-box/run": run}
    return server.deploy(pool, namespace, image="localhost/busybox:1", command="true", stream_output=False, annotations=annotations)


def at(seconds_from_now: float) -> dict:
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds_from_now)
    return {"type": "SCHEDULED", "state_details": {"scheduled_time": when.isoformat()}}


def crowd(server: stage.Server, deployment: str, count: int) -> tuple[list[str], float]:
    """So many runs that become due at one moment; answers that moment."""
    ahead = 3 + count / 150
    due, state = time.time() + ahead, at(ahead)
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: server.start(deployment, state=state), range(count)))
    if time.time() > due:
        print(f"  (the runs were made {time.time() - due:.1f} s after they were due)")
        due = time.time()
    return ids, due


def count(server: stage.Server, deployment: str, *kinds: str) -> int:
    filters = {"deployments": {"id": {"any_": [deployment]}}, "flow_runs": {"state": {"type": {"any_": list(kinds)}}}}
    return server.call("POST", "/flow_runs/count", filters)


def settle(server: stage.Server, deployment: str, wanted: int, patience: float, each: Callable[[], object] = lambda: None) -> tuple[int, float]:
    """Waits until so many runs have ended, or none does for `patience` seconds; answers how many have not, and when the last one ended."""
    ended, since = 0, time.time()
    while ended < wanted and time.time() - since < patience:
        time.sleep(0.5)  # between two looks
        each()
        now = count(server, deployment, *stage.TERMINAL)
        if now > ended:
            ended, since = now, time.time()
    return wanted - ended, since
