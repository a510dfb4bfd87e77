"""Runs flows where a scenario needs more than a call: beside the scenario, or as the run of a deployment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from prefect import Flow, State, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.states import Pending

from .api import Id

T = TypeVar("T")


def in_background(call: Callable[..., T], *arguments: Any, **named: Any) -> Future[T]:
    """Calls in a thread of its own; the scenario goes on and asks for the result later."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(call, *arguments, **named)
    finally:
        pool.shutdown(wait=False)


def execute(flow: Flow[..., Any], id: Id) -> State[Any] | None:
    """Runs a deployment's flow run in this process, with the calls that a worker's child process makes.

    Answers nothing if the run gave up its process, as a suspended one does.
    """
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(id, Pending())
        run: FlowRun = client.read_flow_run(id)
    try:
        return run_flow(flow, flow_run=run, parameters=run.parameters, return_type="state")
    except Pause:
        return None
