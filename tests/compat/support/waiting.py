"""Waiting for a condition with a deadline. Scenarios never sleep for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], deadline: float = 45.0, *, every: float = 0.05, what: str = "") -> T:
    """Calls `condition` until it gives something true, and returns that.

    An assertion inside the condition counts as "not yet"; the last one is shown when time is up.
    """
    ends = time.monotonic() + deadline
    last: Any = None
    while True:
        try:
            answer = condition()
            if answer:
                return answer
            last = answer
        except AssertionError as failure:
            last = failure
        if time.monotonic() >= ends:
            raise AssertionError(f"not within {deadline:g} s: {what or 'the condition'}; last seen: {last}")
        time.sleep(every)


def ports(count: int = 1) -> list[int]:
    """Free loopback ports, all held while the others are chosen."""
    import socket

    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
