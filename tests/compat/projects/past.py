"""Runs that have ended, each in another way; run once, with PREFECT_API_URL."""

import contextlib

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact


@task(retries=1)
def sometimes(number: int) -> int:
    if number == 2 and sometimes.fails:
        sometimes.fails = False
        raise ValueError("not yet")
    print(number)
    return number


sometimes.fails = True


@flow
def inner(numbers: list[int]):
    create_table_artifact([{"number": number} for number in numbers], key="numbers")
    return sometimes.map(numbers).result()


@flow(log_prints=True, flow_run_name="whole {number}")
def whole(number: int):
    get_run_logger().warning("a line of %s", number)
    create_markdown_artifact(f"# {number}", key="report")
    return sum(inner([1, 2, number]))


@flow
def broken():
    raise RuntimeError("on purpose")


if __name__ == "__main__":
    for number in (3, 4):
        whole(number)
    with contextlib.suppress(RuntimeError):
        broken()
