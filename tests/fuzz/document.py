"""Our own description of the interface (`docs/openapi.json`), as the fuzzer needs it. The contract suite proves the same
document with good requests; each amendment here says why the document is not what a fuzzer wants.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

Json = dict[str, Any]

OURS = pathlib.Path(__file__).parents[2] / "docs/openapi.json"
# What an answer to an unreasonable request may be beside what the operation declares, with the reason.
UNDECLARED = {
    "404": "an id that is none leads nowhere, and a path may be one of no operation",
    "405": "a method that the path does not have",
    "422": "a header that does not fit, and a template that makes no event",
}


def amended() -> Json:
    """The document, with paths below the API's address."""
    document = json.loads(OURS.read_text())
    document["paths"] = {path.removeprefix("/api"): item for path, item in document["paths"].items()}
    # Who asks to wait waits, for up to a minute.
    document["components"]["schemas"]["ClaimRequest"]["properties"]["wait_seconds"] |= {"minimum": 0, "maximum": 1}
    problem = {"$ref": "#/components/schemas/Problem"}
    for item in document["paths"].values():
        for operation in item.values():
            for status, reason in UNDECLARED.items():
                operation["responses"].setdefault(status, {"description": reason, "content": {"application/json": {"schema": problem}}})
    return document
