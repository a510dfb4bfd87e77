"""Child processes of the scenarios: long-lived ones that are stopped with the file, and commands that end by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .targets import tidegate_binary

SDK_BIN = Path(sys.executable).parent
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
    return run([sys.executable, "-m", "prefect", *arguments], check=check, **extra)


def tidegate(*arguments: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs our command line."""
    return run([str(tidegate_binary()), *arguments], check=check, **extra)


def run(command: Sequence[str], *, check: bool, **extra: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, env=environment(**extra), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
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

    def stop(self, sent: signal.Signals = signal.SIGTERM, patience: float = 15) -> int:
        """Asks the process to end and waits; what is left of its process group after that is killed."""
        if self.process.poll() is None:
            self.process.send_signal(sent)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.process.wait(5)


class Processes:
    """Starts children and leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[Child] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for child in self.children:
            child.stop()

    def start(self, *command: str, **extra: str) -> Child:
        child = Child(command, self.folder / f"{len(self.children)}.log", extra)
        self.children.append(child)
        return child

    def python(self, *arguments: str, **extra: str) -> Child:
        return self.start(sys.executable, *arguments, **extra)

    def prefect(self, *arguments: str, **extra: str) -> Child:
        return self.python("-m", "prefect", *arguments, **extra)

    def tidegate(self, *arguments: str, **extra: str) -> Child:
        return self.start(str(tidegate_binary()), *arguments, **extra)
