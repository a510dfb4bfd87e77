"""Compares a replayed step with its recording and words the difference; allowed differences come from differences.json."""

import fnmatch
import json
import pathlib
import re

ALLOWED = pathlib.Path(__file__).parent.parent / "differences.json"
MISSING = "<absent>"
SYMBOL = re.compile(r"<(?:id|name):\d+>")


class Differences:
    """Allowed differences: general `rules` with a reason, and `entries` keyed by case, step and JSON path patterns.

    Of a 422 the message and each error's type, place and text are compared; `exact` compares the rest of it, too.
    """

    def __init__(self, exact: bool = False):
        self.exact = exact
        loaded = json.loads(ALLOWED.read_text())
        self.rules = loaded["rules"]
        self.entries = loaded["entries"]

    def allows(self, case: str, step: int, path: str) -> bool:
        return any(
            fnmatch.fnmatch(case, entry["case"])
            and str(entry.get("step", "*")) in ("*", str(step))
            and fnmatch.fnmatchcase(path, entry.get("path", "*"))
            for entry in self.entries
        )

    def rule(self, name: str) -> bool:
        return name in self.rules


class Aliases:
    """Which symbol of the recording is which of the replay, in one case; so that one missing id shifts nothing else."""

    def __init__(self):
        self.old_to_new: dict[str, str] = {}
        self.new_to_old: dict[str, str] = {}

    def same(self, old: str, new: str) -> bool:
        if SYMBOL.sub("", old) != SYMBOL.sub("", new):
            return False
        pairs = list(zip(SYMBOL.findall(old), SYMBOL.findall(new), strict=False))
        if any(self.old_to_new.get(left, right) != right or self.new_to_old.get(right, left) != left for left, right in pairs):
            return False
        self.old_to_new.update(pairs)
        self.new_to_old.update((right, left) for left, right in pairs)
        return True


def compare(case: str, index: int, recorded: dict, seen: dict, allowed: Differences, aliases: Aliases) -> list[str]:
    """The lines that tell how `seen` differs from `recorded`; empty when it does not."""
    if recorded["status"] >= 500 and seen["status"] < 500 and allowed.rule("reference_fails"):
        return []
    if allowed.rule("unknown_fields_ignored") and _only_unknown_fields(recorded):
        if seen["status"] < 500:
            return []
    if not allowed.exact:
        recorded, seen = _essential(recorded), _essential(seen)
    if allowed.rule("unknown_fields_ignored"):
        recorded = _without_unknown_fields(recorded)
        seen = _without_unknown_fields(seen)
    found = list(_walk(_answer(recorded), _answer(seen), "$", aliases))
    return [line for path, line in found if not allowed.allows(case, index, path)]


def _answer(step: dict) -> dict:
    return {key: value for key, value in step.items() if key != "request"}


def _details(step: dict):
    body = step.get("body")
    if step["status"] == 422 and isinstance(body, dict) and isinstance(body.get("exception_detail"), list):
        return body["exception_detail"]
    return None


def _essential(step: dict) -> dict:
    details = _details(step)
    if details is None:
        return step
    errors = [{key: error.get(key) for key in ("type", "loc", "msg")} for error in details if isinstance(error, dict)]
    return {**step, "body": {"exception_message": step["body"].get("exception_message"), "exception_detail": errors}}


def _is_unknown(error) -> bool:
    kind = error.get("type") if isinstance(error, dict) else error[0]
    return kind == "extra_forbidden"


def _shown(step: dict):
    """The errors of a 422 as the matrix shows them: type, place and text."""
    body = step.get("body")
    if step["status"] == 422 and isinstance(body, list) and all(isinstance(e, list) and len(e) == 3 for e in body):
        return body
    return None


def _only_unknown_fields(step: dict) -> bool:
    details = _details(step) or _shown(step)
    return bool(details) and all(_is_unknown(error) for error in details)


def _without_unknown_fields(step: dict) -> dict:
    if shown := _shown(step):
        return {**step, "body": [error for error in shown if not _is_unknown(error)]}
    details = _details(step)
    if not details:
        return step
    return {**step, "body": {**step["body"], "exception_detail": [e for e in details if not _is_unknown(e)]}}


def _walk(old, new, path, aliases):
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from _walk(old.get(key, MISSING), new.get(key, MISSING), f"{path}.{key}", aliases)
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield path, f"{path}: {len(old)} items expected, {len(new)} seen: {_short(old)} != {_short(new)}"
            return
        for position, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _walk(left, right, f"{path}[{position}]", aliases)
    elif isinstance(old, str) and isinstance(new, str):
        if not aliases.same(old, new):
            yield path, f"{path}: {_short(old)} expected, {_short(new)} seen"
    elif type(old) is not type(new) or old != new:
        yield path, f"{path}: {_short(old)} expected, {_short(new)} seen"


def _short(value) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "…"
