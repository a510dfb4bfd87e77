"""Records what the reference rules about proposed state changes of flow runs and task runs.

Run with the Python of an environment that has the reference (see `docs/compatibility.md` for the pins) and `time-machine`:

    python tests/contract/record/transitions.py

Writes `fixtures/flow_transitions.json` and `fixtures/task_transitions.json`. Each case is made in the reference's own
database (SQLite in a temporary folder) inside a transaction that is rolled back; the clock stands still and random draws
come from the case, so that the output is the same on every run.

A case is `{in, out}` ("x*2001" stands for 2001 times x). `in` are the facts (fields at their defaults are left out); times are seconds since 1970. `out` is
the answer: status, reason, delay, the state that was written (absent: none), the run's columns that changed, the change of
taken slots, leases made, renewed and revoked, the parent task run's new state, whether an event went out; or `error`: the
exception that the reference answers with a 5xx.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import json
import os
import pathlib
import random
import shutil
import tempfile
from unittest import mock
from uuid import UUID

WORK = pathlib.Path(tempfile.mkdtemp(prefix="transitions-"))
os.environ["PREFECT_HOME"] = str(WORK)
os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{WORK}/reference.db"
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ["PREFECT_LOGGING_SERVER_LEVEL"] = "CRITICAL"

import time_machine
from packaging.version import Version
from prefect.server import models, schemas
from prefect.server.concurrency.lease_storage import ConcurrencyLeaseHolder, ConcurrencyLimitLeaseMetadata
from prefect.server.concurrency.lease_storage.memory import ConcurrencyLeaseStorage
from prefect.server.database import provide_database_interface
from prefect.server.orchestration import core_policy, instrumentation_policies
from prefect.server.schemas.states import State, StateDetails
from prefect.server.utilities.leasing import ResourceLease

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
NOW = 1772366400  # 2026-03-01T12:00:00Z
rng = random.Random(33)


def uid(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


RUN, DEPLOYMENT, LIMIT, PARENT_TASK, LEASE, NEW_LEASE, PARENT_RUN, FLOW, PARAMETERS = (uid(n) for n in range(1, 10))
TRANSITIONS = [uid(21), uid(22)]
PERSISTED = {"type": "reference", "storage_key": "k1"}
UNPERSISTED = {"type": "unpersisted"}


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


# ---------------------------------------------------------------------------------------------------------- the reference


class Events:
    """Stands for the event client: counts."""

    count = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def emit(self, event):
        Events.count += 1
        return event


class Queue:
    """Stands for the background task queue: remembers what was put where."""

    calls: list[str] = []

    @classmethod
    def for_key(cls, key):
        return cls()

    async def enqueue(self, run):
        Queue.calls.append("scheduled")

    async def retry(self, run):
        Queue.calls.append("retry")


class SameSession:
    """The tag rule opens a second session; inside our open transaction it gets a savepoint of the first one."""

    def __init__(self, session):
        self.session = session

    @contextlib.asynccontextmanager
    async def session_context(self, begin_transaction=False, with_for_update=False):
        savepoint = await self.session.begin_nested()
        outer = self.session

        class Inner:
            rolled_back = False

            async def execute(self, *args, **kwargs):
                return await outer.execute(*args, **kwargs)

            async def rollback(self):
                Inner.rolled_back = True
                await savepoint.rollback()

        yield Inner()
        if not Inner.rolled_back:
            await savepoint.commit()


FLOW_COLUMNS = ["run_count", "start_time", "end_time", "total_run_time", "expected_start_time", "next_scheduled_start_time"]
TASK_COLUMNS = [*FLOW_COLUMNS, "flow_run_run_count"]


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


async def put_state(db, session, run, raw: dict | None, column: str) -> None:
    """Writes the run's current state as the reference would have left it."""
    run_fields = {column: run.id}
    if raw is None:
        return
    artifact_id = None
    if raw.get("data") not in (None, UNPERSISTED):
        artifact = db.Artifact(data=raw["data"], type="result")
        session.add(artifact)
        await session.flush()
        artifact_id = artifact.id
    model = db.FlowRunState if column == "flow_run_id" else db.TaskRunState
    state = model(
        **run_fields, type=raw["type"], name=raw["name"], timestamp=at(raw["timestamp"]), message=raw.get("message"),
        state_details=details_in(raw.get("state_details", {})), result_artifact_id=artifact_id,
    )
    session.add(state)
    await session.flush()
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
    session.add(
        db.ConcurrencyLimitV2(
            id=UUID(limit_id), name=name, limit=raw["limit"], active_slots=raw.get("taken", 0), active=raw.get("active", True),
            avg_slot_occupancy_seconds=raw.get("occupancy", 2.0),
        )
    )
    await session.flush()


