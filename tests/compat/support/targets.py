"""Starts the server under test, one per session, in a folder of its own, and stops it. Knows nothing of scenarios."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from .waiting import ports

TARGETS = ("tidegate", "tidegate-postgres", "reference")
ROOT = Path(__file__).resolve().parents[3]

# The same settings for every target: short service periods keep the waits in the scenarios short.
SERVER_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true",
    "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED": "true",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    "PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
}


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that could point at a real server or a real home."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TIDEGATE_"))}


def tidegate_binary() -> Path:
    """TIDEGATE_BIN, else the release build of this checkout, else the debug build."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    named = os.environ.get("TIDEGATE_BIN")
    candidates = [Path(named)] if named else [ROOT / "target/release/tidegate", target / "debug/tidegate"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise SystemExit(f"no tidegate binary at {' or '.join(map(str, candidates))}: `make build`, or set TIDEGATE_BIN")


@dataclass
class Server:
    """A running server under test."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    schema: tuple[str, str] | None = None

    def stop(self) -> None:
        for sent, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            if self.process.poll() is None:
                self.process.send_signal(sent)
                try:
                    self.process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
        if self.schema:
            drop_database(*self.schema)


def start(target: str, home: Path) -> Server:
    """Starts `target` on a free loopback port with everything it writes under `home`; returns once it is healthy."""
    (port,) = ports()
    environment = (
        clean_environment() | SERVER_SETTINGS | {"HOME": str(home), "PREFECT_HOME": str(home), "TIDEGATE_HOME": str(home)}
    )
    database = None
    if target == "reference":
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{home}/reference.db"
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    else:
        url = f"sqlite:///{home}/tidegate.db"
        if target == "tidegate-postgres":
            url, database = create_database()
        command = [str(tidegate_binary()), "server", "start", "--host", "127.0.0.1", "--port", str(port), "--database-url", url]
    log = home / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    server = Server(f"http://127.0.0.1:{port}/api", process, log, database)
    try:
        wait_until_healthy(server, deadline=120 if target == "reference" else 30)
    except BaseException:
        server.stop()
        raise
    return server


def wait_until_healthy(server: Server, deadline: float) -> None:
    ends = time.monotonic() + deadline
    while time.monotonic() < ends:
        if server.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{server.url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SystemExit(f"the server under test did not become healthy:\n{server.log.read_text(errors='replace')[-4000:]}")


def create_database() -> tuple[str, tuple[str, str]]:
    """A database of its own on the PostgreSQL server of TIDEGATE_TEST_POSTGRES_URL: its URL, and how to drop it."""
    admin = os.environ.get("TIDEGATE_TEST_POSTGRES_URL")
    if not admin:
        raise SystemExit("--target tidegate-postgres needs TIDEGATE_TEST_POSTGRES_URL")
    name = f"tidegate_compat_{os.getpid()}_{int(time.time())}"
    psql(admin, f'CREATE DATABASE "{name}"')
    base, _, query = admin.partition("?")
    url = f"{base.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
    return url, (admin, name)


def drop_database(admin: str, name: str) -> None:
    psql(admin, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def psql(url: str, sql: str) -> None:
    program = shutil.which("psql")
    if program is None:
        raise SystemExit("--target tidegate-postgres needs the `psql` client")
    done = subprocess.run([program, "--no-psqlrc", "--quiet", "--dbname", url, "--command", sql], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"psql: {done.stderr.strip()}")
