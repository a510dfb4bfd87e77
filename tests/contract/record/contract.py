"""Writes what the product and the tests know of the reference's interface, as plain facts, from the reference itself.

Run with the Python of an environment that holds the reference. Dropped everywhere: descriptions, titles and examples.

- `crates/api/src/contract.json`: the request side, which checks requests. Paths, methods, path and query parameters, bodies
  and the schemas they name, in the reference's own field order (which is the order of validation errors).
- `crates/api/src/answers.json`: the answering side, for the document that our server gives of itself: what an operation
  answers when all is well, and the statuses of its errors, which are those of the recordings (the reference declares none but 422).
- `tests/contract/document.json`: the whole document, which answers are checked against and our own document is compared with.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness.document import PLAIN, Document  # noqa: E402

DROP = {"description", "title", "examples", "example", "summary", "deprecated", "x-logo"}
# The list of all time zones is the zone database's, not the contract's.
ZONE_ENUM = 300
ROOT = HERE.parents[2]
# What the door answers whatever the operation is, and what is no answer of the contract.
OF_THE_DOOR = re.compile(r"version", re.IGNORECASE)
# Errors of ours where the reference fails with 500.
FAILS_THERE = {
    "POST /block_documents/": 404,
    "POST /flow_runs/{id}/resume": 404,
    "DELETE /work_pools/{work_pool_name}/queues/{name}": 409,
}


def strip(value, is_map=False):
    if isinstance(value, dict):
        return {k: strip(v, k in {"properties", "schemas"}) for k, v in value.items() if is_map or k not in DROP}
    if isinstance(value, list):
        return [strip(item) for item in value]
    return value


def drop_zones(value):
    if isinstance(value, dict):
        if len(str(value.get("pattern", ""))) > ZONE_ENUM or len(value.get("enum", [])) > ZONE_ENUM:
            return {"type": "string", "format": "time-zone"}
        return {k: drop_zones(v) for k, v in value.items()}
    if isinstance(value, list):
        return [drop_zones(item) for item in value]
    return value


def references(value, found):
    if isinstance(value, dict):
        if "$ref" in value:
            found.add(value["$ref"].rsplit("/", 1)[-1])
        for item in value.values():
            references(item, found)
    elif isinstance(value, list):
        for item in value:
            references(item, found)


def closed(needed, schemas):
    """The schemas that these name, and those that they name."""
    done = set()
    while needed - done:
        name = (needed - done).pop()
        done.add(name)
        references(schemas[name], needed)
    return {name: schemas[name] for name in schemas if name in done}


def main():
    from prefect.server.api.server import create_app

    document = drop_zones(strip(create_app().openapi()))
    schemas = document["components"]["schemas"]
    write_document(document)
    asked = write_requests(document, schemas)
    write_answers(document, schemas, asked)


def write_document(document):
    paths = [f"{json.dumps(path)}: {compact(item)}" for path, item in document["paths"].items()]
    schemas = [f"{json.dumps(name)}: {compact(schema)}" for name, schema in document["components"]["schemas"].items()]
    about = compact({"title": "The reference", "version": document["info"]["version"]})
    text = ",\n".join(paths) + '\n}, "components": {"schemas": {\n' + ",\n".join(schemas)
    (HERE.parent / "document.json").write_text(f'{{"openapi": "3.1.0", "info": {about}, "paths": {{\n{text}\n}}}}}}\n')


def write_requests(document, schemas):
    operations = {}
    needed = set()
    for name, operation in operations_of(document):
        entry = {"id": operation["operationId"]}
        parameters = [
            {"in": p["in"], "name": p["name"], "required": p.get("required", False), "schema": p["schema"]}
            for p in operation.get("parameters", [])
            if p["name"] != "x-prefect-api-version"
        ]
        if parameters:
            entry["parameters"] = parameters
        body = operation.get("requestBody")
        if body:
            content = next(iter(body["content"].values()))
            entry["body"] = content["schema"]
            entry["body_required"] = body.get("required", False)
        references(entry, needed)
        operations[name] = entry
    kept = closed(needed, schemas)
    write_table("contract.json", operations, kept)
    return kept


def write_answers(document, schemas, asked):
    seen = recorded(Document(document))
    operations = {}
    needed = set()
    for name, operation in operations_of(document):
        answers = {}
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                content = next(iter(response.get("content", {}).items()), None)
                answers[status] = {"schema": content[1].get("schema", {}), "type": content[0]} if content else None
        if kind := PLAIN.get(operation["operationId"].split("_flow_runs_")[0]):
            answers = {"200": {"schema": {"type": "string"}, "type": kind}}
        good = next(iter(answers.values()))
        for status in sorted(seen.get(name, ())):
            if status < 300:
                answers.setdefault(str(status), None if status == 204 else good)
        errors = sorted(status for status in {*seen.get(name, ()), FAILS_THERE.get(name, 0)} if status >= 400)
        references(answers, needed)
        operations[name] = {"answers": dict(sorted(answers.items())), "errors": errors}
    kept = closed(needed, schemas)
    write_table("answers.json", operations, {name: schema for name, schema in kept.items() if name not in asked})


def recorded(document):
    """The statuses that each operation was seen to answer."""
    seen = {}
    for file in sorted((HERE.parent / "recorded").glob("*.json")):
        for steps in json.loads(file.read_text()).values():
            for step in steps:
                method, _, path = step["request"].partition(" ")
                name = document.operation(method, path.replace("<", "").replace(">", "")) if path.startswith("/") else None
                status = step["status"]
                is_doors = status == 400 and OF_THE_DOOR.search(json.dumps(step.get("body")))
                # An id that is none leads nowhere, which is no answer of the operation.
                is_lost = step.get("body") == {"detail": "Not Found"}
                if name and status < 500 and status not in (307, 405) and not is_doors and not is_lost:
                    seen.setdefault(name, set()).add(status)
    return seen


def operations_of(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path.removeprefix('/api')}", operation


def write_table(name, operations, schemas):
    lines = [f"{json.dumps(key)}: {compact(value)}" for key, value in operations.items()]
    schema_lines = [f"{json.dumps(key)}: {compact(value)}" for key, value in schemas.items()]
    text = '{"operations": {\n' + ",\n".join(lines) + '\n}, "schemas": {\n' + ",\n".join(schema_lines) + "\n}}\n"
    (ROOT / "crates/api/src" / name).write_text(text)
    print(f"{name}: {len(operations)} operations, {len(schemas)} schemas", file=sys.stderr)


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    main()
