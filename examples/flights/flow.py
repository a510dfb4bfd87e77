"""How punctual were the airlines that left New York City in 2013, and what did the weather have to do with it?

A year of flights is read month by month, joined with the weather, stored in SQLite, and judged airline by airline.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pandas as pd
from data import YEAR, read_airlines, read_flights, read_weather
from prefect import flow, get_run_logger, runtime, task, unmapped
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.blocks.system import Secret
from prefect.cache_policies import INPUTS, TASK_SOURCE
from prefect.futures import PrefectFutureList
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.variables import Variable
from pydantic import Field

TOKEN_BLOCK = "flights-registry-token"
ON_TIME_VARIABLE = "flights_on_time_minutes"

Month = Annotated[int, Field(ge=1, le=12)]
Minutes = Annotated[int, Field(ge=0, le=240)]

ALL_MONTHS = list(range(1, 13))

# What was read once is taken from its stored result, by any run, until it is this old or the code changes.
REMEMBERED = INPUTS + TASK_SOURCE
KEEP = timedelta(days=30)


@dataclass
class Punctuality:
    """One line of the league table."""

    carrier: str
    airline: str
    flights: int
    on_time_percent: float
    mean_delay_minutes: float
    worst_route: str


@task(
    name="extract month",
    task_run_name="extract {month:02d}",
    cache_policy=REMEMBERED,
    cache_expiration=KEEP,
    persist_result=True,
)
def extract_month(month: int) -> pd.DataFrame:
    """Reads one month of flights."""
    flights = read_flights(month)
    get_run_logger().info("%s-%02d: %s flights", YEAR, month, f"{len(flights):,}")
    return flights


@task(name="extract weather", cache_policy=REMEMBERED, cache_expiration=KEEP, persist_result=True)
def extract_weather() -> pd.DataFrame:
    """Reads the hourly weather of the year."""
    weather = read_weather()
    get_run_logger().info("weather: %s hours at %s airports", f"{len(weather):,}", weather["origin"].nunique())
    return weather


@task(name="join weather")
def join_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Gives every flight the weather at its airport in the hour of its departure."""
    return flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")


@task(name="store flights")
def store_flights(months: list[pd.DataFrame], database: Path) -> int:
    """Writes all flights into a SQLite file, in one go: a reader sees the old file or the new one."""
    database.parent.mkdir(parents=True, exist_ok=True)
    partial = database.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial)) as connection:
        for flights in months:
            flights.assign(time_hour=flights["time_hour"].astype(str)).to_sql(
                "flights", connection, index=False, if_exists="append"
            )
        connection.execute("CREATE INDEX flights_by_carrier ON flights (carrier)")
        (stored,) = connection.execute("SELECT count(*) FROM flights").fetchone()
        connection.commit()
    partial.replace(database)
    get_run_logger().info("stored %s flights in %s", f"{stored:,}", database)
    return stored


@task(name="look up airlines", retries=2, retry_delay_seconds=1)
def look_up_airlines(outage: bool) -> dict[str, str]:
    """Asks the airline registry for names. The registry needs a token, and is known to be down at the first call."""
    token = Secret.load(TOKEN_BLOCK).get()
    if outage and runtime.task_run.run_count == 1:
        raise ConnectionError("the airline registry did not answer")
    get_run_logger().info("signed in to the registry with a token of %s characters", len(token))
    return read_airlines()


