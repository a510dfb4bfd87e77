"""Caching and transactions happen in the client; the server must show what was cached, committed or rolled back."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow, get_client, task
from prefect.cache_policies import INPUTS, NO_CACHE
from prefect.locking.memory import MemoryLockManager
from prefect.transactions import IsolationLevel, transaction


def run_id(state):
    return state.state_details.flow_run_id


def state_names(api, state, count):
    return sorted(run["state_name"] for run in api.task_runs(run_id(state), count=count))


def test_same_inputs_in_another_run_are_served_from_the_cache(api, unique):
    salt, calls = unique("salt"), []

    @task(cache_policy=INPUTS, persist_result=True)
    def costly(salt: str, number: int):
        calls.append(number)
        return number * 2

    @flow
    def uses(number: int):
        return costly(salt, number)

    first, second, other = (uses(number, return_state=True) for number in (1, 1, 2))

    assert calls == [1, 2]
    assert [one.result() for one in (first, second, other)] == [2, 2, 4]
    assert [state_names(api, one, 1) for one in (first, second, other)] == [["Completed"], ["Cached"], ["Completed"]]
    keys = [api.task_run(run_id(one))["state"]["data"]["storage_key"] for one in (first, second, other)]
    assert keys[0] == keys[1] != keys[2]


def test_cache_key_function_decides_what_is_the_same(api, unique):
    salt = unique("salt")

    @task(cache_key_fn=lambda context, parameters: f"{salt}-{parameters['number'] % 2}", persist_result=True)
    def parity(number: int):
        return number

    @flow
    def uses():
        return [parity(number) for number in (1, 2, 3)]

    state = uses(return_state=True)

    assert state.result() == [1, 2, 1]
    assert state_names(api, state, 3) == ["Cached", "Completed", "Completed"]


def test_expired_result_is_computed_again(api, unique):
    salt = unique("salt")

    @task(cache_policy=INPUTS, cache_expiration=timedelta(seconds=0), persist_result=True)
    def brief(salt: str):
        return salt

    @flow
    def uses():
        return [brief(salt), brief(salt)]

    state = uses(return_state=True)

    assert state_names(api, state, 2) == ["Completed", "Completed"]


def test_refresh_and_no_cache_always_run(api, unique):
    salt = unique("salt")

    @task(cache_policy=INPUTS, persist_result=True)
    def kept(salt: str):
        return salt

    @flow
    def uses():
        kept(salt)
        kept.with_options(refresh_cache=True)(salt)
        kept.with_options(cache_policy=NO_CACHE)(salt)
        return kept(salt)

    state = uses(return_state=True)

    assert state_names(api, state, 4) == ["Cached", "Completed", "Completed", "Completed"]


def test_serializable_isolation_lets_one_of_two_concurrent_tasks_run(api, unique):
    salt, calls = unique("salt"), []
    policy = INPUTS.configure(isolation_level=IsolationLevel.SERIALIZABLE, lock_manager=MemoryLockManager())

    @task(cache_policy=policy, persist_result=True)
    def exclusive(salt: str):
        calls.append(salt)
        return len(calls)

    @flow
    def uses():
        futures = [exclusive.submit(salt) for _ in range(2)]
        return [future.result() for future in futures]

    state = uses(return_state=True)

    assert state.result() == [1, 1]
    assert calls == [salt]
    assert state_names(api, state, 2) == ["Cached", "Completed"]


def test_failed_transaction_rolls_its_tasks_back(api):
    undone = []

    @task(task_run_name="a-write")
    def write(path: str):
        return path

    @write.on_rollback
    def unwrite(transaction):
        undone.append(transaction.get("written"))

    @task(task_run_name="b-check")
    def check():
        raise ValueError("does not add up")

    @flow
    def all_or_nothing():
        with transaction() as whole:
            whole.set("written", "flights.db")
            write("flights.db")
            check()

    state = all_or_nothing(return_state=True)

    assert state.is_failed()
    assert undone == ["flights.db"]
    written, checked = api.task_runs(run_id(state), count=2)
    history = api.task_run_history(written["id"], ends="RolledBack")
    assert history == ["Pending", "Running", "Completed", "RolledBack"]
    assert checked["state_type"] == "FAILED"


def test_committed_transaction_runs_its_hooks_at_the_end(api):
    order = []

    @task
    def stage(name: str):
        order.append(f"ran {name}")

    @stage.on_commit
    def committed(transaction):
        order.append("committed")

    @flow
    def commits():
        with transaction():
            stage("first")
            stage("second")
            order.append("end of block")

    state = commits(return_state=True)

    assert order == ["ran first", "ran second", "end of block", "committed", "committed"]
    assert state_names(api, state, 2) == ["Completed", "Completed"]


def test_transaction_with_a_key_is_done_once(api, unique):
    key, calls = unique("load"), []

    @task
    def load():
        calls.append("load")

    @flow
    def once():
        with transaction(key=key) as load_once:
            if load_once.is_committed():
                return "skipped"
            load()
            load_once.stage({"loaded": True})
        return "loaded"

    first, second = once(return_state=True), once(return_state=True)

    assert (first.result(), second.result()) == ("loaded", "skipped")
    assert calls == ["load"]
    assert len(api.task_runs(run_id(first), count=1)) == 1
    assert api.task_runs(run_id(second), count=0) == []


def test_inner_transaction_is_rolled_back_with_the_outer_one(api):
    undone = []

    @task(task_run_name="a-inner")
    def inner():
        return 1

    @inner.on_rollback
    def undo(transaction):
        undone.append("inner")

    @flow
    def nested():
        with transaction():
            with transaction():
                inner()
            raise RuntimeError("after the inner block")

    state = nested(return_state=True)

    assert undone == ["inner"]
    assert api.task_run_history(api.task_run(run_id(state))["id"], ends="RolledBack")[-2:] == ["Completed", "RolledBack"]


def test_cached_state_is_the_same_when_read_with_the_client(api, unique):
    salt = unique("salt")

    @task(cache_policy=INPUTS, persist_result=True)
    def answer(salt: str):
        return 42

    @flow
    def uses():
        return answer(salt)

    uses()
    second = uses(return_state=True)

    stored = api.task_run(run_id(second))
    with get_client(sync_client=True) as client:
        read = client.read_task_run(stored["id"])
    assert read.state.name == "Cached"
    assert read.state.result() == 42
