"""Services apart from the server: who does the work, and how it is started and stopped."""

import os
import subprocess

from conftest import Server, binary, wait_until


def services(server, *command):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "TIDEGATE_"))}
    return subprocess.run(
        [binary(), "server", "services", *command], env={**clean, "TIDEGATE_HOME": str(server.home)},
        capture_output=True, text=True, timeout=60,
    )


def test_services_without_an_api_do_the_work_of_a_server_without_services(tmp_path, own_postgres):
    server = Server(tmp_path, own_postgres.url).start(True, "--no-services")
    try:
        assert server.get("/admin/services") == {}
        schedules = [{"active": True, "schedule": {"interval": 3600}}]
        deployment = server.post("/deployments/", {"name": "d", "flow_id": server.flow()["id"], "schedules": schedules})
        own = {"deployments": {"id": {"any_": [deployment["id"]]}}}
        assert server.post("/flow_runs/count", own) == 0
        started = services(server, "start", "--background", "--database-url", own_postgres.url)
        assert started.returncode == 0 and "running in the background on PostgreSQL" in started.stderr, started.stderr
        wait_until(lambda: server.post("/flow_runs/count", own) >= 3, what="the scheduler's work")
        told = lambda: server.get("/admin/services").get("scheduler", {}).get("passes")
        wait_until(told, what="the scheduler's report to the server without services")
        again = services(server, "start", "--database-url", own_postgres.url)
        assert again.returncode == 1 and "running already" in again.stderr, again.stderr
        stopped = services(server, "stop")
        assert stopped.returncode == 0 and "The services have stopped." in stopped.stderr, stopped.stderr
        assert server.get("/admin/services") == {}
        assert "No services" in services(server, "stop").stderr
    finally:
        services(server, "stop")
        server.kill()
