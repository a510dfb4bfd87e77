"""`prefect automation …` against the server: from a file, from JSON, paused, resumed, changed and deleted."""

from __future__ import annotations

import json

import yaml
from support.commands import prefect, refuses

ABSENT = "0e5be0a6-3a07-4f0c-9d3c-5f2a7a1f1c11"


def _automation(name: str) -> dict:
    return {
        "name": name,
        "description": "made on the command line",
        "trigger": {"type": "event", "posture": "Reactive", "expect": [f"{name}.happened"], "threshold": 1, "within": 0},
        "actions": [{"type": "do-nothing"}],
    }


def _named(api, name: str) -> list[dict]:
    return api.post("/automations/filter", {"automations": {"name": {"any_": [name]}}})


def test_automations_are_made_from_json_and_files(api, tmp_path, unique):
    first, second, third = unique("tour"), unique("tour"), unique("tour")
    prefect("automation", "create", "--from-json", json.dumps(_automation(first))).says(f"Created automation '{first}'")
    (tmp_path / "two.yaml").write_text(yaml.safe_dump({"automations": [_automation(second), _automation(third)]}))
    prefect("automation", "create", "--from-file", str(tmp_path / "two.yaml")).says("Created 2 automation")
    for name in (first, second, third):
        assert len(_named(api, name)) == 1
    refuses("automation", "create").says("Please provide")
    refuses("automation", "create", "--from-json", "{").says("Invalid JSON")
    refuses("automation", "create", "--from-file", str(tmp_path / "absent.yaml")).says("File not found")
    refuses("automation", "create", "--from-json", json.dumps({"name": first}))


def test_automations_are_looked_at_paused_changed_and_deleted(api, unique):
    name = unique("tour")
    prefect("automation", "create", "--from-json", json.dumps(_automation(name)))
    (made,) = _named(api, name)
    id = made["id"]
    prefect("automation", "ls").says(name)
    prefect("automation", "inspect", name).says(name)
    prefect("automation", "inspect", "--id", id, "--yaml").says("made on the command line")
    prefect("automation", "inspect", name, "--output", "json").says(id)
    prefect("automation", "pause", name).says("Paused automation")
    assert _named(api, name)[0]["enabled"] is False
    prefect("automation", "resume", "--id", id).says("Resumed automation")
    assert _named(api, name)[0]["enabled"] is True
    prefect("automation", "update", "--id", id, "--from-json", json.dumps({**_automation(name), "description": "changed"}))
    assert _named(api, name)[0]["description"] == "changed"
    prefect("automation", "delete", name).says("Deleted automation")
    assert _named(api, name) == []
    for command in (("inspect", name), ("pause", name), ("resume", name), ("delete", name)):
        refuses("automation", *command).says("not found")
    refuses("automation", "inspect", "--id", ABSENT).says("not found")
    refuses("automation", "inspect").says("Please provide")