def query(database: Path, sql: str, *parameters: object) -> list[tuple]:
    """Runs one query on the stored flights."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql, parameters).fetchall()


@task(name="measure delays")
async def measure_delays(database: Path, carrier: str, on_time_minutes: int) -> tuple[int, float, float]:
    """Flights, the share that left on time (in percent) and the mean delay (in minutes). Cancelled flights count as late."""
    ((flights, on_time, delay),) = await asyncio.to_thread(
        query,
        database,
        "SELECT count(*), 100.0 * count(*) FILTER (WHERE dep_delay <= ?) / count(*), coalesce(avg(dep_delay), 0)"
        " FROM flights WHERE carrier = ?",
        on_time_minutes,
        carrier,
    )
    return flights, round(on_time, 1), round(delay, 1)


@task(name="find worst route")
async def find_worst_route(database: Path, carrier: str) -> str:
    """The route with the highest mean delay, among those that were flown more than three times."""
    routes = await asyncio.to_thread(
        query,
        database,
        "SELECT origin || '-' || dest FROM flights WHERE carrier = ? GROUP BY origin, dest"
        " HAVING count(dep_delay) > 3 ORDER BY avg(dep_delay) DESC LIMIT 1",
        carrier,
    )
    return routes[0][0] if routes else "none"


@flow(name="judge carrier", flow_run_name="judge {carrier}")
async def judge_carrier(carrier: str, airline: str, database: Path, on_time_minutes: int) -> Punctuality:
    """Measures one airline."""
    (flights, on_time, delay), route = await asyncio.gather(
        measure_delays(database, carrier, on_time_minutes),
        find_worst_route(database, carrier),
    )
    return Punctuality(carrier, airline, flights, on_time, delay, route)


@task(name="measure weather")
def measure_weather(database: Path) -> list[tuple[str, int, float]]:
    """Flights and mean departure delay by visibility: the sky's part in the story."""
    return query(
        database,
        "SELECT CASE WHEN visib < 1 THEN 'fog (under 1 mile)' WHEN visib < 5 THEN 'mist (1 to 5 miles)'"
        " WHEN visib < 10 THEN 'haze (5 to 10 miles)' ELSE 'clear' END AS sky, count(*), round(avg(dep_delay), 1)"
        " FROM flights WHERE visib IS NOT NULL GROUP BY sky ORDER BY 3 DESC",
    )


@task(name="publish report")
def publish_report(table: list[Punctuality], sky: list[tuple[str, int, float]], on_time_minutes: int) -> None:
    """Leaves a table and a page of text with the run."""
    create_table_artifact(
        key="flights-punctuality",
        table=[asdict(line) for line in table],
        description=f"Airlines by the share of flights that left at most {on_time_minutes} minutes late",
    )
    best, worst = table[0], table[-1]
    weather = "\n".join(f"| {name} | {flights:,} | {delay} |" for name, flights, delay in sky)
    create_markdown_artifact(
        key="flights-report",
        description="What the year looked like",
        markdown=f"""# Leaving New York in {YEAR}

Of **{sum(line.flights for line in table):,}** flights, those of **{best.airline}** left on time most often
({best.on_time_percent} %), those of **{worst.airline}** least often ({worst.on_time_percent} %).

| sky | flights | mean delay (minutes) |
| --- | ---: | ---: |
{weather}
""",
    )


@flow(name="flights", task_runner=ThreadPoolTaskRunner(max_workers=4))
async def flights(
    months: list[Month] = ALL_MONTHS,
    carriers: list[str] | None = None,
    on_time_minutes: Minutes | None = None,
    registry_outage: bool = True,
    output: Path = Path("flights.db"),
) -> list[Punctuality]:
    """Judges the airlines that left New York City in 2013.

    Args:
        months: The months to look at.
        carriers: Carrier codes to judge, such as "UA"; all that flew, if not given.
        on_time_minutes: How late is still on time; the variable `flights_on_time_minutes`, if not given.
        registry_outage: Lets the airline registry fail at the first call, to show a retry.
        output: The SQLite file to write.
    """
    logger = get_run_logger()
    if on_time_minutes is None:
        on_time_minutes = int(await Variable.aget(ON_TIME_VARIABLE, default=15))

    airlines = look_up_airlines.submit(registry_outage)
    extracted: PrefectFutureList[pd.DataFrame] = extract_month.map(months)
    joined = join_weather.map(extracted, unmapped(extract_weather.submit()))
    stored = store_flights(joined, output)
    logger.info("judging the carriers of %s flights", f"{stored:,}")

    sky = measure_weather.submit(output)
    names = airlines.result()
    flown = [carrier for (carrier,) in query(output, "SELECT DISTINCT carrier FROM flights ORDER BY carrier")]
    judged = [carrier for carrier in flown if carriers is None or carrier in carriers]
    if not judged:
        raise ValueError(f"none of {carriers} flew in {months}; these did: {', '.join(flown)}")

    runs = [judge_carrier(carrier, names.get(carrier, carrier), output, on_time_minutes) for carrier in judged]
    table = sorted(await asyncio.gather(*runs), key=lambda line: line.on_time_percent, reverse=True)
    publish_report(table, sky.result(), on_time_minutes)
    for line in table[:3]:
        logger.info("%s: %.1f %% on time, worst on %s", line.airline, line.on_time_percent, line.worst_route)
    return table


if __name__ == "__main__":
    asyncio.run(flights())
