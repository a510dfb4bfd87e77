"""One case of a task run: made in the reference's database, ruled on, written down, and rolled back."""

from __future__ import annotations

from unittest import mock
from uuid import UUID

from prefect.server import models, schemas
from prefect.server.orchestration import core_policy

from . import rows
from .answers import TASK_COLUMNS, ruled
from .stand_ins import Queue, SameSession
from .values import at, seconds, state_in
from .vocabulary import FLOW, LEASE, NOW, PARENT_RUN, RUN, uid


async def record(db, case: dict) -> dict:
    storage = rows.empty_leases()
    Queue.calls = []
    limits = [limit_id(number) for number in range(len(case.get("tag_limits", [])))]
    async with db.session_context() as session:
        run = await make(db, session, case, storage)
        slots_before = [await rows.taken(db, session, limit) for limit in limits]
        out = await ruled(session, run, storage, TASK_COLUMNS, rule(session, case))
        if "error" not in out:
            slots = [await rows.taken(db, session, limit) - was for limit, was in zip(limits, slots_before, strict=True)]
            if any(slots):
                out["slots"] = slots
            if Queue.calls:
                out["queue"] = Queue.calls
            cached = (await session.execute(db.TaskRunStateCache.__table__.select())).all()
            if len(cached) > (case.get("cached_state") is not None):
                out["cached"] = [cached[-1].cache_key, seconds(cached[-1].cache_expiration)]
        await session.rollback()
        return out


def limit_id(number: int) -> str:
    return uid(30 + number)


async def make(db, session, case: dict, storage):
    """The run as a request finds it: everything is read anew."""
    await rows.put(session, db.Flow(id=UUID(FLOW), name="a-flow"))
    raw = dict(case.get("run", {}))
    flow_run = case.get("flow_run")
    if flow_run is not None:
        parent = db.FlowRun(id=UUID(PARENT_RUN), flow_id=UUID(FLOW), run_count=flow_run.get("run_count", 1))
        await rows.put(session, parent)
        await rows.put_state(db, session, parent, flow_run.get("state"), "flow_run_id")
    tags = case.get("tag_limits", [])
    policy = schemas.core.TaskRunPolicy(**raw.pop("empirical_policy", {}))
    run = db.TaskRun(
        id=UUID(RUN), flow_run_id=UUID(PARENT_RUN) if flow_run is not None else None, task_key="a-task", dynamic_key="0",
        tags=[limit["tag"] for limit in tags], empirical_policy=policy, **rows.run_columns(raw),
    )
    await rows.put(session, run)
    for number, limit in enumerate(tags):
        await rows.put_limit(db, session, limit_id(number), f"tag:{limit['tag']}", limit)
    if held := [limit_id(number) for number, limit in enumerate(tags) if limit.get("held")]:
        rows.put_lease(storage, LEASE, held, NOW + 1000, RUN)
    await put_cached(db, session, case)
    await rows.put_state(db, session, run, case.get("state"), "task_run_id")
    session.expunge_all()
    return await session.get(db.TaskRun, UUID(RUN))


async def put_cached(db, session, case: dict) -> None:
    """The state of another task run, for the cache to find."""
    cached = case.get("cached_state")
    if not cached:
        return
    other = await rows.put(session, db.TaskRun(id=UUID(uid(40)), task_key="other", dynamic_key="1"))
    await rows.put_state(db, session, other, cached, "task_run_id")
    entry = db.TaskRunStateCache(
        cache_key=case["cached_key"], cache_expiration=at(case.get("cached_expiration")), task_run_state_id=other.state_id
    )
    await rows.put(session, entry)


async def rule(session, case: dict):
    draw = case.get("random", 0.5)
    with (
        mock.patch.object(core_policy, "TaskQueue", Queue),
        mock.patch.object(core_policy, "provide_database_interface", lambda: SameSession(session)),
        mock.patch("random.uniform", lambda low, high: low + draw * (high - low)),
    ):
        return await models.task_runs.set_task_run_state(
            session, UUID(RUN), state_in(case["proposed"]), force=case["policy"] == "Minimal",
            task_policy=core_policy.CoreTaskPolicy,
        )