async def taken(db, session, limit_id: str) -> int:
    row = await session.get(db.ConcurrencyLimitV2, UUID(limit_id), populate_existing=True)
    return row.active_slots


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


async def record_flow(db, case: dict) -> dict:
    storage = ConcurrencyLeaseStorage()
    storage.leases.clear()
    storage.expirations.clear()
    Events.count = 0
    async with db.session_context() as session:
        session.add(db.Flow(id=UUID(FLOW), name="a-flow"))
        await session.flush()
        raw_run = dict(case.get("run", {}))
        deployment = case.get("deployment")
        if deployment is not None:
            if deployment.get("limit"):
                await put_limit(db, session, LIMIT, f"deployment:{DEPLOYMENT}", deployment["limit"])
            options = None
            if deployment.get("collision_strategy"):
                options = {"collision_strategy": deployment["collision_strategy"]}
                if deployment.get("grace_period_seconds"):
                    options["grace_period_seconds"] = deployment["grace_period_seconds"]
            session.add(
                db.Deployment(
                    id=UUID(DEPLOYMENT), name="a-deployment", flow_id=UUID(FLOW),
                    concurrency_limit_id=UUID(LIMIT) if deployment.get("limit") else None,
                    concurrency_options=schemas.core.ConcurrencyOptions(**options) if options else None,
                )
            )
            await session.flush()
        parent = raw_run.pop("subflow", False)
        if parent:
            session.add(db.FlowRun(id=UUID(PARENT_RUN), flow_id=UUID(FLOW)))
            await session.flush()
            session.add(db.TaskRun(id=UUID(PARENT_TASK), flow_run_id=UUID(PARENT_RUN), task_key="t", dynamic_key="0"))
            await session.flush()
        policy = schemas.core.FlowRunPolicy(**raw_run.pop("empirical_policy", {}))
        run = db.FlowRun(
            id=UUID(RUN), flow_id=UUID(FLOW), deployment_id=UUID(DEPLOYMENT) if deployment is not None else None,
            parent_task_run_id=UUID(PARENT_TASK) if parent else None, empirical_policy=policy, **run_columns(raw_run),
        )
        session.add(run)
        await session.flush()
        await put_state(db, session, run, case.get("state"), "flow_run_id")
        # What follows reads everything anew, as a request does.
        session.expunge_all()
        run = await session.get(db.FlowRun, UUID(RUN))
        # "live" and "expired" leases are still stored, "gone" ones were reaped.
        if case.get("lease") in ("live", "expired"):
            put_lease(storage, LEASE, [LIMIT], NOW + (100 if case["lease"] == "live" else -10), None)
        leases_before = {key: seconds(value) - NOW for key, value in storage.expirations.items()}
        state_before = run.state_id
        before = columns(run, FLOW_COLUMNS)
        slots_before = await taken(db, session, LIMIT) if deployment and deployment.get("limit") else None

        raw = case["proposed"]
        proposed = State(
            type=raw["type"], name=raw.get("name"), message=raw.get("message"), data=raw.get("data"),
            state_details=details_in(raw.get("state_details", {})),
        )
        policies = {"Core": core_policy.CoreFlowPolicy, "Minimal": core_policy.CoreFlowPolicy, "MarkLate": core_policy.MarkLateRunsPolicy}
        parameters = {"api-version": Version(case["api_version"])} if case.get("api_version") else {}
        out: dict
        try:
            with mock.patch.object(instrumentation_policies, "PrefectServerEventsClient", Events):
                result = await models.flow_runs.set_flow_run_state(
                    session, UUID(RUN), proposed, force=case["policy"] == "Minimal", flow_policy=policies[case["policy"]],
                    orchestration_parameters=parameters, client_version=case.get("client_version"),
                )
        except Exception as error:
            await session.rollback()
            return {"error": f"{type(error).__name__}: {str(error)[:120]}"}
        await session.flush()
        leases, names = lease_changes(storage, leases_before)
        out = answer(result, state_before, names)
        if run_changes := changed(before, columns(run, FLOW_COLUMNS)):
            out["run"] = run_changes
        if leases:
            out["leases"] = leases
        if slots_before is not None and (difference := await taken(db, session, LIMIT) - slots_before):
            out["slots"] = difference
        if parent:
            task = await session.get(db.TaskRun, UUID(PARENT_TASK))
            if task.state is not None:
                parent_state = task.state.as_state()
                out["parent"] = {"type": parent_state.type.value, "name": parent_state.name}
                assert str(parent_state.state_details.child_flow_run_id) == RUN
        if Events.count:
            out["events"] = Events.count
        await session.rollback()
        return out


