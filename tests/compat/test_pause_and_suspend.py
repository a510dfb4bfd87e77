"""Pausing, suspending, resuming and run input: the server keeps the key, the deadline, the schema and the answer."""

from __future__ import annotations

import pytest
from prefect import flow, pause_flow_run, resume_flow_run, suspend_flow_run
from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput, receive_input, send_input
from support.clients import start
from support.running import execute, in_background
from support.waiting import DEADLINE, wait_until


class Approval(RunInput):
    approved: bool
    comment: str = "none"


def named_run(api, name, state, *, after=None):
    """The run called `name`, once it is in `state`; with `after`, in another such state than that one."""

    def found():
        runs = api.flow_runs(flow_runs={"name": {"any_": [name]}})
        assert runs and runs[0]["state_name"] == state, [run["state_name"] for run in runs]
        assert runs[0]["state_id"] != after
        return runs[0]

    return wait_until(found, what=f"run {name} in {state}")


def deployed_run(flow, name):
    """A run of a deployment of `flow`, scheduled for now."""
    deployment = flow.to_deployment(name).apply()
    return str(start(deployment))


def test_paused_flow_waits_in_its_process_until_resumed(api, unique):
    name = unique("pauses")

    @flow(flow_run_name=name)
    def pauses():
        pause_flow_run(timeout=600, poll_interval=0.1)
        return "went on"

    running = in_background(pauses)
    run = named_run(api, name, "Paused")
    assert run["state"]["state_details"]["pause_timeout"] > run["state"]["timestamp"]
    assert run["state"]["state_details"]["pause_reschedule"] is False
    resume_flow_run(run["id"])

    assert running.result(DEADLINE) == "went on"
    assert api.flow_run_history(run["id"]) == ["Pending", "Running", "Paused", "Running", "Completed"]


def test_pause_that_nobody_ends_fails_the_run(api, unique):
    name = unique("forgotten")

    @flow(flow_run_name=name)
    def forgotten():
        pause_flow_run(timeout=1, poll_interval=0.1)

    with pytest.raises(FlowPauseTimeout):
        forgotten()

    (run,) = api.flow_runs(flow_runs={"name": {"any_": [name]}})
    assert api.flow_run_history(run["id"])[:3] == ["Pending", "Running", "Paused"]
    # Either the server's clock or the flow's own next proposal found out first.
    failures = [one for one in api.flow_run_states(run["id"]) if one["type"] == "FAILED"]
    assert any(one["message"].endswith("and never resumed.") for one in failures)
    assert api.flow_run(run["id"])["state_type"] == "FAILED"


def test_two_pauses_of_one_run_have_keys_of_their_own(api, unique):
    name = unique("twice")

    @flow(flow_run_name=name)
    def twice():
        for _ in range(2):
            pause_flow_run(timeout=600, poll_interval=0.1)
        return "done"

    running = in_background(twice)
    first = named_run(api, name, "Paused")
    resume_flow_run(first["id"])
    run = named_run(api, name, "Paused", after=first["state_id"])
    resume_flow_run(run["id"])
    assert running.result(DEADLINE) == "done"

    keys = [one["state_details"]["pause_key"] for one in api.flow_run_states(run["id"]) if one["type"] == "PAUSED"]
    assert len(set(keys)) == 2
    assert set(keys) <= set(api.flow_run(run["id"])["empirical_policy"]["pause_keys"])


def test_pause_for_input_hands_over_what_was_given(api, unique):
    name = unique("asks")

    @flow(flow_run_name=name)
    def asks():
        answer = pause_flow_run(wait_for_input=Approval, timeout=600, poll_interval=0.1)
        return answer.approved, answer.comment

    running = in_background(asks)
    run = named_run(api, name, "Paused")
    keys = run["state"]["state_details"]["run_input_keyset"]
    # The SDK pauses first and stores the schema of what it asks for after that.
    schema = wait_until(lambda: api.input_of(run["id"], keys["schema"]), what="the schema of the input")
    assert set(schema["properties"]) == {"approved", "comment"}

    refused = api.post(f"/flow_runs/{run['id']}/resume", {"run_input": {"approved": "perhaps"}})
    assert refused["status"] == "REJECT"
    assert api.flow_run(run["id"])["state_type"] == "PAUSED"

    resume_flow_run(run["id"], run_input={"approved": True, "comment": "go"})
    assert running.result(DEADLINE) == (True, "go")
    response = api.get(f"/flow_runs/{run['id']}/input/{keys['response']}")
    assert response == {"approved": True, "comment": "go"}


