"""The database goes away and comes back; the server stays and goes on."""

from conftest import Server, wait_until


def test_the_server_goes_on_after_postgresql_restarts(tmp_path, own_postgres):
    server = Server(tmp_path, own_postgres.url).start()
    try:
        flow = server.flow()
        before = server.post("/flow_runs/", {"flow_id": flow["id"]})
        own_postgres.restart()
        statuses = []

        def works():
            answer = server.client.post("/flow_runs/", json={"flow_id": flow["id"]})
            statuses.append(answer.status_code)
            return answer.status_code == 201

        def answered(method, path, **body):
            answer = server.client.request(method, f"/flow_runs/{before['id']}{path}", **body)
            statuses.append(answer.status_code)
            return answer if answer.status_code != 503 else None

        wait_until(works, what="a write after the restart")
        # Every connection finds out for itself that it is lost.
        read = wait_until(lambda: answered("GET", ""), what="a read after the restart")
        assert read.json()["state_type"] == "PENDING"
        running = {"state": {"type": "RUNNING"}}
        moved = wait_until(lambda: answered("POST", "/set_state", json=running), what="a state change after the restart")
        assert moved.json()["status"] == "ACCEPT"
        # Until then clients were told to try again, nothing else.
        assert set(statuses) <= {200, 201, 503}, statuses
    finally:
        server.kill()
