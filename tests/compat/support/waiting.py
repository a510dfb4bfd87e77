"""Waiting for a condition with a deadline. Scenarios never sleep for a guessed time, and never read once what comes later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

# Ends a scenario that will never come true; no scenario that passes is near it, on however loaded a machine.
DEADLINE = 240.0


def wait_until(condition: Callable[[], T], deadline: float = DEADLINE, *, every: float = 0.05, what: str = "") -> T:
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

