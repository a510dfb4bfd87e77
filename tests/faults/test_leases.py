"""Nothing is stuck and nothing runs twice: owners that go silent, claims in a race, attempts that were given up."""

import concurrent.futures
import datetime

from conftest import DEADLINE, wait_until

# The shortest lease that the server grants. A test shortens a lease only when all is set up: it ends soon after.
SHORT = 1.0
# How long after its lease a silent owner's run may stay.
FOUND_WITHIN = 5.0


def _now():
    return datetime.datetime.now(datetime.timezone.utc).timestamp()


def _seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _limited_run(server):
    """A due run of a deployment with one slot."""
    flow, pool = server.flow(), server.pool()
    deployment = server.post(
        "/deployments/",
        {"name": "d", "flow_id": flow["id"], "work_pool_name": pool["name"], "concurrency_limit": 1},
    )
    run = server.post(f"/deployments/{deployment['id']}/create_flow_run", {})
    return pool, deployment, run


def _running_run(server, **extra):
    """A run that a worker has claimed and that runs."""
    flow, pool = server.flow(), server.pool()
    run = server.scheduled_run(flow, pool, **extra)
    [claimed] = server.claim(pool)
    server.set_state(run, "RUNNING")
    return pool, run, claimed


def test_a_silent_owner_of_a_running_run_is_found_and_its_slot_is_free(make_server):
    server = make_server().start()
    pool, deployment, run = _limited_run(server)
    [claimed] = server.claim(pool)
    assert claimed["flow_run"]["id"] == run["id"] and claimed["flow_run"]["state_name"] == "Submitting"
    server.set_state(run, "RUNNING")
    assert server.get(f"/deployments/{deployment['id']}")["global_concurrency_limit"]["active_slots"] == 1
    before = _now()
    assert server.renew(pool, claimed, lease=SHORT)["renewed"] == [run["id"]]
    after = _now()
    seen = wait_until(lambda: (r := server.run(run))["state_type"] == "CRASHED" and r, what="the crash")
    # By the time that the server wrote: when we came to look says nothing of it.
    assert before + SHORT <= _seconds(seen["state"]["timestamp"]) <= after + SHORT + FOUND_WITHIN
    assert "no sign of life" in seen["state"]["message"]
    infrastructure = server.get(f"/flow_runs/{run['id']}/infrastructure")
    assert infrastructure["failure"]["class"] == "lease_lost" and infrastructure["owner"] is None
    late = {"X-Tidegate-Fence": f"{run['id']}:{claimed['owner']['token']}"}
    told = {"state": {"type": "CRASHED", "message": "my own story"}, "force": True}
    assert server.post(f"/flow_runs/{run['id']}/set_state", told, headers=late)["status"] == "ABORT"
    assert "no sign of life" in server.run(run)["state"]["message"]
    assert server.get(f"/deployments/{deployment['id']}")["global_concurrency_limit"]["active_slots"] == 0


def test_a_claim_that_never_started_is_due_again(make_server):
    server = make_server().start()
    pool, deployment, run = _limited_run(server)
    [first] = server.claim(pool, lease=SHORT)
    wait_until(lambda: server.run(run)["state_type"] == "SCHEDULED", what="the run's return")
    [second] = server.claim(pool, worker="other")
    assert second["owner"]["token"] > first["owner"]["token"] and second["owner"]["attempt"] == 2
    old = {"X-Tidegate-Fence": f"{run['id']}:{first['owner']['token']}"}
    refused = server.set_state(run, "RUNNING", headers=old)
    assert refused["status"] == "ABORT" and "earlier attempt" in refused["details"]["reason"]
    new = {"X-Tidegate-Fence": f"{run['id']}:{second['owner']['token']}"}
    assert server.set_state(run, "RUNNING", headers=new)["status"] == "ACCEPT"


def test_a_claim_that_nobody_acknowledges_is_due_again_long_before_its_lease(make_server):
    server = make_server().start()
    flow, pool = server.flow(), server.pool()
    runs = [server.scheduled_run(flow, pool) for _ in range(2)]
    path = f"/work_pools/{pool['name']}"
    claim = {"worker_name": "worker", "limit": 2, "wait_seconds": 0, "lease_seconds": 600, "acknowledges": True}
    claimed = {run["flow_run"]["id"]: run["owner"]["token"] for run in server.post(f"{path}/claim", claim)["runs"]}
    assert set(claimed) == {run["id"] for run in runs}
    kept, lost = runs
    owned = [{"flow_run_id": kept["id"], "token": claimed[kept["id"]]}]
    server.post(f"{path}/leases/renew", {"worker_name": "worker", "lease_seconds": 600, "runs": owned})
    wait_until(lambda: server.run(lost)["state_type"] == "SCHEDULED", what="the run's return")
    assert server.run(kept)["state_type"] == "PENDING"


def test_a_renewed_lease_lives_and_a_lost_one_is_told(make_server):
    server = make_server().start()
    pool, run, claimed = _running_run(server)
    assert server.renew(pool, claimed)["renewed"] == [run["id"]]
    stale = {**claimed, "owner": {"token": claimed["owner"]["token"] - 1}}
    assert server.renew(pool, stale)["lost"] == [run["id"]]
    server.set_state(run, "CANCELLING")
    assert server.renew(pool, claimed)["cancelling"] == [run["id"]]


def test_a_run_without_an_owner_is_never_ended_by_a_timer(make_server):
    server = make_server().start()
    flow, pool = server.flow(), server.pool()
    plain = server.post("/flow_runs/", {"flow_id": flow["id"]})
    server.set_state(plain, "RUNNING")
    owned = server.scheduled_run(flow, pool)
    claimed = server.claim(pool)
    server.set_state(owned, "RUNNING")
    server.renew(pool, *claimed, lease=SHORT)
    wait_until(lambda: server.run(owned)["state_type"] == "CRASHED", what="the owned run's crash")
    assert server.run(plain)["state_type"] == "RUNNING"