async def record_task(db, case: dict) -> dict:
    storage = ConcurrencyLeaseStorage()
    storage.leases.clear()
    storage.expirations.clear()
    Queue.calls = []
    async with db.session_context() as session:
        session.add(db.Flow(id=UUID(FLOW), name="a-flow"))
        await session.flush()
        raw_run = dict(case.get("run", {}))
        flow_run = case.get("flow_run")
        if flow_run is not None:
            parent = db.FlowRun(id=UUID(PARENT_RUN), flow_id=UUID(FLOW), run_count=flow_run.get("run_count", 1))
            session.add(parent)
            await session.flush()
            await put_state(db, session, parent, flow_run.get("state"), "flow_run_id")
        tags = case.get("tag_limits", [])
        policy = schemas.core.TaskRunPolicy(**raw_run.pop("empirical_policy", {}))
        run = db.TaskRun(
            id=UUID(RUN), flow_run_id=UUID(PARENT_RUN) if flow_run is not None else None, task_key="a-task", dynamic_key="0",
            tags=[limit["tag"] for limit in tags], empirical_policy=policy, **run_columns(raw_run),
        )
        session.add(run)
        await session.flush()
        held = []
        for number, limit in enumerate(tags):
            await put_limit(db, session, uid(30 + number), f"tag:{limit['tag']}", limit)
            if limit.get("held"):
                held.append(uid(30 + number))
        if held:
            put_lease(storage, LEASE, held, NOW + 1000, RUN)
        if cached := case.get("cached_state"):
            other = db.TaskRun(id=UUID(uid(40)), task_key="other", dynamic_key="1")
            session.add(other)
            await session.flush()
            await put_state(db, session, other, cached, "task_run_id")
            session.add(
                db.TaskRunStateCache(
                    cache_key=case["cached_key"], cache_expiration=at(case.get("cached_expiration")), task_run_state_id=other.state_id
                )
            )
            await session.flush()
        await put_state(db, session, run, case.get("state"), "task_run_id")
        session.expunge_all()
        run = await session.get(db.TaskRun, UUID(RUN))
        leases_before = {key: seconds(value) - NOW for key, value in storage.expirations.items()}
        cache_before = case.get("cached_state") is not None
        state_before = run.state_id
        before = columns(run, TASK_COLUMNS)
        slots_before = [await taken(db, session, uid(30 + number)) for number in range(len(tags))]

        raw = case["proposed"]
        proposed = State(
            type=raw["type"], name=raw.get("name"), message=raw.get("message"), data=raw.get("data"),
            state_details=details_in(raw.get("state_details", {})),
        )
        draw = case.get("random", 0.5)
        try:
            with (
                mock.patch.object(core_policy, "TaskQueue", Queue),
                mock.patch.object(core_policy, "provide_database_interface", lambda: SameSession(session)),
                mock.patch("random.uniform", lambda low, high: low + draw * (high - low)),
            ):
                result = await models.task_runs.set_task_run_state(
                    session, UUID(RUN), proposed, force=case["policy"] == "Minimal", task_policy=core_policy.CoreTaskPolicy,
                )
        except Exception as error:
            await session.rollback()
            return {"error": f"{type(error).__name__}: {str(error)[:120]}"}
        await session.flush()
        leases, names = lease_changes(storage, leases_before)
        out = answer(result, state_before, names)
        if run_changes := changed(before, columns(run, TASK_COLUMNS)):
            out["run"] = run_changes
        if leases:
            out["leases"] = leases
        slots = [await taken(db, session, uid(30 + number)) - was for number, was in enumerate(slots_before)]
        if any(slots):
            out["slots"] = slots
        if Queue.calls:
            out["queue"] = Queue.calls
        rows = (await session.execute(db.TaskRunStateCache.__table__.select())).all()
        if len(rows) > cache_before:
            out["cached"] = [rows[-1].cache_key, seconds(rows[-1].cache_expiration)]
        await session.rollback()
        return out