def test_suspended_run_leaves_its_process_and_starts_over_when_resumed(api, unique):
    calls = []

    @flow
    def suspends():
        calls.append("started")
        suspend_flow_run(timeout=600)
        calls.append("went on")
        return "done"

    id = deployed_run(suspends, unique("suspends"))
    assert execute(suspends, id) is None
    run = api.flow_run(id)
    assert (run["state_type"], run["state_name"]) == ("PAUSED", "Suspended")
    assert run["state"]["state_details"]["pause_reschedule"] is True

    resume_flow_run(id)
    resuming = api.flow_run(id)
    assert (resuming["state_type"], resuming["state_name"]) == ("SCHEDULED", "Resuming")
    assert resuming["next_scheduled_start_time"] is not None

    assert execute(suspends, id).result() == "done"
    assert calls == ["started", "started", "went on"]
    assert api.flow_run_history(id) == [
        "Scheduled", "Pending", "Running", "Suspended", "Resuming", "Pending", "Running", "Completed",
    ]  # fmt: skip


def test_suspend_for_input_gives_the_answer_to_the_next_process(api, unique):
    @flow
    def suspends():
        answer = suspend_flow_run(wait_for_input=Approval.with_initial_data(comment="please"), timeout=600)
        return answer.comment

    id = deployed_run(suspends, unique("suspends"))
    execute(suspends, id)
    schema = api.get(f"/flow_runs/{id}/input/{api.flow_run(id)['state']['state_details']['run_input_keyset']['schema']}")
    assert schema["properties"]["comment"]["default"] == "please"

    resume_flow_run(id, run_input={"approved": False})
    assert execute(suspends, id).result() == "please"


def test_suspending_a_run_without_a_deployment_is_refused(api, unique):
    name = unique("lonely")

    @flow(flow_run_name=name)
    def lonely():
        suspend_flow_run(timeout=600)

    state = lonely(return_state=True)

    assert state.is_failed()
    run = api.flow_run(state.state_details.flow_run_id)
    assert "PAUSED" not in [one["type"] for one in api.flow_run_states(run["id"])]


def test_resuming_a_run_that_is_not_paused_is_refused(api):
    @flow
    def ends():
        return None

    id = ends(return_state=True).state_details.flow_run_id

    answer = api.post(f"/flow_runs/{id}/resume")
    assert answer["status"] == "ABORT"
    assert api.flow_run(id)["state_type"] == "COMPLETED"


def test_running_flow_receives_input_that_others_send(api, unique):
    name = unique("listens")

    @flow(flow_run_name=name)
    def listens():
        heard = []
        for message in receive_input(str, timeout=DEADLINE, poll_interval=0.1, with_metadata=True):
            heard.append(message.value)
            if len(heard) == 2:
                return heard, message.metadata.sender

    @flow
    def speaks(listener: str):
        for word in ("tick", "tock"):
            send_input(word, flow_run_id=listener)

    listening = in_background(listens)
    run = named_run(api, name, "Running")
    spoke = speaks(run["id"], return_state=True)

    heard, sender = listening.result(DEADLINE)
    assert sorted(heard) == ["tick", "tock"]
    assert sender == f"prefect.flow-run.{spoke.state_details.flow_run_id}"
    stored = api.post(f"/flow_runs/{run['id']}/input/filter", {"prefix": "str-auto", "limit": 10, "exclude_keys": []})
    assert stored == [], "input is taken, not only read"
