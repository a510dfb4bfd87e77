"""Figures and how they are told: percentiles, what a process uses, and a table with goals and ratios."""

from __future__ import annotations

import math
import os
from pathlib import Path


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def memory(process: int) -> float:
    """Resident MB of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(float(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Table:
    """Rows as they come; printed at once, and again together at the end."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def add(self, what: str, value: str, goal: str = "", reference: str = "", **figures: float) -> None:
        row = {"what": what, "value": value, "goal": goal, "reference": reference, "figures": figures}
        self.rows.append(row)
        print(f"  {what}: {value}" + (f" (goal {goal})" if goal else "") + (f" (reference {reference})" if reference else ""), flush=True)

    def text(self) -> str:
        heads = ["what", "Tidegate", "reference", "goal"]
        lines = [[row["what"], row["value"], row["reference"], row["goal"]] for row in self.rows]
        widths = [max(len(line[column]) for line in [heads, *lines]) for column in range(4)]
        rule = ["-" * width for width in widths]
        return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in [heads, rule, *lines])
