"""The measures, each on a scene of its own. None of them fails for being slow; what was lost or doubled is counted and told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import stage
from api import Api
from figures import Table, memory, percentile, processor_seconds
from scene import OBSERVED, Jobs, Scene, Worker, count, crowd, deployment, pool, settle

# A run that does not go on for so long is stuck.
STUCK = 60


@contextlib.contextmanager
def staged(scene: Scene, what: str) -> Iterator[tuple[stage.Server, str]]:
    """A fresh server, and a namespace that is removed afterwards."""
    print(f"{what}:", flush=True)
    folder = scene.folder / what.replace(" ", "-")
    folder.mkdir()
    namespace = scene.namespace()
    try:
        with stage.serving(folder) as server:
            yield server, namespace
    finally:
        scene.remove(namespace)


def latency(server: stage.Server, chosen: str, jobs: Jobs, rounds: int, patience: float) -> list[float]:
    """Seconds from a run's due time to its Job, one run after the other."""
    found = []
    for _ in range(rounds):
        run = server.start(chosen)
        due = time.time()
        before = len(jobs.seen)
        stage.eventually("the run's Job is there", patience, lambda run=run: jobs.of(run))
        assert len(jobs.seen) == before + 1
        found.append(jobs.last - due)
    return found


def idle(scene: Scene, table: Table, rounds: int, reference: list[float]) -> None:
    with staged(scene, "due to Job") as (server, namespace):
        chosen = pool(server)
        worker = scene.worker(server, chosen, "idle", namespace)
        jobs = Jobs(scene.api, namespace)
        took = latency(server, deployment(server, chosen, namespace), jobs, rounds, 60)
        worker.process.stop()
        jobs.done.set()
    for share, goal in ((0.5, "100 ms"), (0.99, "300 ms")):
        ours = percentile(took, share)
        theirs = percentile(reference, share)
        beside = f"{theirs * 1000:.0f} ms, {theirs / ours:.0f}x" if reference else ""
        table.add(f"due -> Job, idle, p{share * 100:.0f}", f"{ours * 1000:.0f} ms", goal, beside, seconds=ours, reference_seconds=theirs)


def plain(scene: Scene, namespace: str, sample: dict, wanted: int) -> float:
    """Jobs a second that a loop makes which does nothing else, over eight connections."""
    apis = [Api(Path(scene.box["kubeconfig"])) for _ in range(8)]
    lock, numbers = threading.Lock(), iter(range(wanted))

    def make(api: Api) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            metadata = {**sample["metadata"], "name": f"plain-{number}"}
            api("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", {**sample, "metadata": metadata})

    began = time.time()
    with ThreadPoolExecutor(len(apis)) as threads:
        list(threads.map(make, apis))
    return wanted / (time.time() - began)


def sample_of(scene: Scene, namespace: str) -> dict:
    """A Job as the worker makes it, ready to be made again under another name and for nobody."""
    job = scene.api("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs?limit=1")["items"][0]
    labels = {"app": "plain"}
    template = json.loads(json.dumps(job["spec"]["template"]))
    template["metadata"]["labels"] = labels
    metadata = {"labels": labels, "annotations": job["metadata"]["annotations"]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"backoffLimit": 0, "template": template}}


def burst(scene: Scene, table: Table, runs: int) -> None:
    with staged(scene, "burst") as (server, namespace):
        chosen = pool(server)
        worker = scene.worker(server, chosen, "burst", namespace)
        one = deployment(server, chosen, namespace)
        jobs = Jobs(scene.api, namespace)
        latency(server, one, jobs, 1, 60)
        loop = scene.namespace()
        made = Jobs(scene.api, loop)
        rate = plain(scene, loop, sample_of(scene, namespace), runs)
        # They are not to be in the way of what comes.
        stage.eventually("the loop's Jobs have ended", 3600, lambda: len(made.ended) >= runs)
        made.done.set()
        scene.remove(loop)
        asked, used = scene.requests(), processor_seconds(worker.id)
        due = crowd(server, one, runs)[1]
        most = [0.0]

        def look() -> None:
            most[0] = max(most[0], memory(worker.id))

        stuck, finished = settle(server, one, runs + 1, 2 * STUCK, look)
        ours = runs / (jobs.last - due)
        asked, used = scene.requests() - asked, processor_seconds(worker.id) - used
        worker.process.stop()
        jobs.done.set()
    doubled = sum(times - 1 for times in jobs.runs.values()) + len(jobs.runs) - len({run for run, _ in jobs.runs})
    table.add(f"burst of {runs}: Jobs made", f"{ours:.0f}/s, {100 * ours / rate:.0f} %", "90 %", f"plain loop {rate:.0f}/s", rate=ours, plain_rate=rate)
    table.add("burst: all finished", f"after {finished - due:.0f} s, {runs / (finished - due):.0f}/s", "", seconds=finished - due)
    table.add("burst: stuck, doubled", f"{stuck}, {doubled}", "0, 0", stuck=stuck, doubled=doubled)
    table.add("burst: requests a run", f"{asked / runs:.1f}", "", requests=asked / runs)
    table.add("burst: worker's memory, processor time a run", f"{most[0]:.0f} MB, {1000 * used / runs:.1f} ms", "", megabytes=most[0], processor_seconds=used / runs)


