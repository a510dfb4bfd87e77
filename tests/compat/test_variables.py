"""Variables: JSON under a name, shared by all runs of the workspace."""

from __future__ import annotations

import asyncio

import pytest
from prefect import flow
from prefect.variables import Variable


def name_of(unique, prefix):
    return unique(prefix).replace("-", "_")


def test_variable_set_in_a_flow_is_stored_with_its_tags(api, unique):
    name = name_of(unique, "threshold")

    @flow
    def sets():
        Variable.set(name, {"minutes": 15, "strict": True}, tags=["flights"])
        return Variable.get(name)["minutes"]

    assert sets() == 15
    stored = api.get(f"/variables/name/{name}")
    assert stored["value"] == {"minutes": 15, "strict": True}
    assert stored["tags"] == ["flights"]


def test_variable_is_overwritten_only_when_asked(api, unique):
    name = name_of(unique, "once")
    Variable.set(name, "first")

    with pytest.raises(ValueError, match="already exists"):
        Variable.set(name, "second")
    assert api.get(f"/variables/name/{name}")["value"] == "first"

    Variable.set(name, ["second"], overwrite=True)
    assert api.get(f"/variables/name/{name}")["value"] == ["second"]
    assert api.post("/variables/count", {"variables": {"name": {"any_": [name]}}}) == 1


def test_missing_and_removed_variables_give_the_default(api, unique):
    name = name_of(unique, "gone")
    assert Variable.get(name) is None
    Variable.set(name, 1)
    assert Variable.unset(name)
    assert not Variable.unset(name)
    assert Variable.get(name, default="fallback") == "fallback"
    assert api.http.get(f"/variables/name/{name}").status_code == 404


def test_async_flow_reads_and_writes_variables(api, unique):
    name = name_of(unique, "awaited")

    @flow
    async def writes():
        await Variable.aset(name, 3)
        return await Variable.aget(name)

    assert asyncio.run(writes()) == 3
    assert api.get(f"/variables/name/{name}")["value"] == 3
