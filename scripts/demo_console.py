"""How the demo speaks: steps with their time, a bar that is redrawn on a terminal, plain lines everywhere else."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

BAR = 28
# How often a long step says something where no bar can be drawn.
PLAIN_SECONDS = 15.0


class Failure(Exception):
    """The demo cannot go on: why, and the lines that tell more."""

    def __init__(self, reason: str, details: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.details = list(details)


class Console:
    """Prints lines above an optional status line at the bottom."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.is_terminal = out.isatty()
        self.status = ""
        self.said_at = 0.0

    def line(self, text: str = "") -> None:
        self._clear()
        self.out.write(f"{text}\n")
        self._draw()

    def progress(self, fraction: float, text: str) -> None:
        """Redraws the status line; without a terminal, says it now and then."""
        if self.is_terminal:
            filled = round(BAR * min(1.0, max(0.0, fraction)))
            self._clear()
            self.status = f"  [{'#' * filled}{'.' * (BAR - filled)}] {text}"
            self._draw()
        elif time.monotonic() - self.said_at >= PLAIN_SECONDS:
            self.said_at = time.monotonic()
            self.line(f"  ... {fraction:.0%} {text}")

    def end_progress(self) -> None:
        self._clear()
        self.status = ""
        self.out.flush()

    def step(self, title: str, command: str = "") -> Step:
        return Step(self, title, command)

    def failure(self, failure: Failure) -> None:
        self.end_progress()
        for detail in failure.details:
            self.line(f"    {detail}")
        self.line(f"demo: {failure}")

    def strong(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.is_terminal else text

    def _clear(self) -> None:
        if self.status:
            self.out.write("\r\x1b[2K")

    def _draw(self) -> None:
        if self.status:
            self.out.write(self.status[: shutil.get_terminal_size().columns - 1])
        self.out.flush()


class Step:
    """One step of the demo: its title, the command that a person would type, and how long it took."""

    def __init__(self, console: Console, title: str, command: str) -> None:
        self.console = console
        self.title = title
        self.command = command

    def show(self) -> None:
        self.console.line()
        self.console.line(self.console.strong(self.title))
        if self.command:
            self.console.line(f"  $ {self.command}")

    def progress(self, fraction: float, text: str) -> None:
        self.console.progress(fraction, text)

    def __enter__(self) -> Step:
        self.show()
        self.began = self.console.said_at = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.console.end_progress()
        if kind is None:
            self.console.line(f"  done in {time.monotonic() - self.began:.1f} s")