# -------------------------------------------------------------------------------------------------------------- the cases


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


def flow_cases() -> list[dict]:
    cases: list[dict] = []
    for number, (initial, proposed) in enumerate(itertools.product(initial_states(), flow_proposals())):
        # The whole square for a plain run, and a second one for a deployment's run that ran before.
        cases.append({"policy": "Core", "api_version": "0.8.4", "client_version": "3.8.8", "run": run_for(initial), "state": initial, "proposed": proposed})
        run = run_for(initial, run_count=1) | {"empirical_policy": {"retries": number % 3, "retry_delay": [0, 7, None][number % 3]}}
        if number % 4 == 0:
            run["infrastructure_pid"] = "pid-1"
        cases.append(
            {"policy": "Core", "api_version": "0.8.4", "client_version": "3.8.8", "run": run, "state": initial, "proposed": proposed, "deployment": {}}
        )
    for initial, proposed in itertools.product(initial_states(), flow_proposals()[::2]):
        cases.append({"policy": "Minimal", "api_version": "0.8.4", "run": run_for(initial, 1), "state": initial, "proposed": proposed})
    cases += late_cases() + slot_cases() + pause_cases() + random_flow_cases(500)
    return cases


def late_cases() -> list[dict]:
    out = []
    late = propose("SCHEDULED", "Late", state_details={"scheduled_time": NOW - 300})
    for initial in initial_states():
        out.append({"policy": "MarkLate", "run": run_for(initial), "state": initial, "proposed": late})
        for strategy, limit in itertools.product(
            ["ENQUEUE", "CANCEL_NEW", None], [{"limit": 1, "taken": 1}, {"limit": 2, "taken": 1}, {"limit": 0}, {"limit": 1, "taken": 1, "active": False}]
        ):
            if initial is None or initial["type"] != "SCHEDULED":
                continue
            deployment = {"limit": limit}
            if strategy:
                deployment["collision_strategy"] = strategy
            out.append({"policy": "MarkLate", "run": run_for(initial), "state": initial, "proposed": late, "deployment": deployment})
    out.append({"policy": "MarkLate", "run": run_for(initial_states()[1]), "state": initial_states()[1], "proposed": propose("SCHEDULED", "Other")})
    return out


LIMITS = [{"limit": 3, "taken": 1}, {"limit": 1, "taken": 1}, {"limit": 0}, {"limit": 2}, {"limit": 1, "taken": 2}]
VERSIONS = ["3.8.8", "3.4.11", "3.4.10", "3.0.3", "3.0.2", "3.0.4", None]


