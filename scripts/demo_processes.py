"""The processes that the demo starts: each in a group of its own with its output in a file, all of them stopped at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from demo_console import Failure


class Child:
    """One running process."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, env=environment, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip

    def require_running(self) -> None:
        code = self.process.poll()
        if code is not None:
            raise Failure(f"the {self.name} ended by itself (exit code {code})", self.last_lines())

    def wait_until(self, ready: Callable[[], bool], seconds: float, problem: str) -> None:
        ends = time.monotonic() + seconds
        while not ready():
            self.require_running()
            if time.monotonic() > ends:
                raise Failure(f"{problem} within {seconds:.0f} s", self.last_lines())
            time.sleep(0.05)

    def last_lines(self, count: int = 15) -> list[str]:
        return [*self.log.read_text(errors="replace").splitlines()[-count:], f"(all of it: {self.log})"]

    def stop(self) -> None:
        """Asks, waits, and then kills whatever is left of the process group."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Children:
    """All of them; leaving the block stops the last one first."""

    def __init__(self) -> None:
        self.running: list[Child] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        child = Child(name, command, environment, log)
        self.running.append(child)
        return child

    def require_running(self) -> None:
        for child in self.running:
            child.require_running()

    def __enter__(self) -> Children:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for child in reversed(self.running):
            child.stop()
