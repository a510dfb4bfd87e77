"""Deploys the flow to a process work pool, with what it needs there: a variable, a secret, schedules.

Running it again changes nothing but what changed here; a secret that exists is left alone.
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from pathlib import Path

from prefect import flow
from prefect.blocks.system import Secret
from prefect.schedules import Cron, Interval
from prefect.variables import Variable

HERE = Path(__file__).resolve().parent
TOKEN_BLOCK = "flights-registry-token"
ON_TIME_VARIABLE = "flights_on_time_minutes"

# Both wait for someone to switch them on.
SCHEDULES = [
    Interval(
        timedelta(hours=6),
        anchor_date=datetime(2013, 1, 1, tzinfo=timezone.utc),
        active=False,
        slug="every-six-hours",
        parameters={"registry_outage": False},
    ),
    Cron("30 6 * * MON-FRI", timezone="America/New_York", active=False, slug="weekday-mornings"),
]


def prepare() -> None:
    """Makes the variable and the secret that the flow asks for."""
    Variable.set(ON_TIME_VARIABLE, 15, tags=["flights"], overwrite=True)
    try:
        Secret.load(TOKEN_BLOCK)
    except ValueError:
        Secret(value="not-a-real-token-1234").save(TOKEN_BLOCK)


def deploy(pool: str, output: Path) -> None:
    """Registers `flights/nyc-2013`, to run from this folder."""
    flow.from_source(source=str(HERE), entrypoint="flow.py:flights").deploy(
        name="nyc-2013",
        work_pool_name=pool,
        parameters={"output": str(output / "flights.db")},
        job_variables={"env": {"PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(output / "results")}},
        schedules=SCHEDULES,
        tags=["example", "flights"],
        description="Punctuality of the airlines that left New York City in 2013.",
        print_next_steps=False,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pool", default="local", help="a work pool of type process (default: local)")
    arguments.add_argument(
        "--output", type=Path, default=Path("flights-output"), help="folder for the database and stored results"
    )
    given = arguments.parse_args()
    prepare()
    deploy(given.pool, given.output.resolve())


if __name__ == "__main__":
    main()
