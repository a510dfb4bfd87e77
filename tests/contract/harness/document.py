"""A description of an interface (OpenAPI): which operation a request is for, and whether an answer is what it declares.

Of the reference's own description it knows where that is not right, each with the reason; our own needs no such help.
"""

import datetime
import json
import pathlib
import uuid
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

Json = dict[str, Any]
JSON = "application/json"

REFERENCE = pathlib.Path(__file__).parent.parent / "document.json"
OURS = pathlib.Path(__file__).parents[3] / "docs/openapi.json"
# What an answer of the reference may be beside what its document declares, with the reason.
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
# Upstream declares its framework's errors, and its own handlers write other bodies: one of these.
PROBLEM = {
    "type": "object",
    "anyOf": [
        {"required": ["detail"]},
        {
            "required": ["exception_message"],
            "properties": {
                "exception_message": {"type": "string"},
                "exception_detail": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["type", "loc", "msg"],
                        "properties": {
                            "type": {"type": "string"},
                            "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                            "msg": {"type": "string"},
                        },
                    },
                },
            },
        },
        {"required": ["error"], "properties": {"error": {"type": "object", "required": ["line", "message", "source"]}}},
    ],
}
# Upstream answers 201 where something new was made and 200 where it was there already; its document names one of the two.
MADE = ("200", "201")
# What the reference's document takes for JSON and is not.
PLAIN = {"download_logs": "text/csv", "read_flow_run_input": "text/plain"}
URI = "urn:document"
FORMATS = FormatChecker(formats=())


@FORMATS.checks("uuid", raises=ValueError)
def _is_uuid(value: Any) -> bool:
    return not isinstance(value, str) or str(uuid.UUID(value)) == value


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: Any) -> bool:
    """With an offset: a time without one means nothing to a client elsewhere."""
    return not isinstance(value, str) or datetime.datetime.fromisoformat(value).tzinfo is not None


def reference() -> "Document":
    """The reference's document, amended."""
    return Document(amended(json.loads(REFERENCE.read_text())))


def ours() -> "Document":
    return Document(json.loads(OURS.read_text()))


def amended(document: Json) -> Json:
    """The reference's document, with what it really answers."""
    for item in document["paths"].values():
        for operation in item.values():
            responses = operation.setdefault("responses", {})
            declared = next((responses[status] for status in MADE if status in responses), None)
            for status in MADE if declared else ():
                responses.setdefault(status, declared)
            if operation["operationId"].startswith("validate_template"):
                # A good template is answered with nothing, which the document takes for a 200.
                responses["204"] = {}
            if kind := PLAIN.get(operation["operationId"].split("_flow_runs_")[0]):
                responses["200"] = {"content": {kind: {"schema": {"type": "string"}}}}
            for status, reason in UNDECLARED.items():
                responses[status] = {"description": reason, "content": {JSON: {"schema": PROBLEM}}}
    return document


class Document:
    def __init__(self, document: Json):
        self.operations: dict[str, Json] = {}
        self._by_length: dict[tuple[str, int], list[list[str]]] = {}
        for path, item in document["paths"].items():
            below = path.removeprefix("/api")
            for method, operation in item.items():
                name = f"{method.upper()} {below}"
                self.operations[name] = operation
                parts = below.split("/")
                self._by_length.setdefault((method.upper(), len(parts)), []).append(parts)
        self._registry = Registry().with_resource(URI, Resource.from_contents({"$schema": "https://json-schema.org/draft/2020-12/schema", **document}))
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}
        self._shared = document.get("components", {}).get("responses", {})

    def operation(self, method: str, path: str) -> str | None:
        """The operation that a request is for; of several templates that fit, the one with the most words of its own."""
        parts = path.split("?")[0].split("/")
        fitting = [
            template
            for template in self._by_length.get((method, len(parts)), [])
            if all(part == wanted or (wanted.startswith("{") and part) for part, wanted in zip(parts, template, strict=True))
        ]
        if not fitting:
            return None
        best = max(fitting, key=lambda template: sum(not part.startswith("{") for part in template))
        return f"{method} {'/'.join(best)}"

    def response(self, name: str, status: int) -> Json | None:
        """What the operation declares of a status."""
        found = self.operations[name]["responses"].get(str(status))
        if found and "$ref" in found:
            return self._shared[found["$ref"].rsplit("/", 1)[-1]]
        return found

    def is_shared(self, name: str, status: int) -> bool:
        """Whether the status is what the door answers, whatever the operation."""
        return "$ref" in self.operations[name]["responses"][str(status)]

    def problems(self, name: str, status: int, media_type: str, body: Any, is_empty: bool) -> list[str]:
        """Why an answer is not one that the operation declares; nothing when it is."""
        response = self.response(name, status)
        if response is None:
            return [f"{status} is not declared"]
        content = response.get("content", {})
        if is_empty:
            # A schema that says nothing is upstream's word for no body; a text may be empty.
            silent = not content.get(JSON, {}).get("schema")
            return [] if silent else [f"{status} without a body"]
        if media_type not in content:
            return [f"{status} as {media_type or 'no type'}, not {' or '.join(content) or 'an empty answer'}"]
        if media_type != JSON:
            return []
        validator = self._validator(name, str(status), content[media_type].get("schema", {}))
        errors = sorted(validator.iter_errors(body), key=lambda error: len(error.absolute_path), reverse=True)
        return [f"{error.json_path}: {error.message[:200]}" for error in errors[:3]]

    def _validator(self, name: str, status: str, schema: Json) -> Draft202012Validator:
        key = (name, status)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator(_located(schema), registry=self._registry, format_checker=FORMATS)
        return self._validators[key]


def _located(value: Any) -> Any:
    """References of the document, as they are called from outside of it."""
    if isinstance(value, dict):
        return {key: f"{URI}{item}" if key == "$ref" and isinstance(item, str) and item.startswith("#") else _located(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_located(item) for item in value]
    return value
