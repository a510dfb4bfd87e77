"""Turns one server's answers into text that two servers can share: ids, times and random names become symbols.

Refuses to hide anything else: numbers keep their JSON type, lists keep their order, and texts stay as they are. How fast the
machine is must not show: a time is told from what was sent, or from when it was first seen, and not from when a step comes
to show it; a moment of the case itself is always `<now>`.
"""

import datetime
import math
import re

UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
TIME_PARTS = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
RANDOM_NAME = re.compile(r"^[a-z]+-[a-z]+(?:-[a-z]+)*$")
PAGE_TOKEN = re.compile(r"page-token=[^&\"\s]+")
CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
NIL = "00000000-0000-0000-0000-000000000000"
# Numbers that measure how long something took on the machine of the day.
DURATIONS = {"estimated_start_time_delta", "total_run_time", "estimated_run_time", "time_in_current_state"}
# Lists that are sets on the server: their order is not promised.
SETS = {"pause_keys", "after", "expect", "for_each"}
# Keys of objects that carry a generated two-word name when the client gave none.
NAMED_BY_SERVER = ("flow_id", "task_key")
DAY = 86_400
# Clocks are read a little before and after.
NEAR = datetime.timedelta(seconds=12)


class Normaliser:
    """Symbols of one case; the numbering follows the first appearance, whatever the order of keys on the wire."""

    def __init__(self, base_url: str, replacements: dict[str, str], hide_checksums: bool):
        self.base_url = base_url
        self.replacements = replacements
        self.hide_checksums = hide_checksums
        self.ids: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.sent_texts: list[str] = []
        self.started = utc_now()
        self.offsets: dict[datetime.datetime, str] = {}

    def sent(self, text: str) -> None:
        self.sent_texts.append(text)
        self.note_times(text, utc_now())

    def note_times(self, text: str, since: datetime.datetime) -> None:
        """Find times that were not seen before: each is relative to some moment since the one given."""
        now = utc_now()
        for found in TIME.findall(text):
            instant = _instant(found)
            if instant is None or instant in self.offsets:
                continue
            if self.started - NEAR <= instant <= now + NEAR:
                self.offsets[instant] = ""
            else:
                self.offsets[instant] = _offset((instant - now).total_seconds(), (instant - since).total_seconds())

    def note_names(self, value) -> None:
        """Find generated names in a whole answer, before a step shows only a part of it."""
        if isinstance(value, dict):
            name = value.get("name")
            if isinstance(name, str) and name not in self.names and self._is_random_name(name, value):
                self.names[name] = f"<name:{len(self.names) + 1}>"
            for item in value.values():
                self.note_names(item)
        elif isinstance(value, list):
            for item in value:
                self.note_names(item)

    def value(self, value):
        """Normalise a parsed JSON value."""
        numbered = self._number_ids(value)
        return self._walk(numbered, key=None)

    def text(self, text: str) -> str:
        return self._string(text)

    def _number_ids(self, value):
        # Ids are numbered over sorted keys, so that two servers that order keys differently agree.
        if isinstance(value, dict):
            for key in sorted(value):
                self._note_ids(key)
                self._number_ids(value[key])
        elif isinstance(value, list):
            for item in value:
                self._number_ids(item)
        elif isinstance(value, str):
            self._note_ids(value)
        return value

    def _note_ids(self, text: str) -> None:
        for found in UUID.findall(text):
            self._id(found)

    def _id(self, found: str) -> str:
        low = found.lower()
        if low == NIL:
            return found
        if low not in self.ids:
            self.ids[low] = f"<id:{len(self.ids) + 1}>"
        return self.ids[low]

    def _walk(self, value, key):
        if isinstance(value, dict):
            return {self._string(k): self._walk(v, k) for k, v in value.items()}
        if isinstance(value, list) and key in SETS:
            return sorted(self._walk(item, None) for item in value)
        if isinstance(value, list):
            return [self._walk(item, None) for item in value]
        if isinstance(value, float) and key in DURATIONS:
            # How late a run is that was due just now is nothing or very little.
            return self._coarse_duration(value or 1e-9 if key == "estimated_start_time_delta" else value)
        if key == "delay_seconds" and isinstance(value, int):
            return f"<about {_roundest(value, value + self._elapsed(), (3600, 60, 30))} seconds>"
        if isinstance(value, str):
            return self._string(value)
        return value

    def _elapsed(self) -> float:
        return (utc_now() - self.started).total_seconds()

    def _coarse_duration(self, value: float):
        if value == 0.0:
            return 0.0
        if abs(value) > DAY:
            return "<seconds, more than a day>"
        if value < 0:
            return f"<seconds -{round(-value / 60) * 60}>"
        # What took place in this case took as long as it took.
        elapsed = self._elapsed()
        return "<seconds>" if value < max(30, elapsed) else f"<seconds ~{_roundest(value - elapsed, value, (3600, 60))}>"

    def _is_random_name(self, value: str, parent: dict) -> bool:
        return (
            any(key in parent for key in NAMED_BY_SERVER)
            and RANDOM_NAME.match(value) is not None
            and not any(value in text for text in self.sent_texts)
        )

    def _string(self, text: str) -> str:
        for real, symbol in self.replacements.items():
            text = text.replace(real, symbol)
        for name, symbol in self.names.items():
            text = text.replace(name, symbol)
        text = text.replace(self.base_url, "<url>")
        text = PAGE_TOKEN.sub("page-token=<token>", text)
        if self.hide_checksums:
            text = CHECKSUM.sub("sha256:<checksum>", text)
        text = UUID.sub(lambda m: self._id(m.group()), text)
        return TIME.sub(lambda m: self._coarse_time(m.group()), text)

    def _coarse_time(self, text: str) -> str:
        """Times within two days of now become relative; fixed times stay literal."""
        instant = _instant(text)
        if instant is None or abs((instant - utc_now()).total_seconds()) > 2 * DAY:
            return text
        self.note_times(text, utc_now())
        _, separator, _, fraction, zone = TIME_PARTS.fullmatch(text).groups()
        # The canonical form is `T…Z` with no or six digits; any other form is shown, because clients see it.
        canonical = separator == "T" and zone == "Z" and len(fraction or "") in (0, 7)
        shape = "" if canonical else f" {separator}{'.' + str(len(fraction) - 1) if fraction else ''}{zone or 'naive'}"
        if separator == " " or zone not in ("Z",):
            shape = f" {separator}{zone or 'naive'}"
        return f"<now{self.offsets[instant]}{shape}>"


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _instant(text: str) -> datetime.datetime | None:
    date, _, clock, fraction, zone = TIME_PARTS.fullmatch(text).groups()
    digits = (fraction or "")[1:7].ljust(6, "0")
    zone_text = "+00:00" if zone in (None, "Z") else zone
    try:
        return datetime.datetime.fromisoformat(f"{date}T{clock}.{digits}{zone_text}")
    except ValueError:
        return None


def _offset(low: float, high: float) -> str:
    rounded = _roundest(low, high, (3600, 60, 15))
    sign = "+" if rounded > 0 else "-"
    seconds = abs(rounded)
    if seconds % 3600 == 0:
        return f"{sign}{seconds // 3600}h"
    if seconds % 60 == 0:
        return f"{sign}{seconds // 60}m"
    return f"{sign}{seconds}s"


def _roundest(low: float, high: float, units: tuple[int, ...]) -> int:
    """The number between `low` and `high` that is a multiple of the first unit that has one there; else the nearest of the last."""
    for unit in units:
        if (found := math.floor(high / unit) * unit) >= low:
            return found
    return round((low + high) / 2 / units[-1]) * units[-1]