def slot_cases() -> list[dict]:
    """A deployment's limit: taking, keeping, renewing and giving back its slots."""
    out = []
    starts = [initial_states()[i] for i in (0, 1, 3, 6, 7, 16, 17, 20, 21)]
    for initial, limit, strategy in itertools.product(starts, LIMITS, [None, "ENQUEUE", "CANCEL_NEW"]):
        version = VERSIONS[len(out) % len(VERSIONS)]
        deployment = {"limit": limit}
        if strategy:
            deployment["collision_strategy"] = strategy
            if len(out) % 2:
                deployment["grace_period_seconds"] = 90
        out.append({
            "policy": "Core", "api_version": "0.8.4", "client_version": version, "run": run_for(initial, 1), "state": initial,
            "proposed": propose("PENDING", "Submitting" if len(out) % 5 == 0 else None), "deployment": deployment,
        })
    holding = [
        state("PENDING", state_details={"deployment_concurrency_lease_id": LEASE, "scheduled_time": NOW - 5}),
        state("PENDING", "Submitting", state_details={"deployment_concurrency_lease_id": LEASE}),
        state("PENDING", "InfrastructurePending", state_details={"deployment_concurrency_lease_id": LEASE, "scheduled_time": NOW + 20}),
    ]
    for initial, version, lease, limit in itertools.product(holding[:2], VERSIONS, ["live", "expired", "gone"], LIMITS[:3]):
        for proposed in (propose("RUNNING"), propose("CANCELLING")):
            out.append({
                "policy": "Core", "api_version": "0.8.4", "client_version": version, "run": run_for(initial), "state": initial,
                "proposed": proposed, "deployment": {"limit": limit, "collision_strategy": "ENQUEUE"}, "lease": lease,
            })
    holding += [
        state("RUNNING", ago=30, state_details={"deployment_concurrency_lease_id": LEASE}),
        state("CANCELLING", state_details={"deployment_concurrency_lease_id": LEASE}),
        state("SCHEDULED", "AwaitingRetry", state_details={"deployment_concurrency_lease_id": LEASE, "scheduled_time": NOW - 1}),
        state("RUNNING", ago=30),
        state("PENDING"),
    ]
    for initial, proposed in itertools.product(holding, flow_proposals()):
        lease = rng.choice(["live", "live", "expired", "gone"])
        run = run_for(initial, 1) | {"empirical_policy": {"retries": rng.choice([None, 0, 1, 2])}}
        out.append({
            "policy": rng.choice(["Core", "Core", "Core", "Minimal"]), "api_version": "0.8.4", "client_version": rng.choice(VERSIONS),
            "run": run, "state": initial, "proposed": proposed, "deployment": {"limit": {"limit": 2, "taken": rng.choice([1, 2])}}, "lease": lease,
        })
    return out


def pause_cases() -> list[dict]:
    out = []
    running = state("RUNNING", ago=9)
    for proposed, keys, subflow, deployment in itertools.product(
        [p for p in flow_proposals() if p["type"] == "PAUSED"], [[], ["k1"], ["k2", "k3"]], [False, True], [None, {}]
    ):
        case = {"policy": "Core", "api_version": "0.8.4", "run": run_for(running, 1) | {"empirical_policy": {"pause_keys": keys}}, "state": running, "proposed": proposed}
        if subflow:
            case["run"]["subflow"] = True
        if deployment is not None:
            case["deployment"] = deployment
        out.append(case)
    paused = [s for s in initial_states() if s and s["type"] == "PAUSED"]
    for initial, proposed, version in itertools.product(paused, [propose("RUNNING"), propose("SCHEDULED", "Resuming"), propose("FAILED")], ["0.8.4", "0.8.3", "0.8.1"]):
        out.append({
            "policy": "Core", "api_version": version, "run": run_for(initial, 1) | {"empirical_policy": {"pause_keys": ["k1"]}}, "state": initial,
            "proposed": proposed, "deployment": {},
        })
    for resuming, version, proposed in itertools.product([True, False, None], ["0.8.4", "0.8.3", None], [propose("RUNNING"), propose("PENDING"), propose("COMPLETED")]):
        initial = state("SCHEDULED", "Resuming", state_details={"scheduled_time": NOW - 2})
        run = run_for(initial, 2) | {"empirical_policy": {"resuming": resuming}}
        out.append({"policy": "Core", "api_version": version, "run": run, "state": initial, "proposed": proposed, "deployment": {}})
    return out


