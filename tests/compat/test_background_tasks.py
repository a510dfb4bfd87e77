"""Background tasks: `delay` queues runs, `serve` executes them, and the queue keeps them until a worker has come."""

from __future__ import annotations

from support.processes import PROJECTS
from support.waiting import wait_until

TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def state_type(api, id):
    return api.get(f"/task_runs/{id}")["state_type"]


def test_delayed_tasks_wait_for_their_worker_and_are_executed(api, processes):
    queued = processes.python(str(PROJECTS / "delays.py"))
    wait_until(lambda: queued.process.poll() is not None, what="the end of the program that delays")
    assert queued.process.returncode == 0, queued.output
    (line,) = [line for line in queued.output.splitlines() if line.startswith("queued ")]
    first, second, failing = line.split()[1:]
    assert {state_type(api, id) for id in (first, second, failing)} == {"SCHEDULED"}

    # Without logs to the API: the SDK creates its log worker under a lock that its event worker wants too, and waits
    # meanwhile for the loop that wants it. A task that logs while another is being started may hang the process for good.
    worker = processes.python(str(PROJECTS / "background.py"), PREFECT_LOGGING_TO_API_ENABLED="false")

    def over():
        assert worker.process.poll() is None, worker.output
        return all(state_type(api, id) in TERMINAL for id in (first, second, failing))

    wait_until(over, what="the background tasks")
    assert [state_type(api, id) for id in (first, second, failing)] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert "background trouble" in api.get(f"/task_runs/{failing}")["state"]["message"]
    assert api.get(f"/task_runs/{first}")["name"] == "doubled"
    key = api.get(f"/task_runs/{first}")["task_key"]
    listed = api.post("/task_workers/filter", {"task_worker_filter": {"task_keys": [key]}})
    assert [worker["task_keys"].count(key) for worker in listed] == [1]
