"""Logs: what a run says is kept in order, with its level and its place, and can be read, filtered and followed."""

from __future__ import annotations

import asyncio
import logging
from itertools import count

from prefect import flow, get_run_logger, task
from prefect.client.schemas.filters import LogFilter
from prefect.logging.clients import get_logs_subscriber
from support.api import instant
from support.running import in_background
from support.waiting import wait_until


def run_id(state):
    return state.state_details.flow_run_id


def test_lines_of_flow_and_task_are_kept_in_order(api):
    @task
    def says():
        get_run_logger().warning("from the task")

    @flow
    def talks():
        logger = get_run_logger()
        logger.info("before")
        says()
        logger.error("after")

    state = talks(return_state=True)

    lines = api.logs(run_id(state), "after", "Finished in state")
    messages = [line["message"] for line in lines]
    assert messages.index("before") < messages.index("from the task") < messages.index("after")
    times = [instant(line["timestamp"]) for line in lines]
    assert times == sorted(times)
    by_message = {line["message"]: line for line in lines}
    assert by_message["before"]["level"] == logging.INFO
    assert by_message["before"]["name"] == "prefect.flow_runs"
    assert by_message["before"]["task_run_id"] is None
    assert by_message["from the task"]["level"] == logging.WARNING
    assert by_message["from the task"]["task_run_id"] == api.task_run(run_id(state))["id"]


def test_prints_become_log_lines_when_asked(api):
    @flow(log_prints=True)
    def prints():
        print("printed", 42)

    state = prints(return_state=True)

    (line,) = [one for one in api.logs(run_id(state), "printed 42") if one["message"] == "printed 42"]
    assert line["level"] == logging.INFO


def test_traceback_of_a_failure_is_one_line_of_many(api):
    @flow
    def breaks():
        raise ZeroDivisionError("by nought")

    state = breaks(return_state=True)

    (line,) = [one for one in api.logs(run_id(state), "Encountered exception") if "Encountered exception" in one["message"]]
    assert line["level"] == logging.ERROR
    assert "Traceback (most recent call last)" in line["message"]
    assert line["message"].rstrip().endswith("ZeroDivisionError: by nought")


def test_lines_are_filtered_by_level_task_and_count(api):
    @task
    def says(number: int):
        get_run_logger().warning("task %s", number)

    @flow
    def talks():
        for number in range(3):
            says(number)
        get_run_logger().error("the end")

    state = talks(return_state=True)

    api.logs(run_id(state), "the end", "task 2")
    loud = api.logs(run_id(state), level={"ge_": logging.WARNING})
    assert [line["message"] for line in loud] == ["task 0", "task 1", "task 2", "the end"]
    middle = next(line for line in loud if line["message"] == "task 1")
    of_task = api.logs(run_id(state), task_run_id={"any_": [middle["task_run_id"]]}, level={"ge_": logging.WARNING})
    assert [line["message"] for line in of_task] == ["task 1"]
    page = api.post(
        "/logs/filter",
        {
            "logs": {"flow_run_id": {"any_": [str(run_id(state))]}, "level": {"ge_": logging.WARNING}},
            "sort": "TIMESTAMP_DESC",
            "limit": 2,
            "offset": 1,
        },
    )
    assert [line["message"] for line in page] == ["task 2", "task 1"]


def test_many_lines_arrive_complete(api):
    @flow
    def chatters():
        logger = get_run_logger()
        for number in range(500):
            logger.info("line %03d", number)

    state = chatters(return_state=True)
    filters = {"logs": {"flow_run_id": {"any_": [str(run_id(state))]}}, "sort": "TIMESTAMP_ASC", "limit": 200}

    def numbered():
        pages = [api.post("/logs/filter", filters | {"offset": offset}) for offset in (0, 200, 400)]
        found = [line["message"] for page in pages for line in page if line["message"].startswith("line ")]
        assert len(found) == 500, len(found)
        return found

    assert wait_until(numbered) == [f"line {number:03d}" for number in range(500)]


def test_line_can_be_kept_from_the_server(api):
    @flow
    def logs():
        get_run_logger().info("%s and more", "formatted")
        get_run_logger().info("private", extra={"send_to_api": False})

    state = logs(return_state=True)

    messages = [line["message"] for line in api.logs(run_id(state), "formatted and more", "Finished in state")]
    assert "private" not in messages


def test_lines_are_followed_while_the_flow_runs(api):
    @flow
    def waits():
        run = get_run_logger().extra["flow_run_id"]
        listening = in_background(asyncio.run, first_line(run, "round"))
        rounds = count()

        def heard():
            get_run_logger().info("round %03d", next(rounds))
            return listening.done()

        wait_until(heard, every=1, what="a line that the stream brings")
        return listening.result()

    async def first_line(run: str, begins: str) -> str:
        async with get_logs_subscriber(filter=LogFilter(flow_run_id={"any_": [run]})) as lines:
            async for line in lines:
                if line.message.startswith(begins):
                    return line.message
        raise AssertionError("the stream ended")

    state = waits(return_state=True)

    assert state.result() in [line["message"] for line in api.logs(run_id(state), state.result())]
