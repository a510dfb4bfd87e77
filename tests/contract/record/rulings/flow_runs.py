"""One case of a flow run: made in the reference's database, ruled on, written down, and rolled back."""

from __future__ import annotations

from unittest import mock
from uuid import UUID

from packaging.version import Version
from prefect.server import models, schemas
from prefect.server.orchestration import core_policy, instrumentation_policies

from . import rows
from .answers import FLOW_COLUMNS, ruled
from .stand_ins import Events
from .values import state_in
from .vocabulary import DEPLOYMENT, FLOW, LEASE, LIMIT, NOW, PARENT_RUN, PARENT_TASK, RUN

POLICIES = {
    "Core": core_policy.CoreFlowPolicy,
    "Minimal": core_policy.CoreFlowPolicy,
    "MarkLate": core_policy.MarkLateRunsPolicy,
}


async def record(db, case: dict) -> dict:
    storage = rows.empty_leases()
    Events.count = 0
    async with db.session_context() as session:
        run = await make(db, session, case)
        # "live" and "expired" leases are still stored, "gone" ones were reaped.
        if case.get("lease") in ("live", "expired"):
            rows.put_lease(storage, LEASE, [LIMIT], NOW + (100 if case["lease"] == "live" else -10), None)
        has_limit = bool((case.get("deployment") or {}).get("limit"))
        slots_before = await rows.taken(db, session, LIMIT) if has_limit else 0
        out = await ruled(session, run, storage, FLOW_COLUMNS, rule(session, case))
        if "error" not in out:
            if has_limit and (difference := await rows.taken(db, session, LIMIT) - slots_before):
                out["slots"] = difference
            if parent := await parent_state(db, session, case):
                out["parent"] = parent
            if Events.count:
                out["events"] = Events.count
        await session.rollback()
        return out


async def make(db, session, case: dict):
    """The run as a request finds it: everything is read anew."""
    await rows.put(session, db.Flow(id=UUID(FLOW), name="a-flow"))
    raw = dict(case.get("run", {}))
    deployment = case.get("deployment")
    if deployment is not None:
        await put_deployment(db, session, deployment)
    is_subflow = raw.pop("subflow", False)
    if is_subflow:
        await rows.put(session, db.FlowRun(id=UUID(PARENT_RUN), flow_id=UUID(FLOW)))
        parent = db.TaskRun(id=UUID(PARENT_TASK), flow_run_id=UUID(PARENT_RUN), task_key="t", dynamic_key="0")
        await rows.put(session, parent)
    policy = schemas.core.FlowRunPolicy(**raw.pop("empirical_policy", {}))
    run = db.FlowRun(
        id=UUID(RUN), flow_id=UUID(FLOW), deployment_id=UUID(DEPLOYMENT) if deployment is not None else None,
        parent_task_run_id=UUID(PARENT_TASK) if is_subflow else None, empirical_policy=policy, **rows.run_columns(raw),
    )
    await rows.put(session, run)
    await rows.put_state(db, session, run, case.get("state"), "flow_run_id")
    session.expunge_all()
    return await session.get(db.FlowRun, UUID(RUN))


async def put_deployment(db, session, deployment: dict) -> None:
    limit = deployment.get("limit")
    if limit:
        await rows.put_limit(db, session, LIMIT, f"deployment:{DEPLOYMENT}", limit)
    row = db.Deployment(
        id=UUID(DEPLOYMENT), name="a-deployment", flow_id=UUID(FLOW), concurrency_limit_id=UUID(LIMIT) if limit else None,
        concurrency_options=rows.concurrency_options(deployment),
    )
    await rows.put(session, row)


async def rule(session, case: dict):
    parameters = {"api-version": Version(case["api_version"])} if case.get("api_version") else {}
    with mock.patch.object(instrumentation_policies, "PrefectServerEventsClient", Events):
        return await models.flow_runs.set_flow_run_state(
            session, UUID(RUN), state_in(case["proposed"]), force=case["policy"] == "Minimal",
            flow_policy=POLICIES[case["policy"]], orchestration_parameters=parameters,
            client_version=case.get("client_version"),
        )


async def parent_state(db, session, case: dict) -> dict | None:
    """The state of the parent's task run, which follows that of a sub-flow."""
    if not case.get("run", {}).get("subflow"):
        return None
    task = await session.get(db.TaskRun, UUID(PARENT_TASK))
    if task.state is None:
        return None
    state = task.state.as_state()
    assert str(state.state_details.child_flow_run_id) == RUN
    return {"type": state.type.value, "name": state.name}
