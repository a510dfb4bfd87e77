"""Turns one server's answers into text that two servers can share: ids, times and random names become symbols.

Refuses to hide anything else: numbers keep their JSON type, lists keep their order, and texts stay as they are.
"""

import datetime
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
SETS = {"pause_keys"}
# Keys of objects that carry a generated two-word name when the client gave none.
NAMED_BY_SERVER = ("flow_id", "task_key")
DAY = 86_400


class Normaliser:
    """Symbols of one case; the numbering follows the first appearance, whatever the order of keys on the wire."""

    def __init__(self, base_url: str, replacements: dict[str, str], hide_checksums: bool):
        self.base_url = base_url
        self.replacements = replacements
        self.hide_checksums = hide_checksums
        self.ids: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.sent_texts: list[str] = []

    def sent(self, text: str) -> None:
        self.sent_texts.append(text)

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

    def value(self, value, now: datetime.datetime):
        """Normalise a parsed JSON value."""
        numbered = self._number_ids(value)
        return self._walk(numbered, now, key=None)

    def text(self, text: str, now: datetime.datetime) -> str:
        return self._string(text, now)

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

    def _walk(self, value, now, key):
        if isinstance(value, dict):
            return {self._string(k, now): self._walk(v, now, k) for k, v in value.items()}
        if isinstance(value, list) and key in SETS:
            return sorted(self._walk(item, now, None) for item in value)
        if isinstance(value, list):
            return [self._walk(item, now, None) for item in value]
        if isinstance(value, float) and key in DURATIONS:
            # How late a run is that was due just now is nothing or very little.
            return _coarse_duration(value or 1e-9) if key == "estimated_start_time_delta" else _coarse_duration(value)
        if key == "delay_seconds" and isinstance(value, int):
            return f"<about {round(value / 30) * 30} seconds>"
        if isinstance(value, str):
            return self._string(value, now)
        return value

    def _is_random_name(self, value: str, parent: dict) -> bool:
        return (
            any(key in parent for key in NAMED_BY_SERVER)
            and RANDOM_NAME.match(value) is not None
            and not any(value in text for text in self.sent_texts)
        )

    def _string(self, text: str, now) -> str:
        for real, symbol in self.replacements.items():
            text = text.replace(real, symbol)
        for name, symbol in self.names.items():
            text = text.replace(name, symbol)
        text = text.replace(self.base_url, "<url>")
        text = PAGE_TOKEN.sub("page-token=<token>", text)
        if self.hide_checksums:
            text = CHECKSUM.sub("sha256:<checksum>", text)
        text = UUID.sub(lambda m: self._id(m.group()), text)
        return TIME.sub(lambda m: _coarse_time(m.group(), now), text)


def _coarse_duration(value: float):
    if value == 0.0:
        return 0.0
    if abs(value) > DAY:
        return "<seconds, more than a day>"
    if value < 0:
        return f"<seconds -{round(-value / 60) * 60}>"
    return "<seconds>" if value < 30 else f"<seconds ~{round(value / 60) * 60}>"


def _coarse_time(text: str, now: datetime.datetime) -> str:
    """Times within two days of now become relative; fixed times stay literal."""
    date, separator, clock, fraction, zone = TIME_PARTS.fullmatch(text).groups()
    digits = (fraction or "")[1:7].ljust(6, "0")
    zone_text = "+00:00" if zone in (None, "Z") else zone
    try:
        instant = datetime.datetime.fromisoformat(f"{date}T{clock}.{digits}{zone_text}")
    except ValueError:
        return text
    offset = (instant - now).total_seconds()
    if abs(offset) > 2 * DAY:
        return text
    # The canonical form is `T…Z` with no or six digits; any other form is shown, because clients see it.
    canonical = separator == "T" and zone == "Z" and len(fraction or "") in (0, 7)
    shape = "" if canonical else f" {separator}{'.' + str(len(fraction) - 1) if fraction else ''}{zone or 'naive'}"
    if separator == " " or zone not in ("Z",):
        shape = f" {separator}{zone or 'naive'}"
    return f"<now{_offset(offset)}{shape}>"


def _offset(seconds: float) -> str:
    if abs(seconds) < 12:
        return ""
    sign = "+" if seconds > 0 else "-"
    rounded = round(abs(seconds) / 15) * 15
    if rounded % 3600 == 0:
        return f"{sign}{rounded // 3600}h"
    if rounded % 60 == 0:
        return f"{sign}{rounded // 60}m"
    return f"{sign}{rounded}s"
