"""Starts and stops the two servers on free loopback ports with folders of their own; knows nothing of cases."""

import contextlib
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
START_DEADLINE = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], port: int):
    """Run a server until the block ends; yields its API address."""
    with tempfile.TemporaryDirectory(prefix="contract-") as home:
        log = pathlib.Path(home) / "server.log"
        filled = {key: value.replace("<home>", home) for key, value in environment.items()}
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command, env={**os.environ, **filled}, stdout=sink, stderr=sink, start_new_session=True
            )
        try:
            url = f"http://127.0.0.1:{port}/api"
            _wait_until_healthy(url, process, log)
            yield url
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
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in QUIET_SERVICES},
    }
    return running([prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)], environment, port)


def ours(binary: str):
    """Our server, with the same loops off."""
    port = free_port()
    environment = {
        "TIDEGATE_HOME": "<home>",
        "PREFECT_HOME": "<home>",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in QUIET_SERVICES},
    }
    return running([binary, "server", "start", "--host", "127.0.0.1", "--port", str(port)], environment, port)


def _wait_until_healthy(url: str, process: subprocess.Popen, log: pathlib.Path) -> None:
    end = time.monotonic() + START_DEADLINE
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
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
