"""Starts and stops the two servers on free loopback ports with folders of their own; knows nothing of cases."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

# Loops that change rows on their own time would make recordings depend on the clock.
QUIET_SERVICES = (
    "SCHEDULER", "LATE_RUNS", "FOREMAN", "CANCELLATION_CLEANUP", "PAUSE_EXPIRATIONS", "REPOSSESSOR", "DB_VACUUM",
)
# Triggers and what came of them are looked at soon: the reference does so every five seconds if it is not told.
PROMPT_SERVICES = {
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "0.2",
}
START_DEADLINE = 300.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], address):
    """Run a server until the block ends; yields its API address. `address(home)` is that, or nothing while it is unknown."""
    with tempfile.TemporaryDirectory(prefix="contract-") as home:
        log = pathlib.Path(home) / "server.log"
        filled = {key: value.replace("<home>", home) for key, value in environment.items()}
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command, env={**os.environ, **filled}, stdout=sink, stderr=sink, start_new_session=True
            )
        try:
            yield _wait_until_healthy(lambda: address(pathlib.Path(home), process.pid), process, log)
        finally:
            _stop(process)


def reference(prefect: str):
    """The reference server, its background loops off."""
    port = free_port()
    environment = {
        "PREFECT_HOME": "<home>",
        "PREFECT_PROFILES_PATH": "<home>/profiles.toml",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        **PROMPT_SERVICES,
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in QUIET_SERVICES},
    }
    return running([prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)], environment, lambda *_: f"http://127.0.0.1:{port}/api")


def ours(binary: str, **settings: str):
    """Our server, with the same loops off. It chooses its port: one that we choose may be gone before it is taken."""
    environment = {
        "TIDEGATE_HOME": "<home>",
        "PREFECT_HOME": "<home>",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in QUIET_SERVICES},
        **settings,
    }
    return running([binary, "server", "start", "--host", "127.0.0.1", "--port", "0"], environment, _written_address)


def _written_address(home: pathlib.Path, pid: int) -> str | None:
    """The address in the file that our server writes when it listens."""
    try:
        written = json.loads((home / "server.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return written["api_url"] if written["pid"] == pid else None


def _wait_until_healthy(address, process: subprocess.Popen, log: pathlib.Path) -> str:
    end = time.monotonic() + START_DEADLINE
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        if url := address():
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return url
        # Not a fixed wait: the next look at the port, bounded by the deadline.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
    raise SystemExit(f"the server did not come up; its log:\n{log.read_text(errors='replace')[-4000:]}")


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
