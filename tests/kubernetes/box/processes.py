"""Processes that outlive the command that started them. Their files hold id and start time, so that an id that
came again is never taken for ours. What was not started here is never ended here."""

import contextlib
import os
import signal
import subprocess
import time

from paths import LOGS, PROCESSES, STATE


class Failed(Exception):
    """What went wrong, for the person at the terminal."""


def started_at(process: int) -> str | None:
    """Field 22 of /proc/ID/stat; a process that nobody has waited for yet counts as ended."""
    try:
        with open(f"/proc/{process}/stat") as stat:
            fields = stat.read().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def running(name: str) -> int | None:
    """The id of the process of that name, if it still runs."""
    try:
        process, started = (PROCESSES / name).read_text().split()
    except (OSError, ValueError):
        return None
    return int(process) if started_at(int(process)) == started else None


def start(name: str, *command: object) -> None:
    """Starts a process in a session of its own, unless it runs already; what it says goes to the state's logs."""
    if running(name):
        return
    for folder in (LOGS, PROCESSES):
        folder.mkdir(parents=True, exist_ok=True)
    with open(LOGS / f"{name}.log", "ab") as log:
        child = subprocess.Popen(
            [str(word) for word in command],
            cwd=STATE, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
    (PROCESSES / name).write_text(f"{child.pid} {started_at(child.pid) or 0}\n")


def stop(*names: str) -> None:
    """Asks all of them to end, and kills after three seconds. A killed etcd loses nothing: the page cache outlives it."""
    deadline = time.monotonic() + 3
    for name in names:
        send(name, signal.SIGTERM)
    for name in names:
        while running(name) and time.monotonic() < deadline:
            time.sleep(0.05)
        send(name, signal.SIGKILL)
        (PROCESSES / name).unlink(missing_ok=True)


def send(name: str, number: signal.Signals) -> None:
    if process := running(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def wait_until(what: str, seconds: float, command: list[object], *names: str) -> None:
    """Repeats a command until it succeeds. Gives up when the time is over or one of the named processes has ended."""
    deadline = time.monotonic() + seconds
    words = [str(word) for word in command]
    while subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        dead = [name for name in names if not running(name)]
        if dead or time.monotonic() > deadline:
            why = f"{dead[0]} has ended" if dead else f"not within {seconds:.0f} seconds"
            raise Failed(f"{what}: {why}\n{tail(*(dead or names))}hint: all logs are in {LOGS}")
        time.sleep(0.1)


def tail(*names: str) -> str:
    """The last lines that these processes wrote."""
    text = ""
    for name in names:
        with contextlib.suppress(OSError):
            lines = (LOGS / f"{name}.log").read_text(errors="replace").splitlines()[-5:]
            text += "".join(f"  {name}: {line}\n" for line in lines)
    return text
