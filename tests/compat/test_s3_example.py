"""`examples/s3-event`, from its own set-up to runs that our worker has done: a notification of S3 starts a deployment."""

from __future__ import annotations

import datetime
import subprocess
import uuid
from pathlib import Path

import httpx
import pytest
from support.pools import wait_for_worker
from support.processes import SDK_BIN, tidegate
from support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.own_worker

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/s3-event"
SECRET = ("s3", "of this scenario")


def payload(name):
    """A recorded notification; events of long ago start nothing, so it is of now."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    text = (EXAMPLE / "payloads" / name).read_text()
    return text.replace("2026-01-12T06:30:00Z", now).replace("2026-01-12T06:45:00.123Z", now)


@pytest.fixture(scope="module")
def pool(api, processes):
    name = f"s3-{uuid.uuid4().hex[:8]}"
    tidegate("work-pool", "create", name, "--type", "process")
    processes.tidegate("worker", "start", "--pool", name, "--type", "process")
    wait_for_worker(api, name)
    return name


def test_new_objects_start_runs(api, pool):
    command = [str(SDK_BIN / "python"), str(EXAMPLE / "setup.py"), "--pool", pool, "--secret", ":".join(SECRET)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert made.returncode == 0, made.stderr
    hook = api.url.removesuffix("/api") + made.stdout.splitlines()[-1]

    # As EventBridge and as SNS send it; SNS says that its JSON is a text. Without the password nothing happens.
    bridge, sns = payload("eventbridge.json"), payload("sns-notification.json")
    answers = [
        httpx.post(hook, content=bridge, headers={"content-type": "application/json"}),
        httpx.post(hook, content=bridge, headers={"content-type": "application/json"}, auth=SECRET),
        httpx.post(hook, content=sns, headers={"content-type": "text/plain; charset=UTF-8"}, auth=SECRET),
    ]
    assert [answer.status_code for answer in answers] == [401, 204, 204]

    wanted = {"work_pools": {"name": {"any_": [pool]}}}
    ended = lambda: [run for run in api.post("/flow_runs/filter", wanted) if run["state_type"] == "COMPLETED"]  # noqa: E731
    runs = wait_until(lambda: (found := ended()) and len(found) == 2 and found)
    assert sorted(run["parameters"]["key"] for run in runs) == ["2026/01/12/station 7.csv", "2026/01/12/station 8.csv"]
    assert {run["parameters"]["bucket"] for run in runs} == {"measurements"}
    assert {run["parameters"]["size"] for run in runs} == {5120, 2048}
    for run in runs:
        api.logs(run["id"], f"s3://measurements/{run['parameters']['key']} has come")
