"""Results: the data stays in storage that the client chooses; the server keeps the reference to it, and gives it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prefect import flow, get_client, task
from prefect.exceptions import MissingResult
from prefect.filesystems import LocalFileSystem


def run_id(state):
    return state.state_details.flow_run_id


def read_state(id):
    with get_client(sync_client=True) as client:
        return client.read_flow_run(id).state


def test_persisted_flow_result_is_read_from_the_recorded_state(api):
    @flow(persist_result=True)
    def answers():
        return {"answer": 42}

    state = answers(return_state=True)

    data = api.flow_run(run_id(state))["state"]["data"]
    assert data["serializer"]["type"] == "pickle"
    assert Path(data["storage_key"]).is_file()
    assert read_state(run_id(state)).result() == {"answer": 42}


def test_result_reference_is_listed_as_an_artifact(api):
    @flow(persist_result=True)
    def answers():
        return 42

    state = answers(return_state=True)

    (artifact,) = api.artifacts(run_id(state))
    assert artifact["key"] is None
    assert artifact["data"]["storage_key"] == api.flow_run(run_id(state))["state"]["data"]["storage_key"]


def test_result_that_was_not_kept_is_missing_elsewhere(api):
    @flow(persist_result=False)
    def forgets():
        return 42

    state = forgets(return_state=True)

    assert state.result() == 42
    assert api.flow_run(run_id(state))["state"]["data"] is None
    with pytest.raises(MissingResult):
        read_state(run_id(state)).result()


def test_json_results_are_readable_files(api, tmp_path):
    @task(result_serializer="json", result_storage_key="{flow_run.flow_name}-{parameters[carrier]}.json", persist_result=True)
    def summary(carrier: str):
        return {"carrier": carrier, "flights": 3}

    @flow(result_storage=tmp_path)
    def summaries():
        return summary("UA")["flights"]

    state = summaries(return_state=True)

    (file,) = (path for path in tmp_path.rglob("*.json"))
    assert file.name == "summaries-UA.json"
    assert json.loads(json.loads(file.read_text())["result"]) == {"carrier": "UA", "flights": 3}
    assert api.task_run(run_id(state))["state"]["data"]["serializer"]["type"] == "json"


def test_results_go_to_the_storage_block_that_was_named(api, tmp_path, unique):
    name = unique("shelf")
    LocalFileSystem(basepath=str(tmp_path)).save(name)

    @flow(result_storage=f"local-file-system/{name}", persist_result=True)
    def shelved():
        return [1, 2, 3]

    state = shelved(return_state=True)

    data = api.flow_run(run_id(state))["state"]["data"]
    document = api.get(f"/block_types/slug/local-file-system/block_documents/name/{name}")
    assert data["storage_block_id"] == document["id"]
    assert (tmp_path / data["storage_key"]).is_file()
    assert read_state(run_id(state)).result() == [1, 2, 3]


def test_exception_of_a_failed_flow_is_raised_to_whoever_reads_it(api):
    @flow(persist_result=True)
    def breaks():
        raise LookupError("no such carrier")

    state = breaks(return_state=True)

    stored = read_state(run_id(state))
    assert stored.is_failed()
    with pytest.raises(LookupError, match="no such carrier"):
        stored.result()
