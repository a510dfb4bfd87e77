"""Fails when it is imported for a run: what a worker must make visible on the run."""

import a_package_that_nobody_installed  # noqa: F401
from prefect import flow


@flow
def never_runs():
    return None
