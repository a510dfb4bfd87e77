"""Records what the reference's schedules answer: kind x start x zone, with the next 50 dates of each.

Run with the Python of an environment that has the reference installed (see `docs/compatibility.md` for the pins):

    python tests/contract/record/schedules.py

Writes `fixtures/schedules.json`. The output is the same on every run: the cases are listed or drawn with a fixed seed and
nothing reads the clock. A case is `{schedule, start, end?, n?, dates}`; `dates` are seconds since 1970, the first one
absolute and the others as distances from the one before. Texts that the reference refuses are under `invalid`, texts
that it takes under `valid`.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import pathlib
import random
import signal

from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.types._datetime import create_datetime_instance

OUT = pathlib.Path(__file__).parent / "fixtures" / "schedules.json"
COUNT = 50
rng = random.Random(3)

# Each zone with instants near its changes of the clock.
ZONES = {
    "UTC": ["2026-01-01T00:00:00Z", "2024-02-28T23:59:30Z"],
    "America/New_York": ["2026-03-07T12:00:00Z", "2026-03-08T06:30:00Z", "2026-10-31T12:00:00Z", "2026-11-01T04:59:59Z"],
    "Europe/Berlin": ["2026-03-28T12:00:00Z", "2026-03-29T00:30:00Z", "2026-10-24T12:00:00Z", "2026-10-24T23:30:00Z"],
    "Australia/Sydney": ["2026-04-04T03:00:00Z", "2026-10-03T03:00:00Z"],
    "Asia/Kolkata": ["2026-05-17T11:11:11Z"],
    # Its summer time began at midnight: the first hour of that day did not exist.
    "America/Sao_Paulo": ["2018-11-03T12:00:00Z", "2018-02-17T12:00:00Z"],
    # Moves its clock by half an hour only.
    "Australia/Lord_Howe": ["2026-04-03T12:00:00Z", "2026-10-03T03:00:00Z"],
}
STARTS = ["2026-01-15T09:17:23Z", "2024-02-27T00:00:00Z", "2025-12-31T23:59:59.500000Z", "2026-07-01T06:00:00Z"]

CRONS = [
    "* * * * *", "*/5 * * * *", "*/7 * * * *", "0 * * * *", "30 * * * *", "15,45 * * * *", "0 */6 * * *", "0 9 * * *",
    "30 1 * * *", "30 2 * * *", "0 0 * * *", "15 0 * * *", "0 3 * * *", "59 23 * * *", "0 9 * * 1-5", "0 9 * * mon-fri",
    "0 9 * * MON,WED,FRI", "0 0 * * 0", "0 0 * * 7", "0 12 1 * *", "0 12 15 * *", "0 0 31 * *", "0 0 29 2 *", "0 0 L * *",
    "0 6 l * *", "0 0 1 1 *", "0 0 1 */3 *", "0 0 1 jan,apr,jul,oct *", "0 0 1 jan-mar *", "0 8-18/2 * * *",
    "5-55/10 * * * *", "10/15 * * * *", "0 0 1,15 * 1", "0 0 13 * 5", "0 0 */2 * 1", "0 9 * * 5#1", "0 9 * * mon#2",
    "0 9 * * 5#5", "0 9 * * L5", "0 17 * * l1", "0 9 * * fri#1,fri#3", "@hourly", "@daily", "@midnight", "@weekly",
    "@monthly", "@yearly", "@annually", "0 0 ? * 1", "0 0 1 * ?", "0 0 * * sat-mon", "0 0 1 nov-feb *", "0 22-2 * * *",
    "0 0 * * 5-7", "0 0 28-31 * *", "0 0 * * 1-5/2", "0 4 8-14 * 2", "*/20 9-17 * * 1-5",
    # A sixth field is the second, a seventh the year.
    "* * * * * */15", "0 9 * * * 30", "*/10 * * * * 0,30", "0 0 * * * 0", "0 12 * * 1 0 2026-2028", "0 0 1 1 * 0 2030",
]
NEAR_CLOCK_CHANGES = [
    "0 * * * *", "30 * * * *", "*/30 * * * *", "*/15 * * * *", "30 1 * * *", "30 2 * * *", "0 2 * * *", "0 3 * * *",
    "0 0 * * *", "15 0 * * *", "45 1,2 * * *", "0 1 * * 0", "0 9 * * *", "30 2 * * * 30", "0 */2 * * *",
]

INTERVALS = [
    60, 90, 900, 3600, 5400, 21600, 43200, 61200, 86400, 90000, 172800, 259200, 604800, 1209600, 86399, 2592000, 0.5, 1.25,
    31536000, 108000,
]
ANCHORS = [
    None, "2020-01-01T00:00:00Z", "2026-03-01T09:00:00-05:00", "2025-06-15T23:30:00+02:00", "2030-01-01T00:00:00Z",
    "2026-03-08T07:30:00Z", "2026-10-25T00:30:00Z", "2019-12-31T18:45:10.250000+05:30",
]

RRULES = [
    "FREQ=DAILY", "FREQ=HOURLY", "FREQ=HOURLY;INTERVAL=6", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=SU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO", "FREQ=MONTHLY", "FREQ=YEARLY",
    "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYMONTHDAY=1,15,-1",
    "FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1", "FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=4",
    "FREQ=YEARLY;BYYEARDAY=1,100,200,-1", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "FREQ=YEARLY;BYDAY=20MO",
    "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;COUNT=10",
    "FREQ=DAILY;INTERVAL=10;COUNT=5", "FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0,30", "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0",
    "FREQ=DAILY;BYMONTH=3,10", "FREQ=MINUTELY;INTERVAL=15;BYHOUR=9,10", "FREQ=DAILY;BYSETPOS=1;BYHOUR=8,12,16",
    "FREQ=DAILY;UNTIL=20260401T000000", "FREQ=DAILY;UNTIL=20260401T000000Z", "FREQ=DAILY;UNTIL=20260320",
    "FREQ=MONTHLY;INTERVAL=3;BYDAY=2TU", "FREQ=WEEKLY;BYHOUR=1,2,3;BYDAY=SU", "FREQ=YEARLY;BYEASTER=0",
    "RRULE:FREQ=DAILY;INTERVAL=3", "DTSTART:20260101T090000\nRRULE:FREQ=DAILY", "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY",
    "DTSTART:20260307T023000\nRRULE:FREQ=DAILY;COUNT=20", "DTSTART:20251101T013000\nFREQ=HOURLY",
    "DTSTART:20240131T120000\nRRULE:FREQ=MONTHLY", "DTSTART:20240229T000000\nRRULE:FREQ=YEARLY",
    "DTSTART:20260101T000000\nRRULE:FREQ=WEEKLY;BYDAY=MO\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1",
    "DTSTART:20260101T080000\nRRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY;BYDAY=SA,SU",
    "DTSTART:20260101T080000\nRRULE:FREQ=DAILY\nEXDATE:20260310T080000,20260311T080000",
    "DTSTART:20260101T080000\nRRULE:FREQ=DAILY;COUNT=100\nEXDATE:20260310T080000Z\nRDATE:20260310T120000Z",
    "DTSTART:20260101T080000\nRDATE:20260401T080000,20260501T080000,20260601T093000",
    "DTSTART:20260101T080000\nRRULE:FREQ=WEEKLY;BYDAY=WE;UNTIL=20260801T000000\nRDATE:20260902T100000",
    "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "FREQ=HOURLY;BYHOUR=0,6,12,18;BYDAY=SA",
    "DTSTART:20260301T000000\nRRULE:FREQ=MINUTELY;INTERVAL=30", "DTSTART:20261031T000000\nRRULE:FREQ=MINUTELY;INTERVAL=30",
    "DTSTART:20260308T060000\nRRULE:FREQ=SECONDLY;INTERVAL=600", "DTSTART;TZID=America/New_York:20260101T090000\nRRULE:FREQ=DAILY",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=2SU;BYHOUR=2;BYMINUTE=30", "FREQ=YEARLY;BYMONTH=11;BYDAY=1SU;BYHOUR=1;BYMINUTE=30",
    "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1", "FREQ=MONTHLY;BYMONTHDAY=-3", "FREQ=MONTHLY;BYMONTHDAY=10,20;BYHOUR=6;COUNT=90",
]



def random_rrules(count: int) -> list[str]:
    """Rules with an interval and one to three BY parts, of all frequencies."""
    draw = random.Random(7)
    out = []
    while len(out) < count:
        frequency = draw.choice(["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
        parts = {
            "BYMONTH": sorted(draw.sample(range(1, 13), draw.choice([1, 3, 6]))),
            "BYMONTHDAY": draw.sample([1, 2, 10, 15, 28, 31, -1, -2, -10], draw.choice([1, 2, 4])),
            "BYDAY": draw.sample(["MO", "TU", "WE", "TH", "FR", "SA", "SU"], draw.choice([1, 2, 5])),
            "BYHOUR": sorted(draw.sample(range(24), draw.choice([1, 2, 4]))),
            "BYMINUTE": sorted(draw.sample(range(60), draw.choice([1, 2, 4]))),
            "BYSECOND": sorted(draw.sample(range(60), draw.choice([1, 2]))),
            "BYYEARDAY": draw.sample([1, 50, 100, 200, 300, 366, -1, -100], 3),
        }
        if frequency in ("MONTHLY", "YEARLY") and draw.random() < 0.4:
            parts["BYDAY"] = draw.sample(["1MO", "2TU", "-1FR", "3SA", "-2SU"], 2)
        if frequency in ("WEEKLY", "MONTHLY"):
            del parts["BYYEARDAY"]
        if frequency == "WEEKLY":
            del parts["BYMONTHDAY"]
        chosen = draw.sample(sorted(parts), draw.choice([1, 2, 2, 3]))
        text = f"FREQ={frequency};INTERVAL={draw.choice([1, 1, 2, 3, 7, 11, 45])}"
        for name in chosen:
            text += f";{name}={','.join(map(str, parts[name]))}"
        if draw.random() < 0.2:
            text += f";BYSETPOS={draw.choice(['1', '-1', '1,-1', '2'])}"
        if draw.random() < 0.2:
            text += f";COUNT={draw.choice([3, 20, 60])}"
        if draw.random() < 0.15:
            text += f";WKST={draw.choice(['SU', 'WE'])}"
        day = draw.choice(["20260114T091723", "20260228T000000", "20251231T235959", "20240229T120000"])
        out.append(f"DTSTART:{day}\nRRULE:{text}")
    return out


CRON_TEXTS = [
    "", " ", "* * * *", "* * * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 * *", "* * * 13 *",
    "* * * * 8", "* * * * 7", "*/0 * * * *", "5-1 * * * *", "a * * * *", "* * * foo *", "@reboot", "@every 5m", "R * * * *",
    "H * * * *", "h h * * *", "* * * * mon#6", "* * * * mon#0", "* * L-3 * *", "* * 15W * *", "* * LW * *", "? * * * *",
    "* * ? * ?", "-1 * * * *", "1,,2 * * * *", "*/a * * * *", "* * * * fri#1,2", "0 0 * * 1#1,3", "0 0 30 2 *", "0 0 31 4 *",
    "0-59/70 * * * *", "0 0 1-31 * *", "*,5 * * * *", "@HOURLY", "  0   9 * *  1 ", "* * * * * 60", "* * * * * * 1969",
    "* * * * * * 2099", "0 0 1 JAN *", "0 0 * * SUN", "0 0 * * Sunday", "1.5 * * * *", "1/2/3 * * * *", "*/ * * * *",
    "0 0 * * L", "0 0 * * 5L", "0 0 l * 5", "0 0 l,15 * *", "0 0 15-l * *", "0 0 * * mon-", "0 0 *-3 * *", "0 0 3-* * *",
    "0 0 * * l7", "0 0 * * l8", "0 0 * * sun#1", "0 0 * * 0#1", "0 0 * * 7#1", "R(1-5) * * * *", "0 0 * * *#2",
]
RRULE_TEXTS = [
    "", "FREQ=DAILY", "FREQ=daily", "freq=DAILY", "FREQ=FORTNIGHTLY", "INTERVAL=2", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=x",
    "FREQ=DAILY;COUNT=3;UNTIL=20300101T000000", "FREQ=DAILY;BYDAY=XX", "FREQ=DAILY;BYHOUR=25", "FREQ=DAILY;BYSETPOS=0",
    "FREQ=DAILY;BYSETPOS=367", "DTSTART:nonsense\nRRULE:FREQ=DAILY", "RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "FREQ=DAILY;FOO=BAR",
    "DTSTART:20260101T000000", "EXDATE:20260101T000000", "hello", "FREQ=DAILY;", "FREQ=MONTHLY;BYMONTHDAY=32",
    "FREQ=MONTHLY;BYMONTH=13", "FREQ=YEARLY;BYWEEKNO=54", "FREQ=DAILY;WKST=XX", "FREQ=DAILY;UNTIL=never",
    "DTSTART:20260101T000000\nDTSTART:20260102T000000\nRRULE:FREQ=DAILY", "RRULE:FREQ=DAILY;BYDAY=1MO", "FREQ=WEEKLY;BYDAY=+1MO",
    "X-FOO:BAR\nRRULE:FREQ=DAILY",
]


def instant(text: str) -> datetime.datetime:
    return create_datetime_instance(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")))


def cases() -> list[tuple[dict, str, str | None, int | None]]:
    """(schedule as JSON, start, end, n)."""
    out: list[tuple[dict, str, str | None, int | None]] = []
    every_start = [(zone, start) for zone, starts in ZONES.items() for start in starts]

    def draw_start() -> tuple[str | None, str]:
        if rng.random() < 0.5:
            return rng.choice(every_start)
        return rng.choice([None, *ZONES]), rng.choice(STARTS)

    for cron in CRONS:
        for _ in range(2):
            zone, start = draw_start()
            out.append(({"cron": cron, "timezone": zone, "day_or": True}, start, None, COUNT))
    for cron in ["0 0 1,15 * 1", "0 0 13 * 5", "0 0 1-7 * mon", "0 0 8-14 * 2", "0 12 L * fri", "0 0 */2 * 1-5", "0 9 1-7 * 1#1"]:
        zone, start = draw_start()
        out.append(({"cron": cron, "timezone": zone, "day_or": False}, start, None, COUNT))
        out.append(({"cron": cron, "timezone": "UTC", "day_or": True}, start, None, COUNT))
    for zone, start in every_start:
        for cron in rng.sample(NEAR_CLOCK_CHANGES, 6):
            out.append(({"cron": cron, "timezone": zone, "day_or": True}, start, None, COUNT))

    for interval in INTERVALS:
        for _ in range(4):
            zone, start = draw_start()
            anchor = rng.choice(ANCHORS) or start
            out.append(({"interval": interval, "anchor_date": anchor, "timezone": zone}, start, None, COUNT))
    for zone, start in every_start:
        for interval in (rng.choice([900, 1800, 3600, 7200]), 86400, rng.choice([172800, 604800, 90000])):
            anchor = rng.choice(ANCHORS) or start
            out.append(({"interval": interval, "anchor_date": anchor, "timezone": zone}, start, None, COUNT))

    for rrule in RRULES:
        for _ in range(2):
            zone, start = draw_start()
            out.append(({"rrule": rrule, "timezone": zone or "UTC"}, start, None, COUNT))
    for zone, start in every_start:
        for rrule in (
            "FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "FREQ=HOURLY", rng.choice(["FREQ=DAILY;BYHOUR=0;BYMINUTE=15", "FREQ=DAILY;BYHOUR=1;BYMINUTE=30"]),
        ):
            # Anchored close by: the reference walks from the anchor to the start on each call.
            anchored = f"DTSTART:{instant(start):%Y}0101T000000\nRRULE:{rrule}"
            out.append(({"rrule": anchored, "timezone": zone}, start, None, COUNT))

    for rrule in random_rrules(150):
        out.append(({"rrule": rrule, "timezone": "UTC"}, "2026-03-01T00:00:00Z", None, 30))

    # An end, with and without a number of dates.
    for schedule in (
        {"cron": "0 */6 * * *", "timezone": "Europe/Berlin", "day_or": True},
        {"interval": 43200, "anchor_date": "2026-01-01T00:00:00Z", "timezone": "America/New_York"},
        {"rrule": "DTSTART:20260101T000000\nRRULE:FREQ=HOURLY;INTERVAL=8", "timezone": "America/New_York"},
    ):
        out.append((schedule, "2026-03-07T00:00:00Z", "2026-03-12T00:00:00Z", None))
        out.append((schedule, "2026-03-07T00:00:00Z", "2026-03-12T00:00:00Z", 5))
        out.append((schedule, "2026-03-07T00:00:00Z", "2026-03-01T00:00:00Z", 5))
        out.append((schedule, "2026-03-07T00:00:00Z", None, None))
    out.append(({"cron": "* * * * *", "timezone": "UTC", "day_or": True}, "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z", None))
    return out


def build(schedule: dict):
    kind = CronSchedule if "cron" in schedule else IntervalSchedule if "interval" in schedule else RRuleSchedule
    return kind.model_validate_json(json.dumps(schedule))


def number(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 6)


def too_long(*_) -> None:
    raise TimeoutError


def record(schedule: dict, start: str, end: str | None, n: int | None) -> dict | None:
    case: dict = {"schedule": schedule, "start": start}
    if end:
        case["end"] = end
    if n != COUNT:
        case["n"] = n
    try:
        built = build(schedule)
        signal.alarm(5)
        dates = asyncio.run(built.get_dates(n=n, start=instant(start), end=instant(end) if end else None))
    except TimeoutError:
        # The reference looks for years, second by second: nothing to learn here.
        return None
    except Exception as error:  # the reference fails on it: what it says is the recorded answer
        case["error"] = f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
        return case
    finally:
        signal.alarm(0)
    seconds = [number(date.timestamp()) for date in dates]
    case["dates"] = [number(now - before) for before, now in zip([0, *seconds], seconds)]
    return case


def checks(key: str, texts: list[str]) -> list[list]:
    """Each text with whether the reference takes it."""
    out = []
    for text in texts:
        try:
            build({key: text})
            out.append([text, True])
        except Exception:
            out.append([text, False])
    return out


def main() -> None:
    signal.signal(signal.SIGALRM, too_long)
    recorded = []
    for schedule, start, end, n in cases():
        case = record(schedule, start, end, n)
        if case is not None and case not in recorded:
            recorded.append(case)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in recorded)
    texts = json.dumps({"cron": checks("cron", CRON_TEXTS), "rrule": checks("rrule", RRULE_TEXTS)}, separators=(",", ":"))
    OUT.write_text(f'{{"cases":[\n{lines}\n],\n"texts":{texts}}}\n')
    failed = sum("error" in case for case in recorded)
    print(f"{len(recorded)} schedules ({failed} that the reference fails on), {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
