"""The run that the demo starts: asks the server about it, tells what happens as it happens, and sums it up."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from demo_console import Console, Failure
from demo_processes import Children

TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
# 12 months read and joined, 16 carriers, and 5 single tasks: only the width of the bar depends on it.
EXPECTED_TASK_RUNS = 45
PAGE = 200
# Nothing in the example takes this long: silence means that something is stuck.
SILENCE_SECONDS = 300


class Api:
    """The few questions that the demo has for the server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise Failure(f"{method} {path}: the server answered {error.code}", [text[:500]]) from error
        except OSError as error:
            raise Failure(f"{method} {path}: {error}") from error

    def find(self, path: str) -> Any:
        """What is at `path`, or nothing."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
                return json.load(answer)
        except OSError:
            return None

    def is_healthy(self) -> bool:
        return self.find("/health") is True

    def is_served(self, pool: str) -> bool:
        workers = self.call("POST", f"/work_pools/{pool}/workers/filter", {})
        return any(worker["status"] == "ONLINE" for worker in workers)

    def create_run(self, deployment: str) -> Any:
        found = self.call("GET", f"/deployments/name/{deployment}")
        return self.call("POST", f"/deployments/{found['id']}/create_flow_run", {})

    def flow_run(self, id: str) -> Any:
        return self.call("GET", f"/flow_runs/{id}")

    def children(self, id: str) -> list[Any]:
        return self.call("POST", "/flow_runs/filter", {"flow_runs": {"parent_flow_run_id": {"any_": [id]}}, "limit": PAGE})

    def task_runs(self, flow_runs: list[str]) -> list[Any]:
        return self.call("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": flow_runs}}, "limit": PAGE})

    def logs(self, flow_runs: list[str], offset: int) -> list[Any]:
        wanted = {"flow_run_id": {"any_": flow_runs}}
        return self.call("POST", "/logs/filter", {"logs": wanted, "sort": "TIMESTAMP_ASC", "offset": offset, "limit": PAGE})

    def artifacts(self, id: str) -> list[Any]:
        found = self.call("POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [id]}}, "limit": PAGE})
        return [artifact for artifact in found if artifact["key"]]


class Follower:
    """Remembers what was already told of a run and its sub-runs."""

    def __init__(self, api: Api, id: str, console: Console) -> None:
        self.api = api
        self.id = id
        self.console = console
        self.names: dict[str, str] = {}
        self.states: dict[str, str] = {}
        self.lines: set[str] = set()

    def look(self) -> tuple[Any, bool]:
        """Tells what is new; answers the run, and whether there was anything to tell."""
        run = self.api.flow_run(self.id)
        runs = [run, *self.api.children(self.id)]
        tasks = self.api.task_runs([one["id"] for one in runs])
        self.names.update((one["id"], one["name"]) for one in [*runs, *tasks])
        news = self.tell_states(runs) + self.tell_lines([one["id"] for one in runs])
        self.tell_progress(run, [task for task in tasks if task["flow_run_id"] == self.id])
        return run, bool(news)

    def tell_states(self, runs: list[Any]) -> int:
        changed = [run for run in runs if self.states.get(run["id"]) != run["state_name"]]
        for run in changed:
            self.states[run["id"]] = run["state_name"]
            message = run["state"]["message"]
            became = self.console.strong(f"is now {run['state_name']}") + (f": {message}" if message else "")
            self.tell(run["state"]["timestamp"], run["name"], became)
        return len(changed)

    def tell_lines(self, runs: list[str]) -> int:
        # Lines arrive in batches and not quite in the order of their times, so known ones are told apart by id.
        fresh: list[Any] = []
        for offset in range(0, 10_000, PAGE):
            page = self.api.logs(runs, offset)
            fresh += [line for line in page if line["id"] not in self.lines]
            if len(page) < PAGE:
                break
        for line in fresh:
            self.lines.add(line["id"])
            flow_run = self.names[line["flow_run_id"]]
            # A task's line may be here before the events that tell its name.
            source = self.names.get(line["task_run_id"], f"{flow_run}, a task") if line["task_run_id"] else flow_run
            level = LEVELS.get(line["level"], str(line["level"]))
            first, *more = line["message"].splitlines() or [""]
            self.tell(line["timestamp"], source, first if level == "INFO" else f"{level} {first}")
            for further in more:
                self.console.line(f"  {further}")
        return len(fresh)

    def tell(self, timestamp: str, source: str, text: str) -> None:
        self.console.line(f"  {clock(timestamp)}  {source:<22}  {text}")

    def tell_progress(self, run: Any, tasks: list[Any]) -> None:
        ended = sum(task["state_type"] in TERMINAL for task in tasks)
        states = counted(Counter(task["state_name"] for task in tasks)) or "none yet"
        self.console.progress(ended / EXPECTED_TASK_RUNS, f"{run['state_name']}; task runs: {states}")


def follow(api: Api, id: str, console: Console, children: Children) -> str:
    """Tells what happens until the run has ended; answers the type of its last state."""
    follower = Follower(api, id, console)
    heard_at = time.monotonic()
    while True:
        children.require_running()
        run, news = follower.look()
        if news:
            heard_at = time.monotonic()
        if run["state_type"] in TERMINAL:
            follower.look()  # what was written between the last look and the end
            console.end_progress()
            return run["state_type"]
        if time.monotonic() - heard_at > SILENCE_SECONDS:
            raise Failure(f"nothing happened for {SILENCE_SECONDS} s; the run is {run['state_name']}")
        time.sleep(0.3)


def summarise(api: Api, id: str, deployment: str, home: Path, console: Console) -> None:
    """Says in a few lines what the run was."""
    run = api.flow_run(id)
    runs = [run, *api.children(id)]
    tasks = api.task_runs([one["id"] for one in runs])
    retried = [f"{task['name']} ({task['run_count']} attempts)" for task in tasks if task["run_count"] > 1]
    slowest = max(tasks, key=lambda task: task["total_run_time"], default=None)
    artifacts = [f"{artifact['key']} ({artifact['type']})" for artifact in api.artifacts(id)]
    rows = {
        "run": f"{deployment} `{run['name']}`: {run['state_name']} in {took(run)}",
        "flow runs": f"{len(runs)}: {counted(Counter(one['state_name'] for one in runs))}",
        "task runs": f"{len(tasks)}: {counted(Counter(one['state_name'] for one in tasks))}",
        "retried": ", ".join(retried) or "none",
        "slowest": f"{slowest['name']}, {took(slowest)}" if slowest else "none",
        "artifacts": ", ".join(artifacts) or "none",
        "output": f"{home / 'output' / 'flights.db'}",
        "address": f"{api.url}/flow_runs/{id}",
    }
    console.line()
    console.line(console.strong("Summary"))
    for name, text in rows.items():
        console.line(f"  {name:<10} {text}")


def counted(names: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(names.items()))


def took(run: Any) -> str:
    return f"{timedelta(seconds=run['total_run_time']).total_seconds():.1f} s"


def clock(timestamp: str) -> str:
    """A time of the server as a clock on the wall here shows it."""
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).astimezone().strftime("%H:%M:%S")
