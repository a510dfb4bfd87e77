"""Writes crates/api/src/contract.json: the request side of the reference's interface, as plain facts.

Run with the Python of an environment that holds the reference. Kept: paths, methods, path and query parameters, request
bodies and the schemas they name, in the reference's own field order (which is the order of validation errors).
Dropped: every description, title and example.
"""

import json
import sys
from pathlib import Path

DROP = {"description", "title", "examples", "example", "summary", "deprecated"}
# The list of all time zones is the zone database's, not the contract's.
ZONE_ENUM = 300


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


def main():
    from prefect.server.api.server import create_app

    document = create_app().openapi()
    operations = {}
    needed = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
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
            operations[f"{method.upper()} {path.removeprefix('/api')}"] = drop_zones(strip(entry))
    schemas = document["components"]["schemas"]
    done = set()
    while needed - done:
        name = (needed - done).pop()
        done.add(name)
        references(schemas[name], needed)
    kept = {name: drop_zones(strip(schemas[name])) for name in schemas if name in done}
    target = Path(__file__).resolve().parents[3] / "crates/api/src/contract.json"
    lines = [json.dumps(k) + ": " + json.dumps(v, separators=(",", ":")) for k, v in operations.items()]
    schema_lines = [json.dumps(k) + ": " + json.dumps(v, separators=(",", ":")) for k, v in kept.items()]
    target.write_text(
        '{"operations": {\n' + ",\n".join(lines) + '\n}, "schemas": {\n' + ",\n".join(schema_lines) + "\n}}\n"
    )
    print(f"{len(operations)} operations, {len(kept)} schemas", file=sys.stderr)


if __name__ == "__main__":
    main()
