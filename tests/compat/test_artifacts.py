"""Artifacts: what a run leaves to be looked at, by run and by key."""

from __future__ import annotations

import pytest
from prefect import flow, task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)


def run_id(state):
    return state.state_details.flow_run_id


def test_artifacts_of_every_kind_are_kept_with_their_run(api, unique):
    key = unique("report")

    @flow
    def reports():
        create_markdown_artifact("# Delays", key=f"{key}-markdown", description="in words")
        create_table_artifact([{"carrier": "UA", "late": 3}], key=f"{key}-table")
        create_link_artifact("https://example.org/report", link_text="the report", key=f"{key}-link")
        create_image_artifact("https://example.org/plot.png", key=f"{key}-image")

    state = reports(return_state=True)

    stored = {one["key"].removeprefix(f"{key}-"): one for one in api.artifacts(run_id(state))}
    # The SDK writes a link as a line of Markdown.
    kinds = {name: one["type"] for name, one in stored.items()}
    assert kinds == {"markdown": "markdown", "table": "table", "link": "markdown", "image": "image"}
    assert (stored["markdown"]["data"], stored["markdown"]["description"]) == ("# Delays", "in words")
    assert stored["table"]["data"] == '[{"carrier": "UA", "late": 3}]'
    assert stored["link"]["data"] == "[the report](https://example.org/report)"
    assert stored["image"]["data"] == "https://example.org/plot.png"


def test_artifact_of_a_task_names_the_task_run(api, unique):
    key = unique("from-task")

    @task
    def reports():
        return create_markdown_artifact("by a task", key=key)

    @flow
    def uses():
        return reports()

    state = uses(return_state=True)

    (artifact,) = api.artifacts(run_id(state))
    assert artifact["task_run_id"] == api.task_run(run_id(state))["id"]
    assert artifact["id"] == str(state.result())


def test_latest_artifact_of_a_key_follows_the_runs(api, unique):
    key = unique("daily")

    @flow
    def reports(day: int):
        return create_markdown_artifact(f"day {day}", key=key)

    ids = [str(reports(day)) for day in (1, 2)]

    assert api.get(f"/artifacts/{key}/latest")["data"] == "day 2"
    (latest,) = api.post("/artifacts/latest/filter", {"artifacts": {"key": {"any_": [key]}}})
    assert latest["latest_id"] == ids[1]
    assert api.post("/artifacts/count", {"artifacts": {"key": {"any_": [key]}}}) == 2

    api.delete(f"/artifacts/{ids[1]}")
    assert api.get(f"/artifacts/{key}/latest")["data"] == "day 1"


def test_progress_is_updated_in_place(api, unique):
    key = unique("progress")

    @flow
    def works():
        bar = create_progress_artifact(0.0, key=key)
        for done in (25.0, 100.0):
            update_progress_artifact(bar, progress=done)
        return bar

    bar = works()

    artifact = api.get(f"/artifacts/{bar}")
    assert (artifact["type"], artifact["data"]) == ("progress", 100.0)


def test_bad_keys_are_refused(api):
    with pytest.raises(Exception, match="key|Key"):
        create_markdown_artifact("text", key="Not A Key")

    response = api.http.post("/artifacts/", json={"key": "Not A Key", "type": "markdown", "data": ""})
    assert response.status_code == 422