def alive(scene: Scene, table: Table, runs: int, seconds: float) -> None:
    with staged(scene, "live pods") as (server, namespace):
        chosen = pool(server)
        worker = scene.worker(server, chosen, "live", namespace)
        one = deployment(server, chosen, namespace, run="12h")
        jobs = Jobs(scene.api, namespace)
        crowd(server, one, runs)
        before, since = -1, time.time()
        while (now := len(jobs.ready)) < runs and time.time() - since < 5 * STUCK:
            if now > before:
                before, since = now, time.time()
            time.sleep(1)  # between two looks
        jobs.done.set()
        time.sleep(STUCK)  # nothing changes any more
        asked, used, began = scene.requests(), processor_seconds(worker.id), time.time()
        time.sleep(seconds)
        took = time.time() - began
        asked, used, megabytes = (scene.requests() - asked) / took, (processor_seconds(worker.id) - used) / took, memory(worker.id)
        ended = count(server, one, *stage.TERMINAL)
        worker.process.stop()
    table.add(f"{running_text(now, runs)} live pods: memory", f"{megabytes:.0f} MB", "300 MB", megabytes=megabytes)
    table.add("live pods: processor", f"{used:.3f} cores", "1 core", cores=used)
    table.add("live pods: requests, nothing changes", f"{asked:.2f}/s", "1/s", requests_per_second=asked)
    table.add("live pods: runs taken for ended", f"{ended}", "0", ended=ended)


def running_text(now: int, runs: int) -> str:
    return str(runs) if now == runs else f"{now} of {runs}"


def kills(scene: Scene, table: Table, runs: int, times: int) -> None:
    with staged(scene, "kills") as (server, namespace):
        chosen = pool(server)
        worker = scene.worker(server, chosen, "killed", namespace)
        one = deployment(server, chosen, namespace)
        jobs = Jobs(scene.api, namespace)
        crowd(server, one, runs)
        progress, longest = {"ended": 0, "jobs": 0, "since": time.time()}, [0.0]

        def look() -> None:
            now = (count(server, one, *stage.TERMINAL), len(jobs.seen))
            if now > (progress["ended"], progress["jobs"]):
                longest[0] = max(longest[0], time.time() - progress["since"])
                progress.update(ended=now[0], jobs=now[1], since=time.time())

        done = 0
        while done < times and progress["ended"] < runs:
            look()
            if len(jobs.seen) + progress["ended"] >= 2 * runs * (done + 1) / (times + 1):
                done += 1
                worker.process.kill()
                worker.start()
            else:
                time.sleep(0.1)  # between two looks
        stuck, _ = settle(server, one, runs, 2 * STUCK, look)
        worker.process.stop()
        jobs.done.set()
    doubled = sum(number - 1 for number in jobs.runs.values())
    again = len(jobs.runs) - len({run for run, _ in jobs.runs})
    lost = runs - len({run for run, _ in jobs.runs})
    table.add(f"worker killed {done} times in {runs} runs: stuck, doubled, lost", f"{stuck}, {doubled + again}, {lost}", "0, 0, 0", stuck=stuck, doubled=doubled + again, lost=lost)
    table.add("kills: longest time without progress", f"{longest[0]:.0f} s", f"{STUCK} s", seconds=longest[0])


