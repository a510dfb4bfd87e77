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
import json
import os
import pathlib
import shutil
import tempfile

# The reference reads its settings when it is imported.
WORK = pathlib.Path(tempfile.mkdtemp(prefix="transitions-"))
os.environ["PREFECT_HOME"] = str(WORK)
os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{WORK}/reference.db"
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
os.environ["PREFECT_LOGGING_SERVER_LEVEL"] = "CRITICAL"

import time_machine  # noqa: E402
from prefect.server.database import provide_database_interface  # noqa: E402
from rulings import flow_runs, task_runs  # noqa: E402
from rulings.flow_cases import flow_cases  # noqa: E402
from rulings.task_cases import task_cases  # noqa: E402
from rulings.values import at  # noqa: E402
from rulings.vocabulary import NOW  # noqa: E402

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def prune(case: dict) -> dict:
    """Leaves out what is empty, so that the file stays small."""
    return {key: value for key, value in case.items() if value not in (None, {}, []) or key == "deployment" and value is not None}


async def record_all() -> None:
    db = provide_database_interface()
    await db.create_db()
    for name, cases, record in (
        ("flow_transitions", flow_cases(), flow_runs.record),
        ("task_transitions", task_cases(), task_runs.record),
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
