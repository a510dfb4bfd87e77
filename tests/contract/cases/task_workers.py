"""Cases: who executes background tasks; nobody does while these run."""

from harness.registry import case


@case
def filter(c):
    path = "/task_workers/filter"
    c.post(path)
    c.post(path, {})
    c.post(path, {"task_worker_filter": None})
    c.post(path, {"task_worker_filter": {"task_keys": []}})
    c.post(path, {"task_worker_filter": {"task_keys": [c.name("absent")]}})
    for body in ({"task_worker_filter": {}}, {"task_worker_filter": {"task_keys": "x"}}, {"task_worker_filter": {"task_keys": [1]}}, {"task_worker_filter": 5}, []):
        c.post(path, body, brief=True)