def random_flow_cases(count: int) -> list[dict]:
    out = []
    for _ in range(count):
        initial = json.loads(json.dumps(rng.choice(initial_states())))
        proposed = json.loads(json.dumps(rng.choice(flow_proposals())))
        run = run_for(initial, rng.randrange(4))
        if rng.random() < 0.3:
            run["infrastructure_pid"] = "pid-9"
        if rng.random() < 0.25:
            run["subflow"] = True
        if rng.random() < 0.2:
            for column in ("start_time", "expected_start_time", "end_time"):
                run.pop(column, None)
        run["empirical_policy"] = {
            "retries": rng.choice([None, 0, 1, 2, 3]), "retry_delay": rng.choice([None, 0, 5, 60]), "resuming": rng.choice([False, False, True]),
            "pause_keys": rng.choice([[], ["k1"], ["k1", "k2"]]), "retry_type": rng.choice([None, None, "in_process", "reschedule"]),
        }
        case: dict = {
            "policy": rng.choice(["Core", "Core", "Core", "Core", "Minimal", "MarkLate"]), "api_version": rng.choice(["0.8.4", "0.8.4", "0.8.4", "0.8.3", "0.8.2", None]),
            "client_version": rng.choice(VERSIONS), "run": run, "state": initial, "proposed": proposed,
        }
        if rng.random() < 0.7:
            case["deployment"] = {}
            if rng.random() < 0.7:
                case["deployment"]["limit"] = rng.choice([*LIMITS, {"limit": 2, "taken": 1, "active": False}])
                case["deployment"]["collision_strategy"] = rng.choice(["ENQUEUE", "CANCEL_NEW"])
                if rng.random() < 0.5:
                    case["deployment"]["grace_period_seconds"] = 120
                if initial is not None and initial["type"] in ("PENDING", "RUNNING", "CANCELLING") and rng.random() < 0.7:
                    initial.setdefault("state_details", {})["deployment_concurrency_lease_id"] = LEASE
                    case["lease"] = rng.choice(["live", "live", "expired", "gone"])
        if initial is not None and rng.random() < 0.2:
            initial.setdefault("state_details", {})["transition_id"] = TRANSITIONS[0]
            proposed.setdefault("state_details", {})["transition_id"] = rng.choice(TRANSITIONS)
        if initial is not None and rng.random() < 0.08:
            # Two states in the same microsecond.
            initial["timestamp"] = NOW
        out.append(case)
    return out


def task_proposals() -> list[dict]:
    return [
        propose("SCHEDULED", state_details={"scheduled_time": NOW + 600}),
        propose("SCHEDULED", "AwaitingRetry", state_details={"scheduled_time": NOW + 60}),
        propose("PENDING"),
        propose("PENDING", "Submitting"),
        propose("RUNNING"),
        propose("RUNNING", state_details={"cache_key": "key-1"}),
        propose("RUNNING", state_details={"cache_key": "key-1", "refresh_cache": True}),
        propose("COMPLETED", data=PERSISTED, state_details={"cache_key": "key-1", "cache_expiration": NOW + 3600}),
        propose("COMPLETED", data=UNPERSISTED),
        propose("COMPLETED", state_details={"cache_key": "x" * 2001}),
        propose("FAILED", message="boom"),
        propose("FAILED", state_details={"retriable": False}),
        propose("CANCELLED"),
        propose("CRASHED"),
        propose("PAUSED"),
        propose("CANCELLING"),
    ]


FLOW_RUNS = [
    {"state": state("RUNNING"), "run_count": 1},
    {"state": state("RUNNING", "Retrying"), "run_count": 2},
    {"state": state("PENDING"), "run_count": 0},
    {"state": state("PAUSED", state_details={"pause_timeout": NOW + 55}), "run_count": 1},
    {"state": state("PAUSED", "Suspended", state_details={"pause_timeout": NOW + 55, "pause_reschedule": True}), "run_count": 1},
    {"state": state("COMPLETED"), "run_count": 1},
    {"state": state("CANCELLING"), "run_count": 1},
    {"run_count": 0},
]


def task_initial_states() -> list[dict | None]:
    # Paused and named states of flows add nothing for tasks.
    return [s for n, s in enumerate(initial_states()) if n not in (3, 6, 7, 20, 22)]


