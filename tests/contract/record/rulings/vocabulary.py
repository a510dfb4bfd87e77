"""What cases are made of: ids, a moment, states, proposals and the columns that fit them. Knows nothing of the reference."""

from __future__ import annotations

import random

NOW = 1772366400  # 2026-03-01T12:00:00Z
# One source for all cases: their order decides what each draws.
rng = random.Random(33)


def uid(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


RUN, DEPLOYMENT, LIMIT, PARENT_TASK, LEASE, NEW_LEASE, PARENT_RUN, FLOW, PARAMETERS = (uid(n) for n in range(1, 10))
TRANSITIONS = [uid(21), uid(22)]
PERSISTED = {"type": "reference", "storage_key": "k1"}
UNPERSISTED = {"type": "unpersisted"}


def state(kind: str, name: str | None = None, ago: float = 60, **rest) -> dict:
    out = {"type": kind, "name": name or kind.capitalize(), "timestamp": NOW - ago}
    out.update(rest)
    return out


def propose(kind: str, name: str | None = None, **rest) -> dict:
    out: dict = {"type": kind}
    if name:
        out["name"] = name
    out.update(rest)
    return out


def initial_states() -> list[dict | None]:
    return [
        None,
        state("SCHEDULED", state_details={"scheduled_time": NOW - 5}),
        state("SCHEDULED", state_details={"scheduled_time": NOW + 90.4}),
        state("SCHEDULED", "Late", state_details={"scheduled_time": NOW - 300}),
        state("SCHEDULED", "AwaitingRetry", state_details={"scheduled_time": NOW + 12}),
        state("SCHEDULED", "AwaitingRetry", state_details={"scheduled_time": NOW - 1}),
        state("SCHEDULED", "AwaitingConcurrencySlot", state_details={"scheduled_time": NOW - 2}),
        state("SCHEDULED", "Resuming", state_details={"scheduled_time": NOW - 2}),
        state("PENDING", state_details={"scheduled_time": NOW - 5}),
        state("PENDING", state_details={"scheduled_time": NOW + 30.6}),
        state("PENDING", "Submitting"),
        state("RUNNING", ago=12.5),
        state("RUNNING", "Retrying", ago=3),
        state("COMPLETED", data=PERSISTED),
        state("COMPLETED", data=UNPERSISTED),
        state("COMPLETED", "Cached"),
        state("FAILED", message="it broke"),
        state("CANCELLED"),
        state("CRASHED"),
        state("PAUSED", state_details={"pause_timeout": NOW + 100, "pause_key": "k1"}),
        state("PAUSED", state_details={"pause_timeout": NOW - 100}),
        state("PAUSED", "Suspended", state_details={"pause_timeout": NOW + 100, "pause_reschedule": True}),
        state("PAUSED", "Suspended", state_details={"pause_timeout": NOW - 100, "pause_reschedule": True}),
        state("CANCELLING"),
    ]


def flow_proposals() -> list[dict]:
    return [
        propose("SCHEDULED"),
        propose("SCHEDULED", state_details={"scheduled_time": NOW + 600}),
        propose("SCHEDULED", "Late", state_details={"scheduled_time": NOW - 300}),
        propose("SCHEDULED", "AwaitingRetry", state_details={"scheduled_time": NOW + 60}),
        propose("SCHEDULED", "Resuming"),
        propose("PENDING"),
        propose("PENDING", "Submitting"),
        propose("PENDING", "InfrastructurePending", state_details={"scheduled_time": NOW + 7}),
        propose("RUNNING"),
        propose("COMPLETED", data=PERSISTED),
        propose("COMPLETED", data=UNPERSISTED),
        propose("COMPLETED"),
        propose("FAILED", message="boom", data={"type": "reference", "storage_key": "err"}),
        propose("FAILED", "TimedOut"),
        propose("CANCELLED"),
        propose("CRASHED", message="gone"),
        propose("PAUSED", state_details={"pause_timeout": NOW + 300, "pause_key": "k1"}),
        propose("PAUSED", state_details={"pause_timeout": NOW + 300}),
        propose("PAUSED", "Suspended", state_details={"pause_timeout": NOW + 300, "pause_key": "k2", "pause_reschedule": True}),
        propose("CANCELLING"),
    ]


def run_for(initial: dict | None, run_count: int = 0) -> dict:
    """Columns that fit the initial state."""
    out: dict = {}
    if run_count:
        out["run_count"] = run_count
    if initial is None:
        return out
    out["expected_start_time"] = NOW - 400
    kind = initial["type"]
    if kind == "SCHEDULED":
        out["next_scheduled_start_time"] = initial["state_details"]["scheduled_time"]
    elif kind != "PENDING":
        out["start_time"] = NOW - 200
        out["total_run_time"] = 42.5
        if kind in ("COMPLETED", "FAILED", "CANCELLED", "CRASHED"):
            out["end_time"] = initial["timestamp"]
    return out
