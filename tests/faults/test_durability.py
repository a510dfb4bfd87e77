"""What was answered survives: writes under load, then kill -9, then a look at what is there."""

import signal
import threading
import uuid

import httpx
from conftest import DEADLINE, Server, wait_until


def _load(server, flow, acknowledged, stop):
    """Creates runs and moves them on, noting only what the server has answered."""
    with httpx.Client(base_url=server.url, timeout=DEADLINE) as client:
        while not stop.is_set():
            try:
                made = client.post("/flow_runs/", json={"flow_id": flow["id"], "name": uuid.uuid4().hex})
                if made.status_code != 201:
                    continue
                run = made.json()["id"]
                acknowledged[run] = "PENDING"
                moved = client.post(f"/flow_runs/{run}/set_state", json={"state": {"type": "RUNNING"}})
                if moved.status_code == 201:
                    acknowledged[run] = "RUNNING"
                logged = client.post(
                    "/logs/",
                    json=[{"name": "load", "level": 20, "message": run, "timestamp": "2026-01-01T00:00:00Z", "flow_run_id": run}],
                )
                if logged.status_code == 201:
                    acknowledged[f"log {run}"] = run
            except httpx.TransportError:
                return


def test_an_acknowledged_write_survives_kill_9(make_server):
    server = make_server().start()
    flow = server.flow()
    acknowledged, stop = {}, threading.Event()
    loaders = [threading.Thread(target=_load, args=(server, flow, acknowledged, stop)) for _ in range(8)]
    for loader in loaders:
        loader.start()
    try:
        wait_until(lambda: len(acknowledged) > 600, what="600 acknowledged writes")
    finally:
        server.kill(signal.SIGKILL)
        stop.set()
        for loader in loaders:
            loader.join()

    server.start()
    order = ["PENDING", "RUNNING"]
    for key, value in acknowledged.items():
        if key.startswith("log "):
            logs = server.post("/logs/filter", {"logs": {"flow_run_id": {"any_": [value]}}})
            assert [log["message"] for log in logs] == [value]
        else:
            state = server.get(f"/flow_runs/{key}")["state_type"]
            assert order.index(state) >= order.index(value), (key, value, state)


def test_every_state_has_its_event_after_kill_9(make_server):
    """State and event are one transaction: there is never one without the other."""
    server = make_server().start()
    flow = server.flow()
    runs = [server.post("/flow_runs/", {"flow_id": flow["id"]}) for _ in range(20)]
    for run in runs:
        server.set_state(run, "RUNNING")
    server.kill(signal.SIGKILL)
    server.start()
    for run in runs:
        states = server.get(f"/flow_run_states/?flow_run_id={run['id']}")
        resource = {"id": [f"prefect.flow-run.{run['id']}"]}
        events = server.post("/events/filter", {"filter": {"resource": resource, "event": {"prefix": ["prefect.flow-run."]}}})
        assert {state["id"] for state in states} == {event["id"] for event in events["events"]}


def test_a_second_server_on_one_sqlite_file_is_refused(tmp_path):
    first = Server(tmp_path).start()
    second = Server(tmp_path).start(wait=False)
    try:
        assert second.process.wait(timeout=DEADLINE) != 0
        assert "in use by another Tidegate server" in (tmp_path / "server.log").read_text()
        assert first.is_up()
    finally:
        first.kill()


def test_sigterm_ends_the_server_in_order(make_server):
    server = make_server().start()
    assert server.kill(signal.SIGTERM) == 0