def verdicts(scene: Scene, table: Table, rounds: int) -> None:
    """On the real node: from the pod's own status to the word on its run."""
    with staged(scene, "verdicts") as (server, namespace):
        chosen = pool(server, run=None)
        worker = scene.worker(server, chosen, "verdicts", namespace)
        changes: dict[str, list[tuple[float, dict]]] = {}

        def note(kind: str, pod: dict, now: float) -> None:
            changes.setdefault(pod["metadata"].get("labels", {}).get("prefect.io/flow-run-id", ""), []).append((now, pod))

        done = scene.api.watch(f"/api/v1/namespaces/{namespace}/pods", note)
        for name, (variables, in_pod, word) in VERDICTS.items():
            one = server.deploy(chosen, namespace, **{"image": "localhost/busybox:1", "command": "true", **variables})
            took = []
            for _ in range(rounds):
                run = server.start(one)
                if name == "eviction":
                    evict(scene, namespace, run, changes)
                took.append(shown(server, run, changes, in_pod, word))
                if server.run(run)["state_type"] not in stage.TERMINAL:
                    server.cancel(run)
                    server.ended(run)
            table.add(f"{name} -> shown", f"{max(took):.1f} s at most, p50 {percentile(took, 0.5):.1f} s", "5 s", seconds=max(took))
        done.set()
        worker.process.stop()


def evict(scene: Scene, namespace: str, run: str, changes: dict) -> None:
    is_running = lambda: any(pod["status"].get("phase") == "Running" for _, pod in list(changes.get(run, [])))  # noqa: E731
    stage.eventually("its pod runs", 60, is_running)
    name = changes[run][-1][1]["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    scene.api("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)


def shown(server: stage.Server, run: str, changes: dict, in_pod: Callable[[str], bool], word: str) -> float:
    def said() -> bool:
        state = server.run(run)["state"]
        failure = server.call("GET", f"/flow_runs/{run}/infrastructure")["failure"]
        return word in f"{state['message']} {failure}"

    stage.eventually(f"the run shows {word}", 120, said, lambda: server.told(run))
    now = time.time()
    changed = [when for when, pod in list(changes.get(run, [])) if in_pod(json.dumps(pod["status"]))]
    return max(0.0, now - changed[0]) if changed else float("nan")


VERDICTS = {
    "OOM": ({"command": "dd if=/dev/zero of=/dev/null bs=300M count=1", "memory_limit": "32Mi"}, lambda status: "OOMKilled" in status, "oom_killed"),
    "eviction": ({"command": "sh -c 'trap \"exit 143\" TERM; while true; do sleep 0.2; done'"},
                 lambda status: "DisruptionTarget" in status and '"terminated"' in status, "evicted"),
    "bad image": ({"image": "registry.invalid/nowhere:1"}, lambda status: "ErrImagePull" in status or "ImagePullBackOff" in status, "registry.invalid"),
    "unschedulable": ({"memory_request": "900Ti", "memory_limit": "900Ti"}, lambda status: "Unschedulable" in status, "cannot be scheduled"),
}


def upstream(scene: Scene, python: Path, rounds: int) -> list[float]:
    """The same as `idle`, by upstream's worker at the reference's server: seconds from due to Job."""
    with_folder = scene.folder / "reference"
    with_folder.mkdir()
    namespace, port = scene.namespace(), stage.free_port()
    variables = stage.environment(
        PREFECT_HOME=str(with_folder), PREFECT_API_DATABASE_CONNECTION_URL=f"sqlite+aiosqlite:///{with_folder}/reference.db",
        PREFECT_SERVER_ANALYTICS_ENABLED="false", PREFECT_LOGGING_COLORS="false", KUBECONFIG=str(scene.kubeconfig),
        PREFECT_API_URL=f"http://127.0.0.1:{port}/api", PREFECT_WORKER_WEBSERVER_PORT=str(stage.free_port()), **{OBSERVED: namespace},
    )  # fmt: skip
    print("due to Job, the reference:", flush=True)
    server = Elsewhere(variables["PREFECT_API_URL"])
    words = [python, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = stage.Process(with_folder / "server.log", words, {name: value for name, value in variables.items() if name != "PREFECT_API_URL"})
    workers = []
    try:
        stage.eventually("the reference is healthy", 120, server.healthy, process.said)
        chosen = pool(server)
        words = [python, "-m", "prefect", "worker", "start", "--pool", chosen, "--type", "kubernetes", "--name", "upstream"]
        worker = Worker(server, chosen, "upstream", words, variables, with_folder)
        workers.append(worker)
        worker.until_online()
        jobs = Jobs(scene.api, namespace)
        took = latency(server, deployment(server, chosen, namespace), jobs, rounds, 120)
        jobs.done.set()
        return took
    finally:
        for worker in workers:
            worker.process.stop()
        process.stop()
        scene.remove(namespace)


class Elsewhere(stage.Server):
    """A server that somebody else has started."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: object = None) -> object:
        """Asks again where its database was locked, which is no matter of this measure."""
        for pause in (0.2, 1, 5, 20):
            try:
                return super().call(method, path, body)
            except AssertionError as error:
                if "503" not in str(error):
                    raise
                time.sleep(pause)  # for its database
        return super().call(method, path, body)
