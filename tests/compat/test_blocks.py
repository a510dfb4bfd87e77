"""Blocks: typed documents whose secret fields are given only to those who ask for them."""

from __future__ import annotations

from typing import Optional

import pytest
from prefect import flow
from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from pydantic import SecretStr


class CompatDatabase(Block):
    """A connection with a password."""

    _block_type_slug = "compat-database"

    host: str
    port: int = 5432
    password: SecretStr


class CompatWarehouse(Block):
    """A block in a block."""

    _block_type_slug = "compat-warehouse"

    database: CompatDatabase
    folder: Optional[str] = None


def document(api, slug, name, **params):
    return api.get(f"/block_types/slug/{slug}/block_documents/name/{name}", **params)


def test_secret_is_hidden_unless_asked_for(api, unique):
    name = unique("token")
    Secret(value="s3cret-value").save(name)

    hidden = document(api, "secret", name)["data"]["value"]
    assert "s3cret" not in str(hidden) and set(hidden) == {"*"}
    assert document(api, "secret", name, include_secrets=True)["data"]["value"] == "s3cret-value"
    assert Secret.load(name).get() == "s3cret-value"


def test_secret_may_hold_any_json(unique):
    name = unique("credentials")
    Secret(value={"user": "reader", "keys": [1, 2]}).save(name)

    assert Secret.load(name).get() == {"user": "reader", "keys": [1, 2]}


def test_own_block_registers_its_type_and_schema_once(api, unique):
    first, second = unique("one"), unique("two")
    for name in (first, second):
        CompatDatabase(host="db", password="hunter2").save(name)

    stored = [document(api, "compat-database", name) for name in (first, second)]
    assert stored[0]["block_schema"]["id"] == stored[1]["block_schema"]["id"]
    assert stored[0]["block_schema"]["checksum"] == CompatDatabase._calculate_schema_checksum()
    assert stored[0]["data"]["host"] == "db"
    assert "hunter2" not in str(stored)
    assert CompatDatabase.load(first).password.get_secret_value() == "hunter2"


def test_nested_block_is_stored_as_a_reference_and_read_as_a_whole(api, unique):
    inner, outer = unique("inner"), unique("outer")
    database = CompatDatabase(host="inside", password="hunter2")
    database.save(inner)
    CompatWarehouse(database=database, folder="raw").save(outer)

    read = document(api, "compat-warehouse", outer)
    assert read["data"]["database"]["host"] == "inside"
    assert read["block_document_references"]["database"]["block_document"]["name"] == inner

    CompatDatabase(host="moved", password="hunter3").save(inner, overwrite=True)
    loaded = CompatWarehouse.load(outer)
    assert loaded.database.host == "moved"
    assert loaded.database.password.get_secret_value() == "hunter3"


def test_block_is_overwritten_only_when_asked(api, unique):
    name = unique("db")
    CompatDatabase(host="old", password="p").save(name)

    with pytest.raises(ValueError, match="already in use"):
        CompatDatabase(host="new", password="p").save(name)
    assert document(api, "compat-database", name)["data"]["host"] == "old"

    CompatDatabase(host="new", port=1, password="p").save(name, overwrite=True)
    assert CompatDatabase.load(name).port == 1


def test_block_is_loaded_by_slug_and_gone_after_delete(api, unique):
    name = unique("db")
    CompatDatabase(host="h", password="p").save(name)

    assert Block.load(f"compat-database/{name}").host == "h"
    CompatDatabase.delete(name)
    with pytest.raises(ValueError, match="Unable to find block document"):
        CompatDatabase.load(name)
    response = api.http.get(f"/block_types/slug/compat-database/block_documents/name/{name}")
    assert response.status_code == 404


def test_flow_takes_a_block_by_reference(api, unique):
    name = unique("db")
    id = CompatDatabase(host="by-reference", password="p").save(name)

    @flow
    def connects(database: CompatDatabase):
        return database.host

    state = connects({"$ref": {"block_document_id": str(id)}}, return_state=True)

    assert state.result() == "by-reference"
    assert api.flow_run(state.state_details.flow_run_id)["state_type"] == "COMPLETED"