def task_cases() -> list[dict]:
    cases: list[dict] = []
    for number, (initial, proposed) in enumerate(itertools.product(task_initial_states(), task_proposals())):
        run = run_for(initial, number % 3) | {"empirical_policy": {"retries": number % 4, "retry_delay": [None, 3, 1.5, [1, 10]][number % 4]}}
        cases.append({"policy": "Core", "run": run, "state": initial, "proposed": proposed, "flow_run": FLOW_RUNS[number % 2]})
    for initial, proposed in itertools.product(task_initial_states(), task_proposals()):
        deferred = json.loads(json.dumps(proposed))
        deferred.setdefault("state_details", {})["deferred"] = True
        start = json.loads(json.dumps(initial))
        if start is not None:
            start.setdefault("state_details", {}).update({"deferred": True, "task_parameters_id": PARAMETERS})
        if proposed["name"] == "Submitting" if "name" in proposed else False:
            deferred["state_details"]["task_parameters_id"] = uid(10)
        cases.append({"policy": "Background", "run": run_for(start, 1) | {"empirical_policy": {"retries": 1}}, "state": start, "proposed": deferred})
    for initial, proposed in itertools.product(task_initial_states()[::2], task_proposals()):
        cases.append({"policy": "Minimal", "run": run_for(initial, 1), "state": initial, "proposed": proposed, "flow_run": FLOW_RUNS[0]})
    for initial, flow_run in itertools.product(task_initial_states()[:9], FLOW_RUNS):
        cases.append({"policy": "Core", "run": run_for(initial, 1), "state": initial, "proposed": propose("RUNNING"), "flow_run": flow_run})
    cases += retry_cases() + tag_cases() + cache_cases() + random_task_cases(200)
    return cases


def retry_cases() -> list[dict]:
    out = []
    running = state("RUNNING", ago=8)
    delays = [None, 0, 5, 2.5, [1, 2, 4], [10], [0, 0.5]]
    for delay, count, jitter, draw in itertools.product(delays, [1, 2, 3, 4], [None, 0.2, 1.0], [0.0, 0.37, 0.999]):
        if jitter is None and draw:
            continue
        policy = {"retries": 3, "retry_delay": delay}
        if jitter is not None:
            policy["retry_jitter_factor"] = jitter
        out.append({
            "policy": "Core", "run": run_for(running, count) | {"empirical_policy": policy}, "state": running,
            "proposed": propose("FAILED", message="boom", data=PERSISTED), "flow_run": FLOW_RUNS[0], "random": draw,
        })
    return rng.sample(out, 90)


def tag_limits() -> list[list[dict]]:
    return [
        [{"tag": "a", "limit": 2, "taken": 1}],
        [{"tag": "a", "limit": 1, "taken": 1}],
        [{"tag": "a", "limit": 0}],
        [{"tag": "a", "limit": 2, "taken": 1}, {"tag": "b", "limit": 1}],
        [{"tag": "a", "limit": 2, "taken": 2, "occupancy": 7.0}, {"tag": "b", "limit": 5, "taken": 1, "occupancy": 30.0}],
        [{"tag": "a", "limit": 4, "taken": 2}, {"tag": "b", "limit": 1, "taken": 1, "occupancy": 40.0}],
        [{"tag": "a", "limit": 1, "taken": 1}, {"tag": "b", "limit": 0}],
        [{"tag": "a", "limit": 1, "taken": 1, "active": False}],
        [{"tag": "a", "limit": 1, "taken": 1, "active": False}, {"tag": "b", "limit": 2, "taken": 1}],
        [{"tag": "a", "limit": 2, "taken": 1, "held": True}],
        [{"tag": "a", "limit": 2, "taken": 1, "held": True}, {"tag": "b", "limit": 3, "taken": 2, "held": True}],
    ]


