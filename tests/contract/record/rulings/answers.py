"""Writes down what a ruling came to: the answer, the columns that changed, the leases."""

from __future__ import annotations

import datetime

from .values import seconds, state_out
from .vocabulary import NEW_LEASE, NOW

FLOW_COLUMNS = ["run_count", "start_time", "end_time", "total_run_time", "expected_start_time", "next_scheduled_start_time"]
TASK_COLUMNS = [*FLOW_COLUMNS, "flow_run_run_count"]


async def ruled(session, run, storage, names: list[str], ruling) -> dict:
    """Awaits the ruling on a run and writes down what it came to and what it changed."""
    leases_before, state_before, before = lease_times(storage), run.state_id, columns(run, names)
    try:
        result = await ruling
    except Exception as error:
        return failure(error)
    await session.flush()
    leases, lease_names = lease_changes(storage, leases_before)
    out = answer(result, state_before, lease_names)
    if run_changes := changed(before, columns(run, names)):
        out["run"] = run_changes
    if leases:
        out["leases"] = leases
    return out


def columns(run, names: list[str]) -> dict:
    out = {}
    for name in names:
        value = getattr(run, name)
        if isinstance(value, datetime.timedelta):
            value = value.total_seconds()
            value = int(value) if value == int(value) else value
        elif isinstance(value, datetime.datetime):
            value = seconds(value)
        out[name] = value
    policy = run.empirical_policy.model_dump(mode="json")
    if policy.get("pause_keys"):
        # A key that the reference drew at random is recorded as "random".
        policy["pause_keys"] = sorted("random" if len(key) == 36 else key for key in policy["pause_keys"])
    out["empirical_policy"] = policy
    return out


def lease_times(storage) -> dict:
    return {key: seconds(value) - NOW for key, value in storage.expirations.items()}


def lease_changes(storage, before: dict) -> tuple[dict, dict[str, str]]:
    out: dict = {}
    names: dict[str, str] = {}
    for lease_id, lease in storage.leases.items():
        expires = seconds(storage.expirations[lease_id]) - NOW
        if lease_id not in before:
            names[str(lease_id)] = NEW_LEASE
            out.setdefault("made", []).append({"seconds": round(expires, 3), "limits": [str(limit) for limit in lease.resource_ids]})
        elif before[lease_id] != expires:
            out["renewed"] = expires
    revoked = [str(lease_id) for lease_id in before if lease_id not in storage.leases]
    if revoked:
        out["revoked"] = sorted(revoked)
    return out, names


def answer(result, before_state_id, names) -> dict:
    details = result.details
    out = {"status": result.status.value}
    if getattr(details, "reason", None) is not None:
        out["reason"] = details.reason
    if getattr(details, "delay_seconds", None) is not None:
        out["delay_seconds"] = details.delay_seconds
    assert details.type == f"{result.status.value.lower()}_details"
    if result.state is not None and result.state.id != before_state_id:
        out["state"] = state_out(result.state, names)
    return out


def changed(before: dict, after: dict) -> dict:
    out = {key: value for key, value in after.items() if value != before[key]}
    if "empirical_policy" in out:
        out["empirical_policy"] = changed(before["empirical_policy"], after["empirical_policy"])
    return out


def failure(error: Exception) -> dict:
    """What the reference answers with a 5xx."""
    return {"error": f"{type(error).__name__}: {str(error)[:120]}"}
