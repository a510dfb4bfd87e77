"""Schemas for kubeconform, made of what the box's own API server says of itself (kubeconform's default is a download)."""

import json
from pathlib import Path

INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
FREE = {INT_OR_STRING: {"type": ["string", "integer"]}, QUANTITY: {"type": ["string", "number"]}}


def write(openapi: dict, folder: Path) -> int:
    """One file for each kind and version, beside one with all definitions. Unknown fields are errors."""
    folder.mkdir(parents=True, exist_ok=True)
    definitions = {name: FREE.get(name) or closed(body) for name, body in openapi["definitions"].items()}
    for body in definitions.values():
        for field in (body.get("properties") or {}).values():
            # An absent map or list is null in YAML.
            if isinstance(field.get("type"), str):
                field["type"] = [field["type"], "null"]
    (folder / "_definitions.json").write_text(json.dumps({"definitions": definitions}))
    written = 0
    for name, body in openapi["definitions"].items():
        if name.startswith("io.k8s.apimachinery"):
            continue
        for kind in body.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            schema = json.loads(json.dumps(definitions[name]))
            fields = schema.get("properties", {})
            if {"apiVersion", "kind"} <= fields.keys():
                fields["apiVersion"] = {"enum": ["/".join(filter(None, (kind["group"], kind["version"])))]}
                fields["kind"] = {"enum": [kind["kind"]]}
            file = "-".join(filter(None, (kind["kind"], group, kind["version"]))).lower()
            (folder / f"{file}.json").write_text(json.dumps(schema))
            written += 1
    return written


def closed(body: object) -> object:
    """Objects with named fields take no others; references lead to the one file."""
    if isinstance(body, list):
        return [closed(each) for each in body]
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("$ref"), str):
        return {"$ref": "_definitions.json#/definitions/" + body["$ref"].rsplit("/", 1)[1]}
    left_out = {key for key in ("description", "default") if not isinstance(body.get(key), dict) or key == "default"}
    copy = {key: closed(value) for key, value in body.items() if key not in left_out}
    if "properties" in copy:
        copy.setdefault("additionalProperties", False)
    return copy