def tag_cases() -> list[dict]:
    out = []
    for limits in tag_limits():
        held = any(limit.get("held") for limit in limits)
        starts = [state("RUNNING", ago=4), state("CANCELLING")] if held else [state("PENDING"), state("SCHEDULED", state_details={"scheduled_time": NOW - 3}), state("SCHEDULED", state_details={"scheduled_time": NOW + 30}), state("FAILED"), None]
        proposals = [propose("RUNNING")]
        if held:
            proposals = [p for p in task_proposals() if p["type"] != "RUNNING"]
        for initial, proposed in itertools.product(starts, proposals):
            for draw in [0.1, 0.9] if not held else [0.5]:
                out.append({
                    "policy": "Core", "run": run_for(initial, 1) | {"empirical_policy": {"retries": 1}}, "state": initial, "proposed": proposed,
                    "flow_run": FLOW_RUNS[0], "tag_limits": limits, "random": draw,
                })
    for flow_run in FLOW_RUNS[2:]:
        out.append({"policy": "Core", "state": state("PENDING"), "proposed": propose("RUNNING"), "flow_run": flow_run, "tag_limits": tag_limits()[0]})
    return out


def cache_cases() -> list[dict]:
    out = []
    cached = state("COMPLETED", data=PERSISTED, message="from before", ago=500, state_details={"cache_key": "key-1", "task_run_id": uid(40)})
    for initial, expiration, limits, flow_run in itertools.product(
        [None, state("PENDING"), state("RUNNING"), state("FAILED")], [None, NOW + 50, NOW - 50], [[], tag_limits()[1]], [FLOW_RUNS[0], FLOW_RUNS[5]]
    ):
        case = {
            "policy": "Core", "run": run_for(initial, 1), "state": initial, "proposed": propose("RUNNING", state_details={"cache_key": "key-1"}),
            "flow_run": flow_run, "tag_limits": limits, "cached_state": cached, "cached_key": "key-1",
        }
        if expiration:
            case["cached_expiration"] = expiration
        out.append(case)
    return out


def random_task_cases(count: int) -> list[dict]:
    out = []
    for _ in range(count):
        initial = json.loads(json.dumps(rng.choice(task_initial_states())))
        proposed = json.loads(json.dumps(rng.choice(task_proposals())))
        run = run_for(initial, rng.randrange(4)) | {"flow_run_run_count": rng.randrange(3)}
        run["empirical_policy"] = {"retries": rng.choice([None, 0, 1, 2]), "retry_delay": rng.choice([None, 0, 4, [1, 2]])}
        case: dict = {"policy": rng.choice(["Core", "Core", "Core", "Minimal"]), "run": run, "state": initial, "proposed": proposed, "random": round(rng.random(), 3)}
        if rng.random() < 0.7:
            case["flow_run"] = rng.choice(FLOW_RUNS)
        if rng.random() < 0.4:
            limits = rng.choice(tag_limits())
            # A run that is not running holds nothing.
            if initial is not None and initial["type"] in ("RUNNING", "CANCELLING") or not any(limit.get("held") for limit in limits):
                case["tag_limits"] = limits
        if rng.random() < 0.3:
            case["cached_state"] = state("COMPLETED", data=PERSISTED, ago=500)
            case["cached_key"] = "key-1"
        out.append(case)
    return out


def prune(case: dict) -> dict:
    """Leaves out what is empty, so that the file stays small."""
    return {key: value for key, value in case.items() if value not in (None, {}, []) or key == "deployment" and value is not None}


async def record_all() -> None:
    db = provide_database_interface()
    await db.create_db()
    for name, cases, record in (
        ("flow_transitions", flow_cases(), record_flow),
        ("task_transitions", task_cases(), record_task),
    ):
        lines, seen, failed = [], set(), 0
        for case in map(prune, cases):
            text = json.dumps(case, separators=(",", ":"))
            if text in seen:
                continue
            seen.add(text)
            out = await record(db, json.loads(text))
            failed += "error" in out
            line = f'{{"in":{text},"out":{json.dumps(out, separators=(",", ":"))}}}'
            lines.append(line.replace("x" * 2001, "x*2001"))
        path = FIXTURES / f"{name}.json"
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
        print(f"{name}: {len(lines)} cases ({failed} that the reference fails on), {path.stat().st_size} bytes")


def main() -> None:
    try:
        with time_machine.travel(at(NOW), tick=False):
            asyncio.run(record_all())
    finally:
        shutil.rmtree(WORK, ignore_errors=True)


if __name__ == "__main__":
    main()
