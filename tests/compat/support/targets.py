"""Starts the server under test, one per session, in a folder of its own, and stops it. Knows nothing of scenarios."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from .waiting import wait_until

# The upstream command line of the SDK that runs the scenarios.
PREFECT = str(Path(sys.executable).parent / "prefect")

TARGETS = ("tidegate", "tidegate-postgres", "reference")
ROOT = Path(__file__).resolve().parents[3]

# The same settings for every target: short service periods keep the waits in the scenarios short. Late is only what was due
# long ago: how soon a run is started depends on the machine, and its history must not.
SERVER_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true",
    "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED": "true",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "3600",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    "PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
}


# For a server on a machine that does much else.
START_DEADLINE = 300.0


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


def start(target: str, home: Path, **settings: str) -> Server:
    """Starts `target` on a free loopback port with everything it writes under `home`; returns once it is healthy.

    `settings` are environment variables beside those that every target gets."""
    # A port that we choose may be gone before the reference takes it. Ours chooses by itself.
    attempts = 5 if target == "reference" else 1
    for attempt in range(attempts):
        server = launch(target, home, settings)
        try:
            wait_until(lambda: is_healthy(server, home), START_DEADLINE, what="the server under test is healthy or has ended")
        except BaseException:
            server.stop()
            raise
        if server.process.poll() is None:
            return server
        server.stop()
        log = server.log.read_text(errors="replace")
        if "address already in use" not in log.lower() or attempt + 1 == attempts:
            raise SystemExit(f"the server under test ended at its start:\n{log[-4000:]}")
    raise AssertionError("not reached")


def launch(target: str, home: Path, settings: dict[str, str]) -> Server:
    environment = (
        clean_environment()
        | SERVER_SETTINGS
        | settings
        | {"HOME": str(home), "PREFECT_HOME": str(home), "TIDEGATE_HOME": str(home)}
    )
    url, database = "", None
    if target == "reference":
        port = free_port()
        url = f"http://127.0.0.1:{port}/api"
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{home}/reference.db"
        command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    else:
        database_url = f"sqlite:///{home}/tidegate.db"
        if target == "tidegate-postgres":
            database_url, database = create_database()
        command = [str(tidegate_binary()), "server", "start", "--host", "127.0.0.1", "--port", "0", "--database-url", database_url]
    log = home / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    return Server(url, process, log, database)


def is_healthy(server: Server, home: Path) -> bool:
    """Whether the server answers; true, too, once its process has ended, for which nobody needs to wait."""
    if server.process.poll() is not None:
        return True
    try:
        server.url = server.url or address_of(server.process, home)
        return bool(server.url) and httpx.get(f"{server.url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def address_of(process: subprocess.Popen[bytes], home: Path) -> str:
    """The address in the file that a Tidegate server writes when it listens, or nothing while it is not there."""
    try:
        written = json.loads((home / "server.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return ""
    return written["api_url"] if written["pid"] == process.pid else ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
