"""The server's records, read over plain HTTP: what a scenario asserts on, independent of the SDK's own models."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from .waiting import DEADLINE, wait_until

Id = UUID | str
Json = dict[str, Any]
TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def instant(text: str) -> datetime:
    """A time as the server writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Api:
    """Reads (and now and then writes) one server. Every method answers decoded JSON."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Servers close connections that were idle for some seconds: an idle one is not used again, so that no request meets
        # its end.
        self.http = httpx.Client(base_url=url, timeout=DEADLINE, limits=httpx.Limits(keepalive_expiry=1))

    def get(self, path: str, **params: Any) -> Any:
        # Of an address with a query, no parameters keep it and empty ones would cut it off.
        return self._call("GET", path, params=params or None)

    def post(self, path: str, body: Any = None) -> Any:
        return self._call("POST", path, json={} if body is None else body)

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, **what: Any) -> Any:
        # The reference answers 503 while another writer holds its database; every client of it tries again.
        response = wait_until(lambda: self._unless_busy(method, path, **what), what=f"{method} {path} not refused with 503")
        assert response.is_success, f"{response.request.method} {response.url}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def _unless_busy(self, method: str, path: str, **what: Any) -> httpx.Response | None:
        response = self.http.request(method, path, **what)
        return None if response.status_code == 503 else response

    # Flow runs

    def flow_run(self, id: Id) -> Json:
        return self.get(f"/flow_runs/{id}")

    def flow_run_states(self, id: Id) -> list[Json]:
        return sorted(self.get("/flow_run_states/", flow_run_id=str(id)), key=lambda state: instant(state["timestamp"]))

    def flow_run_history(self, id: Id) -> list[str]:
        """The names of the states that the run went through, oldest first."""
        return [state["name"] for state in self.flow_run_states(id)]

    def input_of(self, id: Id, key: str) -> Any:
        """The input stored under `key` for the run, or nothing when there is none yet."""
        response = self.http.get(f"/flow_runs/{id}/input/{key}")
        return response.json() if response.is_success else None

    def flow_runs(self, **filters: Any) -> list[Json]:
        return self.post("/flow_runs/filter", filters)

    def wait_for_flow_run(self, id: Id, name: str | None = None) -> Json:
        """Waits until the run is in the state called `name`, or in any terminal one."""

        def reached() -> Json | None:
            run = self.flow_run(id)
            if name is None:
                return run if run["state"]["type"] in TERMINAL else None
            assert run["state"]["name"] == name, f"{run['state']['name']}: {run['state']['message']}"
            return run

        return wait_until(reached, what=f"flow run {id} in {name or 'a terminal state'}")

    def set_flow_run_state(self, id: Id, type: str, name: str | None = None, *, force: bool = False, **details: Any) -> Json:
        state = {"type": type, "name": name, "state_details": details}
        return self.post(f"/flow_runs/{id}/set_state", {"state": state, "force": force})

    # Task runs: they reach the server as events, so reading them means waiting for them

    def task_runs(self, flow_run: Id, *, count: int | None = None, settled: bool = True) -> list[Json]:
        """The task runs of a flow run by name, once there are `count` of them and (if `settled`) all are terminal."""

        def read() -> list[Json] | None:
            runs = self.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [str(flow_run)]}}})
            seen = sorted((run["name"], run["state_type"]) for run in runs)
            assert count is None or len(runs) == count, f"{len(runs)} task runs, not {count}: {seen}"
            assert not settled or all(run["state_type"] in TERMINAL for run in runs), seen
            return sorted(runs, key=lambda run: run["name"])

        if count == 0:
            return read() or []
        return wait_until(lambda: read() or None, what=f"task runs of {flow_run}")

    def task_run(self, flow_run: Id) -> Json:
        """The only task run of a flow run."""
        return self.task_runs(flow_run, count=1)[0]

    def task_run_states(self, id: Id) -> list[Json]:
        return sorted(self.get("/task_run_states/", task_run_id=str(id)), key=lambda state: instant(state["timestamp"]))

    def task_run_history(self, id: Id, *, ends: str) -> list[str]:
        """The names of the task run's states, oldest first, once the one called `ends` has arrived."""

        def read() -> list[str]:
            names = [state["name"] for state in self.task_run_states(id)]
            assert names and names[-1] == ends, names
            return names

        return wait_until(read, what=f"task run {id} ending in {ends}")

    # The rest

    def logs(self, flow_run: Id, *containing: str, **filters: Any) -> list[Json]:
        """The flow run's log lines, oldest first, once every text of `containing` is among them."""

        def read() -> list[Json] | None:
            lines = self.post(
                "/logs/filter",
                {"logs": {"flow_run_id": {"any_": [str(flow_run)]}, **filters}, "sort": "TIMESTAMP_ASC", "limit": 200},
            )
            messages = [line["message"] for line in lines]
            for text in containing:
                assert any(text in message for message in messages), f"{text!r} not in {messages}"
            return lines or None

        return wait_until(read, what=f"logs of {flow_run}")

    def artifacts(self, flow_run: Id) -> list[Json]:
        return self.post("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [str(flow_run)]}}, "sort": "KEY_DESC"})

    def limit(self, name: str) -> Json:
        return self.get(f"/v2/concurrency_limits/{name}")

    def events(self, *, name: str | None = None, resource: str | None = None, count: int = 1) -> list[Json]:
        """Stored events by exact name and resource id, oldest first, once there are at least `count`."""
        filter: Json = {"order": "ASC"}
        if name:
            filter["event"] = {"name": [name]}
        if resource:
            filter["resource"] = {"id": [resource]}

        def read() -> list[Json]:
            page = self.post("/events/filter", {"filter": filter, "limit": 50})["events"]
            assert len(page) >= count, [event["event"] for event in page]
            return page

        return wait_until(read, what=f"{count} events {name or ''} {resource or ''}")
