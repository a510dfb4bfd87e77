"""Our command line where it leads to the unmodified SDK: block types and background tasks of the user's own Python."""

from __future__ import annotations

import json
import sys
import uuid

import pytest
from support.processes import run, tidegate
from support.waiting import wait_until

pytestmark = pytest.mark.own_worker

BLOCKS = '''
from prefect.blocks.core import Block
from pydantic import SecretStr


class {name}(Block):
    """A door with a key."""

    where: str
    key: SecretStr
'''

TASKS = '''
from pathlib import Path

from prefect import task


@task
def {name}(file):
    Path(file).write_text("done in the background")


if __name__ == "__main__":
    import sys

    {name}.delay(sys.argv[1])
'''


def test_block_types_of_a_file_are_registered_and_a_block_of_them_is_loaded(api, tmp_path):
    name = f"Door{uuid.uuid4().hex[:8]}"
    file = tmp_path / "doors.py"
    file.write_text(BLOCKS.format(name=name))

    done = tidegate("block", "register", "--file", str(file), "--python", sys.executable, "-o", "json")
    (registered,) = json.loads(done.stdout)
    assert registered["name"] == name
    tidegate("block", "create", registered["slug"], "--name", "front", "--field", "where=street", "--field", "key=under the mat")

    script = f"{BLOCKS.format(name=name)}\ndoor = {name}.load('front')\nprint(door.where, door.key.get_secret_value())"
    loaded = run([sys.executable, "-c", script], check=True)
    assert loaded.stdout.splitlines()[-1] == "street under the mat"


def test_background_tasks_are_served_from_the_command_line(processes, tmp_path):
    name = f"background_{uuid.uuid4().hex[:8]}"
    file, written = tmp_path / f"{name}.py", tmp_path / "written"
    file.write_text(TASKS.format(name=name))

    server = processes.tidegate("task", "serve", f"{file}:{name}", "--python", sys.executable)
    submitted = processes.python(str(file), str(written))

    assert submitted.process.wait(120) == 0, submitted.output
    wait_until(lambda: written.exists() and written.read_text() == "done in the background", what="the task ran")
    assert server.process.poll() is None, server.output


def test_a_short_template_for_kubernetes_becomes_a_whole_one_and_its_job_is_shown(api, tmp_path, unique):
    name, file = unique("short"), tmp_path / "short.json"
    short = {
        "namespace": "flows",
        "serviceAccountName": "runner",
        "imagePullSecrets": ["harbor"],
        "image": "registry.example/flows:1",
        "env": [{"name": "PLAIN", "value": "1"}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}},
    }
    file.write_text(json.dumps({"job_configuration": short}))
    done = tidegate("work-pool", "create", name, "--type", "kubernetes", "--base-job-template", str(file))
    assert "short form" in done.stderr and "`imagePullSecrets`" in done.stderr
    flow = api.post("/flows/", {"name": unique("flow")})
    variables = {"env": {"MORE": "2"}, "memory_limit": "2Gi"}
    deployment = api.post("/deployments/", {"name": "d", "flow_id": flow["id"], "work_pool_name": name, "job_variables": variables})

    job = json.loads(tidegate("work-pool", "preview", name, "--deployment", deployment["id"]).stdout)
    assert job["metadata"]["namespace"] == "flows"
    pod = job["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["imagePullSecrets"]) == ("runner", [{"name": "harbor"}])
    [container] = pod["containers"]
    assert container["image"] == "registry.example/flows:1"
    assert container["resources"] == {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}
    environment = {entry["name"]: entry.get("value") or entry["valueFrom"] for entry in container["env"]}
    assert (environment["PLAIN"], environment["MORE"], environment["SECRET"]["secretKeyRef"]["key"]) == ("1", "2", "k")

    file.write_text(json.dumps({"job_configuration": {**short, "replicas": 2}}))
    refused = tidegate("work-pool", "update", name, "--base-job-template", str(file), check=False)
    assert refused.returncode != 0 and "`replicas`" in refused.stderr
