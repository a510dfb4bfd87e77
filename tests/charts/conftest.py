"""Renders charts for tests. No cluster is needed: `test_cluster.py` asks one, where there is one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "charts"))
import render  # noqa: E402


class Objects:
    """What a chart renders to, by kind and name."""

    def __init__(self, text: str) -> None:
        self.all = [document for document in yaml.safe_load_all(text) if document]

    def of(self, kind: str) -> list[dict]:
        return [found for found in self.all if found["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> dict:
        found = [candidate for candidate in self.of(kind) if name in (None, candidate["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}: {[each['metadata']['name'] for each in self.of(kind)]}"
        return found[0]

    def pod(self, deployment: str | None = None) -> dict:
        return self.one("Deployment", deployment)["spec"]["template"]["spec"]

    def container(self, deployment: str | None = None) -> dict:
        return self.pod(deployment)["containers"][0]

    def environment(self, deployment: str | None = None) -> dict[str, object]:
        """Variables by name: their text, or where it comes from."""
        return {each["name"]: each.get("value", each.get("valueFrom")) for each in self.container(deployment).get("env", [])}


class Chart:
    def __init__(self, name: str, needed: dict[str, object]) -> None:
        self.name = name
        self.needed = needed

    def run(self, values: dict[str, object], *arguments: str, needed: bool = True):
        """Values by dotted path, as people write them after `--set-json`."""
        given = {**(self.needed if needed else {}), **values}
        sets = [word for path, value in given.items() for word in ("--set-json", f"{path}={json.dumps(value)}")]
        return render.template(self.name, *sets, *arguments)

    def __call__(self, values: dict[str, object] | None = None, *arguments: str) -> Objects:
        done = self.run(values or {}, *arguments)
        assert done.returncode == 0, done.stderr
        return Objects(done.stdout)

    def refusal(self, values: dict[str, object], *, needed: bool = True) -> str:
        done = self.run(values, needed=needed)
        assert done.returncode, "it was rendered"
        return done.stderr


@pytest.fixture(scope="session")
def worker() -> Callable[..., Objects]:
    return Chart("tidegate-worker", {"worker.config.workPool": "k8s", "worker.selfHostedServerApiConfig.apiUrl": "http://tidegate/api"})


@pytest.fixture(scope="session")
def server() -> Callable[..., Objects]:
    return Chart("tidegate-server", {})
