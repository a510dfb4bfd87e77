"""Deployments and their schedules, made by the SDK; what the server makes of them without any worker."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from prefect import flow, get_client
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectHTTPStatusError
from prefect.schedules import Cron, Interval, RRule
from prefect.states import Scheduled
from support.api import instant
from support.running import execute, in_background
from support.waiting import DEADLINE, wait_until


@flow
def greets(name: str = "you", times: int = 1):
    """Greets someone.

    Args:
        name: who
        times: how often
    """
    return [name] * times


def deployed(unique, **options):
    name = unique("greets")
    return str(greets.to_deployment(name, **options).apply()), f"greets/{name}"


def auto_scheduled(api, deployment):
    return api.flow_runs(
        flow_runs={"deployment_id": {"any_": [deployment]}, "tags": {"all_": ["auto-scheduled"]}},
        sort="EXPECTED_START_TIME_ASC",
    )


def test_deployment_is_stored_with_schema_tags_and_parameters(api, unique):
    id, name = deployed(unique, tags=["compat"], parameters={"name": "all"}, version="3", description="says hello")

    stored = api.get(f"/deployments/name/{name}")
    assert stored["id"] == id
    assert (stored["version"], stored["description"], stored["tags"]) == ("3", "says hello", ["compat"])
    assert stored["parameters"] == {"name": "all"}
    properties = stored["parameter_openapi_schema"]["properties"]
    assert properties["times"] == {"default": 1, "description": "how often", "position": 1, "title": "times", "type": "integer"}
    assert stored["enforce_parameter_schema"] is True
    assert stored["paused"] is False


def test_deploying_again_updates_the_same_deployment(api, unique):
    name = unique("greets")
    first = greets.to_deployment(name, tags=["old"], parameters={"times": 1}).apply()
    second = greets.to_deployment(name, tags=["new"], parameters={"times": 2}).apply()

    assert first == second
    stored = api.get(f"/deployments/{second}")
    assert (stored["tags"], stored["parameters"]) == (["new"], {"times": 2})


def test_parameters_against_the_schema_are_refused(api, unique):
    id, _ = deployed(unique)

    with get_client(sync_client=True) as client, pytest.raises(PrefectHTTPStatusError, match="409"):
        client.create_flow_run_from_deployment(id, parameters={"times": "often"})

    assert api.flow_runs(flow_runs={"deployment_id": {"any_": [id]}}) == []


def test_run_of_a_deployment_gets_its_parameters_tags_and_labels(api, unique):
    id, _ = deployed(unique, tags=["from-deployment"], parameters={"name": "all", "times": 2})

    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(id, parameters={"times": 3}, tags=["from-run"], name=unique("run"))
    state = execute(greets, run.id)

    stored = api.flow_run(run.id)
    assert state.result() == ["all"] * 3
    assert stored["parameters"] == {"name": "all", "times": 3}
    assert set(stored["tags"]) == {"from-deployment", "from-run"}
    assert stored["labels"]["prefect.deployment.id"] == id
    assert api.flow_run_history(run.id) == ["Scheduled", "Pending", "Running", "Completed"]


def test_idempotency_key_makes_one_run_of_two_requests(api, unique):
    id, _ = deployed(unique)
    key = unique("key")

    with get_client(sync_client=True) as client:
        first, second = (client.create_flow_run_from_deployment(id, idempotency_key=key).id for _ in range(2))

    assert first == second
    assert len(api.flow_runs(flow_runs={"deployment_id": {"any_": [id]}})) == 1


def test_run_deployment_returns_at_once_when_told_not_to_wait(api, unique):
    _, name = deployed(unique)

    run = run_deployment(name, timeout=0, parameters={"times": 2}, flow_run_name="at-once", tags=["fast"])

    stored = api.flow_run(run.id)
    assert (stored["name"], stored["state_type"], stored["parameters"]["times"]) == ("at-once", "SCHEDULED", 2)
    assert "fast" in stored["tags"]


def test_run_deployment_waits_for_the_run_as_a_subflow(api, unique):
    id, name = deployed(unique)

    @flow
    def starts_another():
        return run_deployment(name, timeout=DEADLINE, poll_interval=0.1).state.type.value

    starting = in_background(starts_another, return_state=True)
    (run,) = wait_until(lambda: api.flow_runs(flow_runs={"deployment_id": {"any_": [id]}}))
    execute(greets, run["id"])
    state = starting.result(DEADLINE)

    assert state.result() == "COMPLETED"
    parent = api.get(f"/task_runs/{api.flow_run(run['id'])['parent_task_run_id']}")
    assert parent["flow_run_id"] == str(state.state_details.flow_run_id)
    assert parent["state_type"] == "COMPLETED"


def test_run_deployment_at_a_later_time_is_scheduled_for_it(api, unique):
    _, name = deployed(unique)
    later = datetime.now(timezone.utc) + timedelta(hours=1)

    run = run_deployment(name, scheduled_time=later, timeout=0)

    stored = api.flow_run(run.id)
    assert instant(stored["next_scheduled_start_time"]) == later
    assert stored["state_name"] == "Scheduled"


def test_run_that_nobody_starts_becomes_late(api, unique):
    id, _ = deployed(unique)
    # Later than the server under test allows (support/targets.py).
    past = datetime.now(timezone.utc) - timedelta(hours=2)

    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(id, state=Scheduled(scheduled_time=past))

    late = api.wait_for_flow_run(run.id, "Late")
    assert late["state_type"] == "SCHEDULED"
    assert instant(late["state"]["state_details"]["scheduled_time"]) == past


def test_schedules_of_every_kind_are_stored(api, unique):
    cron = Cron("30 6 * * MON-FRI", timezone="America/New_York", active=False, slug="cron", parameters={"times": 5})
    id, _ = deployed(
        unique,
        schedules=[
            Interval(timedelta(minutes=90), anchor_date=datetime(2013, 1, 1, tzinfo=timezone.utc), active=False, slug="interval"),
            cron,
            RRule("FREQ=WEEKLY;BYDAY=SU", timezone="UTC", active=False, slug="rrule"),
        ],
    )

    stored = {one["slug"]: one for one in api.get(f"/deployments/{id}/schedules")}
    assert stored["interval"]["schedule"]["interval"] == 5400
    assert stored["cron"]["schedule"] == {"cron": cron.cron, "timezone": cron.timezone, "day_or": cron.day_or}
    assert stored["cron"]["parameters"] == {"times": 5}
    assert stored["rrule"]["schedule"]["rrule"].splitlines()[-1] == "FREQ=WEEKLY;BYDAY=SU"
    assert not any(one["active"] for one in stored.values())


def test_scheduler_makes_runs_at_the_right_times(api, unique):
    anchor = datetime(2013, 1, 1, 0, 7, tzinfo=timezone.utc)
    id, _ = deployed(unique, schedules=[Interval(timedelta(hours=1), anchor_date=anchor, parameters={"name": "schedule"})])

    def scheduled():
        runs = auto_scheduled(api, id)
        assert len(runs) >= 3, runs
        return runs

    runs = wait_until(scheduled)

    times = [instant(run["expected_start_time"]) for run in runs]
    assert {(time.minute, time.second) for time in times} == {(7, 0)}
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(hours=1)}
    assert runs[0]["parameters"]["name"] == "schedule"
    assert runs[0]["auto_scheduled"] is True
    assert runs[0]["created_by"]["type"] == "SCHEDULE"


def test_pausing_a_deployment_removes_its_scheduled_runs(api, unique):
    id, _ = deployed(unique, schedules=[Cron("0 * * * *")])
    wait_until(lambda: auto_scheduled(api, id))

    with get_client(sync_client=True) as client:
        client.pause_deployment(id)
    assert api.get(f"/deployments/{id}")["paused"] is True
    assert auto_scheduled(api, id) == []

    with get_client(sync_client=True) as client:
        client.resume_deployment(id)
    assert wait_until(lambda: auto_scheduled(api, id))


def test_switched_off_schedule_makes_no_runs(api, unique):
    id, _ = deployed(unique, schedules=[Cron("0 * * * *", slug="hourly")])
    wait_until(lambda: auto_scheduled(api, id))
    (schedule,) = api.get(f"/deployments/{id}/schedules")

    api.patch(f"/deployments/{id}/schedules/{schedule['id']}", {"active": False})

    wait_until(lambda: auto_scheduled(api, id) == [])
    assert api.get(f"/deployments/{id}/schedules")[0]["active"] is False


def test_deleted_deployment_is_gone_with_its_schedules(api, unique):
    id, name = deployed(unique, schedules=[Cron("0 * * * *", active=False)])

    api.delete(f"/deployments/{id}")

    assert api.http.get(f"/deployments/{id}").status_code == 404
    assert api.http.get(f"/deployments/name/{name}").status_code == 404
