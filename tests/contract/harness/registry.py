"""Collects the cases of `cases/*.py` by noun; a case is a function that takes a Session."""

import importlib
import pathlib
from collections.abc import Callable

CASES = pathlib.Path(__file__).parent.parent / "cases"
Case = Callable[["object"], None]
_registered: dict[str, dict[str, Case]] = {}


def case(function: Case) -> Case:
    """Register a case under the noun of its file."""
    return named(function.__module__.rsplit(".", 1)[-1], function.__name__)(function)


def named(noun: str, name: str):
    """Register a case under a given noun and name (for cases made from tables)."""

    def register(function: Case) -> Case:
        group = _registered.setdefault(noun, {})
        if name in group:
            raise ValueError(f"two cases are called {noun}/{name}")
        group[name] = function
        return function

    return register


def load() -> dict[str, dict[str, Case]]:
    for path in sorted(CASES.glob("*.py")):
        if path.stem != "__init__":
            importlib.import_module(f"cases.{path.stem}")
    return dict(sorted(_registered.items()))
