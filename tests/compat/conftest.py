"""Sets the stage: one server per session, homes of their own for the SDK and our commands, and the fixtures that scenarios name.

Imports nothing of the SDK: its settings are fixed in the environment before a test module may import it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from support import targets, versions
from support.api import Api
from support.processes import Processes

# Set by the process that started the server, read by its pytest-xdist children.
URL, HOME = "TIDEGATE_COMPAT_URL", "TIDEGATE_COMPAT_HOME"

# The SDK's settings: everything in a folder of its own, nothing sent home, short intervals, patience with a loaded machine.
SDK_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_API_REQUEST_TIMEOUT": "300",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_CLI_WRAP_LINES": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_WORKER_HEARTBEAT_SECONDS": "3",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "COLUMNS": "200",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", choices=targets.TARGETS, default="tidegate", help="the server under test (default: tidegate)")


def pytest_sessionstart(session: pytest.Session) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts what it starts in the background; a child would inherit it, and not hear its Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config = session.config
    if config.option.collectonly or URL in os.environ:
        return
    home = Path(tempfile.mkdtemp(prefix="tidegate-compat-"))
    server_home, sdk_home = home / "server", home / "sdk"
    server_home.mkdir()
    sdk_home.mkdir()
    server = targets.start(config.option.target, server_home)
    config.stash[SERVER] = (server, home)

    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ.update(SDK_SETTINGS)
    os.environ.update(PREFECT_HOME=str(sdk_home), TIDEGATE_HOME=str(home / "tidegate"), PREFECT_API_URL=server.url)
    os.environ.update({URL: server.url, HOME: str(home)})


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    server, home = session.config.stash.get(SERVER, (None, None))
    if server is None:
        return
    drain_the_sdk()
    server.stop()
    if exitstatus:
        session.config.stash[LAST_WORDS] = server.log.read_text(errors="replace")[-4000:]
    if os.environ.get("TIDEGATE_COMPAT_KEEP"):
        print(f"\nkept: {home}")
    else:
        shutil.rmtree(home, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Of a session with failures: what the server said last."""
    if words := config.stash.get(LAST_WORDS, ""):
        terminalreporter.section("the end of the server's log")
        terminalreporter.write_line(words)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Of a failed scenario: what its file's child processes said last."""
    report = yield
    children = getattr(item, "funcargs", {}).get("processes")
    if report.failed and children is not None:
        report.sections += [(f"the end of {child.log}", child.output[-4000:]) for child in children.children]
    return report


def drain_the_sdk() -> None:
    """Sends what the SDK still holds, or it would look for the stopped server when this process ends."""
    if "prefect" in sys.modules:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        EventsWorker.drain_all(timeout=10)
        APILogWorker.drain_all(timeout=10)


# Files that an SDK of another version cannot even import.
collect_ignore = versions.missing_files()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects, and counts so, what there is not: `tidegate worker` on the reference, and news with an old SDK."""
    own_worker = config.option.target == "reference"
    out = [item for item in items if (own_worker and item.get_closest_marker("own_worker")) or versions.is_missing(f"{item.path.name}::{item.name}")]
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)


SERVER: pytest.StashKey[tuple[targets.Server, Path]] = pytest.StashKey()
LAST_WORDS: pytest.StashKey[str] = pytest.StashKey()


@pytest.fixture(scope="session")
def api() -> Api:
    return Api(os.environ[URL])


@pytest.fixture
def unique() -> Callable[[str], str]:
    """A name that no other scenario uses: all of them share one server."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Child processes (workers, runners, commands) of one file of scenarios; all are gone at its end."""
    with Processes(tmp_path_factory.mktemp("processes")) as children:
        yield children
