"""A flow whose pod ends in the way that its parameters ask for."""

from __future__ import annotations

import os
import time

from prefect import flow, get_run_logger, task


@task
def greet(name: str) -> str:
    return f"Hello, {name}!"


@flow(log_prints=True)
def hello(names: list[str] | None = None, seconds: float = 0, exit_code: int | None = None, megabytes: int = 0) -> int:
    """Greets everybody. `seconds` makes it last; `megabytes` are asked for at once, which a memory limit may not allow;
    with `exit_code` the process ends as if somebody had called exit, without telling its state."""
    logger = get_run_logger()
    greetings = greet.map(names or ["Kubernetes"]).result()
    for greeting in greetings:
        print(greeting)
    if seconds:
        logger.info("waiting for %s seconds", seconds)
        time.sleep(seconds)
    if megabytes:
        logger.info("asking for %s MB", megabytes)
        print(len(b"x" * (megabytes * 1_000_000)))
    if exit_code is not None:
        logger.warning("ending with code %s", exit_code)
        os._exit(exit_code)
    return len(greetings)