def test_two_claims_never_get_the_same_run(make_server):
    server = make_server().start()
    flow, pool = server.flow(), server.pool()
    runs = {server.scheduled_run(flow, pool)["id"] for _ in range(40)}
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: server.claim(pool, worker=f"w{n}", limit=10), range(8)))
    claimed = [item["flow_run"]["id"] for answer in answers for item in answer]
    assert len(claimed) == len(set(claimed)) and set(claimed) == runs


def test_a_waiting_worker_gets_a_run_as_soon_as_it_is_made(make_server):
    server = make_server().start()
    flow, pool = server.flow(), server.pool()
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(server.claim, pool, wait=20)
        run = server.scheduled_run(flow, pool)
        [claimed] = waiting.result(timeout=DEADLINE)
    assert claimed["flow_run"]["id"] == run["id"]


def test_a_verdict_of_an_old_attempt_changes_nothing(make_server):
    server = make_server().start()
    _, run, claimed = _running_run(server)
    verdict = {"token": claimed["owner"]["token"] - 1, "state": {"type": "CRASHED", "message": "gone"}}
    assert server.post(f"/flow_runs/{run['id']}/verdict", verdict)["status"] == "ABORT"
    verdict["token"] += 1
    verdict["failure"] = {"class": "exit_code", "exit_code": 3, "message": "exit code 3"}
    assert server.post(f"/flow_runs/{run['id']}/verdict", verdict)["status"] == "ACCEPT"
    assert server.get(f"/flow_runs/{run['id']}/infrastructure")["failure"]["exit_code"] == 3
    assert server.run(run)["state_type"] == "CRASHED"


def test_a_granted_try_changes_policy_variables_and_state_at_once_and_only_once(make_server):
    server = make_server().start()
    pool, run, claimed = _running_run(server, job_variables={"image": "a", "memory_limit": "1Gi"}, empirical_policy={"retries": 1})
    again = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "more memory"}
    grant = {"token": claimed["owner"]["token"], "state": again, "retry": {"job_variables": {"memory_limit": "2Gi"}}}
    path = f"/flow_runs/{run['id']}/verdict"
    assert server.post(path, {**grant, "token": grant["token"] - 1})["status"] == "ABORT"
    assert server.post(path, grant)["status"] == "ACCEPT"
    # The answer was lost on its way, and the worker says it once more.
    assert server.post(path, grant)["status"] == "ABORT"
    waiting = server.run(run)
    assert (waiting["state"]["type"], waiting["state"]["name"], waiting["state"]["message"]) == ("SCHEDULED", "AwaitingRetry", "more memory")
    assert waiting["job_variables"] == {"image": "a", "memory_limit": "2Gi"}
    assert waiting["empirical_policy"]["retries"] == 2
    [next_try] = server.claim(pool)
    assert next_try["owner"]["attempt"] == claimed["owner"]["attempt"] + 1
    assert next_try["flow_run"]["job_variables"]["memory_limit"] == "2Gi"


def test_a_run_that_waits_for_a_granted_try_is_cancelled_at_once(make_server):
    server = make_server().start()
    _, run, claimed = _running_run(server)
    server.client.patch(f"/flow_runs/{run['id']}", json={"infrastructure_pid": "jobs:blue-fox-1"}).raise_for_status()
    grant = {"token": claimed["owner"]["token"], "state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "retry": {}}
    assert server.post(f"/flow_runs/{run['id']}/verdict", grant)["status"] == "ACCEPT"
    server.set_state(run, "CANCELLING")
    assert server.run(run)["state_type"] == "CANCELLED", "nobody has it who could stop it"


def test_a_try_is_granted_to_a_run_that_said_itself_that_it_crashed_and_to_no_other_end(make_server):
    server = make_server().start()
    for end, status in (("CRASHED", "ACCEPT"), ("FAILED", "ABORT"), ("COMPLETED", "ABORT"), ("CANCELLED", "ABORT")):
        _, run, claimed = _running_run(server)
        server.set_state(run, end)
        grant = {"token": claimed["owner"]["token"], "state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "retry": {}}
        assert server.post(f"/flow_runs/{run['id']}/verdict", grant)["status"] == status, end
        assert server.run(run)["state_type"] == ("SCHEDULED" if status == "ACCEPT" else end)


def test_a_run_that_is_being_cancelled_is_not_tried_again(make_server):
    server = make_server().start()
    _, run, claimed = _running_run(server)
    server.set_state(run, "CANCELLING")
    grant = {"token": claimed["owner"]["token"], "state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "retry": {}}
    assert server.post(f"/flow_runs/{run['id']}/verdict", grant)["state"]["type"] == "CANCELLED"


def test_why_a_run_crashed_is_added_to_its_own_word_once(make_server):
    server = make_server().start()
    _, run, claimed = _running_run(server)
    server.set_state(run, "CRASHED")
    path, token = f"/flow_runs/{run['id']}/verdict", claimed["owner"]["token"]
    told = {"token": token, "state": {"type": "CRASHED", "message": "by the worker"}, "failure": {"class": "oom_killed", "message": "too much"}}
    assert server.post(path, {**told, "token": token - 1})["status"] == "ABORT"
    assert server.get(f"/flow_runs/{run['id']}/infrastructure")["failure"] is None
    assert server.post(path, told)["status"] == "ABORT"
    assert server.post(path, {**told, "failure": {"class": "evicted"}})["status"] == "ABORT"
    assert server.get(f"/flow_runs/{run['id']}/infrastructure")["failure"]["class"] == "oom_killed"
    assert server.run(run)["state"]["message"] != "by the worker"
