"""Child processes of the scenarios: long-lived ones that are stopped with the file, and commands that end by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .targets import PREFECT, tidegate_binary
from .waiting import DEADLINE

SDK_BIN = Path(sys.executable).parent
# Of the end of a file: nothing is asserted on how a child ends there.
PATIENCE = 15.0
PROJECTS = Path(__file__).resolve().parents[1] / "projects"


def environment(**extra: str) -> dict[str, str]:
    """The scenarios' environment with the SDK's interpreter first on PATH, as an activated environment has it."""
    activated = {
        "VIRTUAL_ENV": str(SDK_BIN.parent),
        "PATH": f"{SDK_BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **activated, **extra}


def prefect(*arguments: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs the upstream command line."""
    return run([PREFECT, *arguments], check=check, **extra)


def tidegate(*arguments: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs our command line."""
    return run([str(tidegate_binary()), *arguments], check=check, **extra)


def run(command: Sequence[str], *, check: bool, **extra: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, env=environment(**extra), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE
    )
    assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


class Child:
    """A running process, its output in a file."""

    def __init__(self, command: Sequence[str], log: Path, extra: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                env=environment(**extra),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Asks the process to end, and waits until it has; answers its exit code."""
        self.process.send_signal(sent)
        return self.process.wait(DEADLINE)

    def clear_away(self) -> None:
        """For the end of a file: asks politely, then kills what is left of the process group."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(DEADLINE)


class Processes:
    """Starts children and leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[Child] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for child in self.children:
            child.clear_away()

    def start(self, *command: str, **extra: str) -> Child:
        child = Child(command, self.folder / f"{len(self.children)}.log", extra)
        self.children.append(child)
        return child

    def python(self, *arguments: str, **extra: str) -> Child:
        return self.start(sys.executable, *arguments, **extra)

    def prefect(self, *arguments: str, **extra: str) -> Child:
        return self.start(PREFECT, *arguments, **extra)

    def tidegate(self, *arguments: str, **extra: str) -> Child:
        return self.start(str(tidegate_binary()), *arguments, **extra)
