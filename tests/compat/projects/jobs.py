"""Flows that workers and runners start in processes of their own."""

import os
import sys
import time

from prefect import flow, get_run_logger, runtime, suspend_flow_run, task


@task
def double(number: int) -> int:
    get_run_logger().info("doubling %s", number)
    return 2 * number


@flow(log_prints=True)
def works(number: int = 1) -> int:
    print(f"working in process {os.getpid()}")
    return double(number)


@flow
def breaks():
    raise ValueError("broken on purpose")


@flow
def lingers(seconds: int = 600):
    """Says that it has begun, then waits to be cancelled."""
    get_run_logger().info("lingering in process %s", os.getpid())
    for _ in range(seconds * 10):
        time.sleep(0.1)


@flow
def waits(file: str):
    """Says that it has begun, then waits for a file."""
    get_run_logger().info("waiting in process %s", os.getpid())
    while not os.path.exists(file):
        time.sleep(0.1)


@flow
def dies():
    """Leaves without a word to the server."""
    print("last words", flush=True)
    os._exit(7)


@flow
def tells() -> dict:
    """What a job can see of itself."""
    seen = {
        "word": os.environ.get("COMPAT_WORD"),
        "folder": os.getcwd(),
        "python": sys.executable,
        "deployment": runtime.deployment.name,
        "run": runtime.flow_run.name,
    }
    get_run_logger().info("seen: %s", seen)
    return seen


@flow
def suspends():
    suspend_flow_run(timeout=120)
    get_run_logger().info("went on after the suspension")
