"""Which scenarios ask for more than an old SDK has; the rest runs with every SDK since 3.0 (`make compat-matrix`)."""

from __future__ import annotations

from importlib.metadata import version

SDK = tuple(int(part) for part in version("prefect").split(".")[:2])

# Files by the first SDK that has what they import, or the commands that they type.
FILES = {
    "test_caching_and_transactions.py": (3, 1),
    "test_concurrency.py": (3, 1),
    "test_deployments.py": (3, 2),
    "test_logs.py": (3, 4),
    "test_command_line.py": (3, 8),
    "test_hosted_mode.py": (3, 8),
    "test_import.py": (3, 8),
    "test_commands.py": (3, 8),
    "test_commands_automations.py": (3, 8),
}
# Scenarios by the first SDK that does what they tell of.
SCENARIOS: dict[str, tuple[int, int]] = {}


def missing_files() -> list[str]:
    return [name for name, since in FILES.items() if since > SDK]


def is_missing(name: str) -> bool:
    """Whether a scenario, named `file::function`, is more than this SDK can do."""
    return SCENARIOS.get(name.split("[")[0], SDK) > SDK
