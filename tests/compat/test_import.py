"""`tidegate import-from` a Prefect server: what is there afterwards is what was there, also when the copy was killed on its way."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import targets
from support.api import Api, Json
from support.processes import PROJECTS, Processes, run, tidegate
from support.proxies import holding_the_answer
from support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.own_worker

# Fields that each server has its own of, or that tell of its own life. Other ids are compared by the names of what they mean.
OWN = {
    "block_schema", "block_schema_id", "block_type", "block_type_id", "created", "created_by", "id", "last_polled", "status",
    "updated", "updated_by",
}  # fmt: skip
BELONGS = {"task_run", "artifact", "log"}
# Lists in no order.
UNORDERED = {"schedules"}
FILTERED = {
    "/flows": {}, "/deployments": {}, "/variables": {}, "/work_pools": {}, "/work_queues": {}, "/automations": {},
    "/saved_searches": {}, "/v2/concurrency_limits": {}, "/concurrency_limits": {},
    "/block_documents": {"include_secrets": True},
    "/block_documents ": {"include_secrets": True, "block_documents": {"is_anonymous": {"eq_": True}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A Prefect server with something of every kind."""
    home = tmp_path_factory.mktemp("reference")
    server = targets.start("reference", home)
    try:
        for filler in ("everything.py", "past.py"):
            run([sys.executable, str(PROJECTS / filler)], check=True, PREFECT_API_URL=server.url)
        yield Api(server.url)
    finally:
        server.stop()


@pytest.fixture
def ours(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    """A server of ours where nothing is."""
    home = tmp_path / "ours"
    home.mkdir()
    server = targets.start(request.config.option.target, home)
    try:
        yield Api(server.url)
    finally:
        server.stop()


def imported(reference: Api, to: str, home: Path, *options: str) -> Json:
    done = tidegate("import-from", reference.url, *options, "-o", "json", PREFECT_API_URL=to, TIDEGATE_HOME=str(home))
    report = json.loads(done.stdout)
    assert report["problems"] == []
    for counts in report["counts"]:
        assert counts["copied"] + counts["kept"] == counts["found"], counts
        # What belongs to a run is not looked for again.
        assert counts["found"] or counts["kind"] in BELONGS, counts
    return report


def everything(api: Api) -> dict[str, list[Any]]:
    """All that a server holds, with names in the place of ids, so that two servers can be compared."""
    found = {path: api.post(f"{path.strip()}/filter", {"limit": 200, **body}) for path, body in FILTERED.items()}
    names = {item["id"]: name_of(path, item) for path, items in found.items() for item in items}

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: in_order(item) if key in UNORDERED else told(item) for key, item in value.items() if key not in OWN}
        if isinstance(value, list):
            return [told(item) for item in value]
        if isinstance(value, str):
            for id, name in names.items():
                value = value.replace(id, name)
        return value

    def in_order(items: list[Any]) -> list[Any]:
        return sorted((told(item) for item in items), key=lambda item: json.dumps(item, sort_keys=True))

    return {path: in_order(items) for path, items in found.items()}


def name_of(path: str, item: Json) -> str:
    named = item.get("name") or item.get("tag")
    pool = item.get("work_pool_name") if path == "/work_queues" else None
    return f"<{path.strip()} {pool or ''} {named}>"


def assert_equal(reference: Api, ours: Api) -> None:
    theirs, copied = everything(reference), everything(ours)
    for path, items in theirs.items():
        assert items, path
        assert copied[path] == items, path


def test_everything_of_a_prefect_server_is_copied_once(reference, ours, tmp_path):
    first = imported(reference, ours.url, tmp_path)
    assert_equal(reference, ours)

    second = imported(reference, ours.url, tmp_path)
    for before, after in zip(first["counts"], second["counts"], strict=True):
        assert (after["found"], after["kept"], after["copied"]) == (before["found"], before["found"], 0), after
    assert_equal(reference, ours)

    load = "from prefect.blocks.system import Secret; print(Secret.load('door').get())"
    assert run([sys.executable, "-c", load], check=True, PREFECT_API_URL=ours.url).stdout == "sesame\n"


ANONYMOUS = b'"is_anonymous":true'


