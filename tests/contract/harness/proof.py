"""What a replay proves of a document: that each answer is one that the document declares, and that each operation was seen to
answer well and to answer each of its errors. Knows no server and no recording.
"""

import collections
import threading

from harness.document import Document

# Errors that the reference's document declares or that a path with an id suggests, and that no request can bring about.
NEVER = {
    ("GET /block_schemas/checksum/{checksum}", 422): "any text is a version",
    ("DELETE /automations/owned-by/{resource_id}", 404): "where nothing is owned, nothing is left to delete",
    ("GET /automations/related-to/{resource_id}", 404): "to what is not there nothing is related",
    ("POST /deployments/{id}/schedule", 404): "a deployment that is not there has nothing to schedule, and is told so with 200",
    ("POST /events/count-by/{countable}", 404): "what cannot be counted by is a wrong value, 422",
    ("POST /flow_runs/{id}/input/filter", 404): "a run that is not there has no inputs",
    ("POST /v2/concurrency_limits/leases/{lease_id}/renew", 404): "a lease that is not there is over, 410",
}


class Proof:
    def __init__(self, document: Document, only_declared: bool = False):
        """`only_declared`: the document says itself which errors there are; of the reference's they are worked out."""
        self.document = document
        self.seen: dict[str, set[int]] = collections.defaultdict(set)
        self.wrong: dict[str, list[str]] = {}
        self._only_declared = only_declared
        self._lock = threading.Lock()

    def see(self, method: str, path: str, status: int, media_type: str, body, is_empty: bool) -> None:
        name = self.document.operation(method, path)
        if name is None or status in (307, 405) or status >= 500:
            return
        if status == 404 and body == {"detail": "Not Found"}:
            # No route took it: an id that is no id, or a name with a slash in it.
            return
        problems = self.document.problems(name, status, media_type, body, is_empty)
        with self._lock:
            if problems:
                self.wrong.setdefault(f"{method} {path[:200]} ({name})", problems)
            else:
                self.seen[name].add(status)

    def wanted(self) -> list[tuple[str, set[int]]]:
        """What has to be seen: of each operation one of its successes, and each error."""
        rows = []
        for name, operation in self.document.operations.items():
            declared = {int(status) for status in operation["responses"]}
            rows.append((name, {status for status in declared if status < 400}))
            rows.extend((name, {status}) for status in self._errors(name, operation, declared))
        return rows

    def _errors(self, name, operation, declared) -> list[int]:
        if self._only_declared:
            return sorted(status for status in declared if status >= 400 and not self.document.is_shared(name, status))
        errors = [404] if "{" in name else []
        if 422 in declared and _takes_values(operation):
            errors.append(422)
        return [status for status in errors if (name, status) not in NEVER]

    def missing(self) -> list[str]:
        return [f"{name} was not seen to answer {' or '.join(map(str, sorted(any_of)))}" for name, any_of in self.wanted() if not any_of & self.seen[name]]

    def mistaken(self) -> list[str]:
        """Errors that cannot come about and did."""
        return [f"{name} answered {status}, which was said to be impossible" for name, status in NEVER if status in self.seen[name]]


def _takes_values(operation) -> bool:
    """Whether anything in a request could be wrong: any text is good in a path, where an id that is none leads nowhere."""
    return "requestBody" in operation or any(one["in"] == "query" for one in operation.get("parameters", []))
