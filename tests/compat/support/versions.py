"""Which scenarios ask for more than an old SDK has; the rest runs with every SDK since 3.0 (`make compat-matrix`)."""

from __future__ import annotations

from importlib.metadata import version

SDK = tuple(int(part) for part in version("prefect").split(".")[:2])

# Files by the first SDK that has what they import, or the commands that they type.
FILES = {
    "test_caching_and_transactions.py": (3, 1),
    "test_concurrency.py": (3, 1),
    "test_deployments.py": (3, 2),
    # 3.0 cannot read a deployment without a work queue, from the reference's present server neither.
    "test_serve.py": (3, 1),
    "test_logs.py": (3, 4),
    "test_command_line.py": (3, 8),
    "test_hosted_mode.py": (3, 8),
    "test_import.py": (3, 8),
    "test_commands.py": (3, 8),
    "test_commands_automations.py": (3, 8),
    # They start a reference server, which is to be the newest.
    "test_tidegate_worker_elsewhere.py": (3, 8),
}
# Scenarios by the first SDK that does what they tell of.
SCENARIOS: dict[str, tuple[int, int]] = {
    "test_results.py::test_json_results_are_readable_files": (3, 6),
    "test_deployments.py::test_pausing_a_deployment_removes_its_scheduled_runs": (3, 4),
    # Delays that are no whole seconds.
    "test_retries.py::test_delayed_task_retry_waits_in_awaiting_retry": (3, 4),
    "test_blocks.py::test_flow_takes_a_block_by_reference": (3, 6),
    "test_caching_and_transactions.py::test_transaction_with_a_key_is_done_once": (3, 4),
    "test_concurrency.py::test_tag_limit_keeps_tasks_apart": (3, 4),
    "test_upstream_worker.py::test_worker_works_without_the_worker_channel": (3, 7),
    "test_variables.py::test_async_flow_reads_and_writes_variables": (3, 1),
    "test_worker_channel.py::test_worker_beats_over_the_channel_and_does_runs": (3, 7),
    "test_worker_channel.py::test_pool_is_made_by_the_worker_over_the_channel": (3, 7),
    "test_worker_channel.py::test_what_a_cancelled_run_left_is_cleaned_up": (3, 7),
}

# Scenarios that run into a fault of these SDKs, whatever the server.
FAULTS: dict[str, set[tuple[int, int]]] = {
    # Its runner signals a process object instead of a process id, for as long as the run is being cancelled.
    "test_serve.py::test_cancelled_served_run_is_stopped": {(3, 2)},
}


def missing_files() -> list[str]:
    return [name for name, since in FILES.items() if since > SDK]


def is_missing(name: str) -> bool:
    """Whether a scenario, named `file::function`, is more than this SDK can do."""
    name = name.split("[")[0]
    return SCENARIOS.get(name, SDK) > SDK or SDK in FAULTS.get(name, ())
