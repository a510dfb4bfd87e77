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

        wait_until(works, 30, "a write after the restart")
        # Until then clients were told to try again, nothing else.
        assert set(statuses) <= {201, 503}, statuses
        assert server.run(before)["state_type"] == "PENDING"
        server.set_state(before, "RUNNING")
    finally:
        server.kill()
