"""Makes the rows of a case in the reference's database, as the reference itself would have left them."""

from __future__ import annotations

import datetime
from uuid import UUID

from prefect.server import schemas
from prefect.server.concurrency.lease_storage import ConcurrencyLeaseHolder, ConcurrencyLimitLeaseMetadata
from prefect.server.concurrency.lease_storage.memory import ConcurrencyLeaseStorage
from prefect.server.utilities.leasing import ResourceLease

from .values import at, details_in
from .vocabulary import UNPERSISTED


def empty_leases() -> ConcurrencyLeaseStorage:
    """The reference keeps one storage of leases in a process."""
    storage = ConcurrencyLeaseStorage()
    storage.leases.clear()
    storage.expirations.clear()
    return storage


async def put(session, row):
    session.add(row)
    await session.flush()
    return row


async def put_state(db, session, run, raw: dict | None, column: str) -> None:
    """Writes the run's current state as the reference would have left it."""
    if raw is None:
        return
    artifact_id = None
    if raw.get("data") not in (None, UNPERSISTED):
        artifact_id = (await put(session, db.Artifact(data=raw["data"], type="result"))).id
    model = db.FlowRunState if column == "flow_run_id" else db.TaskRunState
    state = model(
        **{column: run.id}, type=raw["type"], name=raw["name"], timestamp=at(raw["timestamp"]), message=raw.get("message"),
        state_details=details_in(raw.get("state_details", {})), result_artifact_id=artifact_id,
    )
    await put(session, state)
    run.set_state(state)
    await session.flush()


def run_columns(raw: dict) -> dict:
    times = {"start_time", "end_time", "expected_start_time", "next_scheduled_start_time"}
    out = {}
    for key, value in raw.items():
        if key in times:
            value = at(value)
        elif key == "total_run_time":
            value = datetime.timedelta(seconds=value)
        out[key] = value
    return out


def put_lease(storage, lease_id: str, limits: list[str], expires: float, holder: str | None) -> None:
    lease = ResourceLease(
        id=UUID(lease_id), resource_ids=[UUID(limit) for limit in limits], expiration=at(expires),
        metadata=ConcurrencyLimitLeaseMetadata(
            slots=1, holder=ConcurrencyLeaseHolder(type="task_run", id=UUID(holder)) if holder else None
        ),
    )
    storage.leases[lease.id] = lease
    storage.expirations[lease.id] = at(expires)


async def put_limit(db, session, limit_id: str, name: str, raw: dict) -> None:
    limit = db.ConcurrencyLimitV2(
        id=UUID(limit_id), name=name, limit=raw["limit"], active_slots=raw.get("taken", 0), active=raw.get("active", True),
        avg_slot_occupancy_seconds=raw.get("occupancy", 2.0),
    )
    await put(session, limit)


async def taken(db, session, limit_id: str) -> int:
    row = await session.get(db.ConcurrencyLimitV2, UUID(limit_id), populate_existing=True)
    return row.active_slots


def concurrency_options(deployment: dict) -> schemas.core.ConcurrencyOptions | None:
    if not deployment.get("collision_strategy"):
        return None
    options = {"collision_strategy": deployment["collision_strategy"]}
    if deployment.get("grace_period_seconds"):
        options["grace_period_seconds"] = deployment["grace_period_seconds"]
    return schemas.core.ConcurrencyOptions(**options)
