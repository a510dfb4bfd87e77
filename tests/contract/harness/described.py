"""Compares our description of the interface with the reference's: every difference has to be one that `documents.json` names,
with its reason. Words (summaries, descriptions, titles) are not compared: each document has its own.
"""

import fnmatch
import json
import pathlib
from collections.abc import Iterator

from harness.document import OURS, REFERENCE

ALLOWED = pathlib.Path(__file__).parent.parent / "documents.json"
METHODS = ("get", "put", "post", "delete", "patch")


def unexpected() -> list[str]:
    """The differences that nobody explains, and the explanations that explain nothing."""
    ours, reference = (facts(json.loads(path.read_text())) for path in (OURS, REFERENCE))
    allowed = json.loads(ALLOWED.read_text())
    used: set[str] = set()
    lines = []
    for place, what in differences(reference, ours):
        explaining = [one["at"] for one in allowed if fnmatch.fnmatchcase(f"{place}: {what}", one["at"])]
        used.update(explaining)
        if not explaining:
            lines.append(f"{place}: {what}")
    lines += [f"documents.json: nothing is as told at `{one['at']}`" for one in allowed if one["at"] not in used]
    return lines


def facts(document) -> dict:
    """What a client depends on, under names that do not hang on the order of things."""
    operations = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if operation := item.get(method):
                operations[f"{method.upper()} {path.removeprefix('/api')}"] = _operation(operation)
    return {"operations": operations, "schemas": document["components"]["schemas"]}


def _operation(operation) -> dict:
    parameters = {f"{one['in']} {one['name']}": {"required": one.get("required", False), "schema": one["schema"]} for one in operation.get("parameters", [])}
    body = operation.get("requestBody", {})
    responses = {status: response if "$ref" in response else response.get("content", {}) for status, response in operation["responses"].items()}
    return {"parameters": parameters, "body": {"required": body.get("required", False), "content": body.get("content", {})}, "responses": responses}


def differences(reference, ours, place="") -> Iterator[tuple[str, str]]:
    if isinstance(reference, dict) and isinstance(ours, dict):
        for key in {**reference, **ours}:
            within = f"{place}/{key}" if place else key
            if key not in ours:
                yield within, "missing"
            elif key not in reference:
                yield within, "extra"
            else:
                yield from differences(reference[key], ours[key], within)
    elif reference != ours:
        yield place, f"{json.dumps(ours)[:80]} instead of {json.dumps(reference)[:80]}"
