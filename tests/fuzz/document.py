"""The reference's own description of its interface, as the fuzzer needs it: with what the reference really answers.

It is made by the installed reference at each run; nothing of it is kept here. Each amendment says why the document is not
right as it stands.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# What an answer may be beside what the document declares, with the reason.
UNDECLARED = {
    "400": "a request that no field is to blame for, such as a circle of block references",
    "403": "a protected block type",
    "404": "an id that nothing has; the document declares no absence at all",
    "405": "a method that the path does not have",
    "409": "a name that is taken",
    "410": "a lease that is over",
    "413": "a body that is too large",
    "415": "a media type that the operation does not take",
    "422": "a value that does not fit, also where the document knows no input that could be wrong",
    "423": "a slot that is not free",
    "428": "a switch that has to be on first",
}
# What upstream declares and answers are two things: its handlers of errors write other bodies than its framework documents.
ERROR = {"type": "object"}
# Upstream answers 201 where something new was made and 200 where it was there already; its document names one of the two.
MADE = ("200", "201")
LONG = 300


def amended() -> Json:
    """The document, with paths below the API's address."""
    from prefect.server.api.server import create_app

    document = create_app().openapi()
    document["paths"] = {path.removeprefix("/api"): item for path, item in document["paths"].items()}
    for item in document["paths"].values():
        for operation in item.values():
            _amend(operation)
    _simplify(document)
    return document


def _amend(operation: Json) -> None:
    responses = operation.setdefault("responses", {})
    declared = next((responses[status] for status in MADE if status in responses), None)
    for status in MADE if declared else ():
        responses.setdefault(status, declared)
    if operation["operationId"].startswith("validate_template"):
        # A good template is answered with nothing, which the document takes for a 200.
        responses["204"] = responses["200"]
    for status, reason in UNDECLARED.items():
        responses[status] = {"description": reason, "content": {"application/json": {"schema": ERROR}}}
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "x-prefect-api-version":
            operation["parameters"] = [one for one in operation["parameters"] if one is not parameter]


def _simplify(value: Any) -> None:
    """Lists of all time zones and the like make a generator slow and find nothing: any text stands for them."""
    if isinstance(value, dict):
        for key, kind in (("enum", list), ("pattern", str)):
            if isinstance(value.get(key), kind) and len(value[key]) > LONG:
                value.pop(key)
        for item in value.values():
            _simplify(item)
    elif isinstance(value, list):
        for item in value:
            _simplify(item)