@pytest.mark.parametrize(
    "interrupts",
    [
        lambda request: request.startswith(b"POST /api/block_documents/ ") and ANONYMOUS in request,
        lambda request: request.startswith(b"POST /api/work_pools/ "),
        lambda request: request.startswith(b"POST /api/automations/ ") and b'"twice"' in request,
    ],
    ids=["a block without a name", "a work pool", "an automation whose name is taken twice"],
)
def test_copy_that_was_killed_goes_on_and_makes_nothing_twice(reference, ours, tmp_path, interrupts: Callable[[bytes], bool]):
    # The server has made the thing, and the copy dies before it hears of it.
    with Processes(tmp_path) as processes, holding_the_answer(ours.url, interrupts) as (through, held):
        copy = processes.tidegate("import-from", reference.url, "-o", "json", PREFECT_API_URL=through, TIDEGATE_HOME=str(tmp_path))
        wait_until(lambda: held.is_set() or copy.process.poll() is not None, what="the copy came as far as that")
        assert copy.process.poll() is None, copy.output
        copy.process.send_signal(signal.SIGKILL)
        assert copy.process.wait(DEADLINE) == -signal.SIGKILL
        # What is remembered is remembered of an address.
        report = imported(reference, through, tmp_path)
    assert any(counts["copied"] for counts in report["counts"])
    assert any(counts["kept"] for counts in report["counts"] if not counts["kind"].startswith("block_"))
    assert_equal(reference, ours)


ENDED = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}}}
# What tells of the server: what is related to what, and how long it is ago.
ELSEWHERE = {
    "created_by", "deployment_id", "estimated_run_time", "estimated_start_time_delta", "flow_id", "labels", "state", "updated", "work_pool_id",
    "work_pool_name", "work_queue_id",
}  # fmt: skip


def history(api: Api) -> dict[str, Any]:
    """All runs that have ended, with what belongs to them."""
    runs = api.post("/flow_runs/filter", {"sort": "ID_DESC", **ENDED})
    task_runs = api.post("/task_runs/filter", {"sort": "ID_DESC", **ENDED})
    told = {
        "flow runs": [{key: value for key, value in item.items() if key not in ELSEWHERE} for item in runs],
        "task runs": [{key: value for key, value in item.items() if key not in ELSEWHERE} for item in task_runs],
        "artifacts": api.post("/artifacts/filter", {"sort": "ID_DESC"}),
        "latest artifacts": [item["latest_id"] for item in api.post("/artifacts/latest/filter", {"sort": "KEY_ASC"})],
        "logs": api.post("/logs/filter", {"sort": "TIMESTAMP_ASC"}),
    }
    for kind, items in (("flow_run", runs), ("task_run", task_runs)):
        states = [api.get(f"/{kind}_states/?{kind}_id={item['id']}") for item in items]
        told[f"{kind} states"] = [[(state["id"], state["type"], state["name"], state["timestamp"]) for state in each] for each in states]
    for log in told["logs"]:
        del log["created"], log["updated"]
    assert all(told.values())
    return told


def assert_same_history(reference: Api, ours: Api) -> None:
    theirs, copied = history(reference), history(ours)
    for kind, items in theirs.items():
        assert copied[kind] == items, kind


def test_history_is_copied_once(reference, ours, tmp_path):
    first = imported(reference, ours.url, tmp_path, "--history")
    assert_same_history(reference, ours)
    second = imported(reference, ours.url, tmp_path, "--history")
    copied = {counts["kind"]: counts["copied"] for counts in second["counts"]}
    assert not any(copied.values()), copied
    assert_same_history(reference, ours)
    assert {counts["kind"] for counts in first["counts"]} >= {"flow_run", "task_run", "artifact", "log"}


@pytest.mark.parametrize("field", ["logs", "flow_runs"])
def test_history_whose_copy_was_killed_goes_on(reference, ours, tmp_path, field: str):
    def interrupts(request: bytes) -> bool:
        return request.startswith(b"POST /api/imports/runs ") and f'"{field}"'.encode() in request

    with Processes(tmp_path) as processes, holding_the_answer(ours.url, interrupts) as (through, held):
        copy = processes.tidegate("import-from", reference.url, "--history", PREFECT_API_URL=through, TIDEGATE_HOME=str(tmp_path))
        wait_until(lambda: held.is_set() or copy.process.poll() is not None, what="the copy came as far as that")
        assert copy.process.poll() is None, copy.output
        copy.process.send_signal(signal.SIGKILL)
        assert copy.process.wait(DEADLINE) == -signal.SIGKILL
        imported_again = tidegate("import-from", reference.url, "--history", "-o", "json", PREFECT_API_URL=through, TIDEGATE_HOME=str(tmp_path))
    assert json.loads(imported_again.stdout)["problems"] == []
    assert_same_history(reference, ours)


def test_history_may_be_of_the_last_days_only(reference, ours, tmp_path):
    report = imported(reference, ours.url, tmp_path, "--history", "--history-days", "7")
    assert next(counts for counts in report["counts"] if counts["kind"] == "flow_run")["copied"] >= 3
