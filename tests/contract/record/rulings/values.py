"""Times and details of states, between a case's numbers and the reference's own types."""

from __future__ import annotations

import datetime
from uuid import UUID

from prefect.server.schemas.states import State, StateDetails


def at(seconds: float | None) -> datetime.datetime | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def seconds(value: datetime.datetime | None) -> float | int | None:
    if value is None:
        return None
    stamp = round(value.timestamp(), 6)
    return int(stamp) if stamp == int(stamp) else stamp


def details_in(raw: dict) -> StateDetails:
    times = {"scheduled_time", "cache_expiration", "pause_timeout"}
    return StateDetails(**{key: at(value) if key in times else value for key, value in raw.items()})


def state_in(raw: dict) -> State:
    return State(
        type=raw["type"], name=raw.get("name"), message=raw.get("message"), data=raw.get("data"),
        state_details=details_in(raw.get("state_details", {})),
    )


def details_out(details: StateDetails, names: dict[str, str]) -> dict:
    out = {}
    for key, value in details.model_dump().items():
        if value is None or value is False:
            continue
        if isinstance(value, datetime.datetime):
            value = seconds(value)
        elif isinstance(value, UUID):
            value = names.get(str(value), str(value))
        out[key] = value
    return out


def state_out(state: State, names: dict[str, str]) -> dict:
    out = {"type": state.type.value, "name": state.name, "timestamp": seconds(state.timestamp)}
    if state.message is not None:
        out["message"] = state.message
    if state.data is not None:
        out["data"] = state.data
    out["state_details"] = details_out(state.state_details, names)
    return out
