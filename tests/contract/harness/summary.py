"""Groups failing steps by operation and first difference, so that one cause shows as one line; judges nothing."""

import collections
import re

SYMBOLS = re.compile(r"<id:\d+>|[0-9a-f]{8}-[0-9a-f-]{27}|-[0-9a-f]{8}\b")
POSITIONS = re.compile(r"\[\d+\]")
SHOWN = 200


class Summary:
    def __init__(self):
        self.groups: collections.Counter[tuple[str, str, str]] = collections.Counter()

    def add(self, noun: str, request: str, lines: list[str]) -> None:
        operation = SYMBOLS.sub("…", request.split("?")[0])
        self.groups[(noun, operation, POSITIONS.sub("[]", SYMBOLS.sub("…", lines[0]))[:SHOWN])] += 1

    def print(self) -> None:
        for (noun, operation, first), count in self.groups.most_common():
            print(f"{count:5} {noun}: {operation}  {first}")
