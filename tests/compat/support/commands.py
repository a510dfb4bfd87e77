"""The upstream command line in this process, which saves the seconds that its start takes. Its own runner, unmodified."""

from __future__ import annotations

import json
from typing import Any

from prefect.testing.cli import CycloptsCliRunner


class Said:
    """What a command printed."""

    def __init__(self, command: str, output: str) -> None:
        self.command, self.output = command, output

    def says(self, *words: str) -> Said:
        # Tables wrap, and long lines are folded: what counts is the words.
        flat = " ".join(self.output.split())
        for word in words:
            assert " ".join(word.split()) in flat, f"{self.command} does not say {word!r}:\n{self.output}"
        return self

    def omits(self, *words: str) -> Said:
        for word in words:
            assert word not in self.output, f"{self.command} says {word!r}:\n{self.output}"
        return self

    def json(self) -> Any:
        return json.loads(self.output)


def prefect(*arguments: str) -> Said:
    """Runs a command that has to succeed."""
    return _run(0, arguments)


def refuses(*arguments: str) -> Said:
    """Runs a command that has to end with 1."""
    return _run(1, arguments)


def _run(code: int, arguments: tuple[str, ...]) -> Said:
    done = CycloptsCliRunner().invoke(list(arguments))
    command = f"prefect {' '.join(arguments)}"
    assert done.exit_code == code, f"{command} ended with {done.exit_code}:\n{done.output}\n{done.exception}"
    return Said(command, done.stdout if code == 0 else done.output)
