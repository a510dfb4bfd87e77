"""The upstream process worker with the one thing that its release leaves to others: ending a process by its id. With it the
worker takes messages of what it shall clean up. Run with the pool's name."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from prefect.exceptions import InfrastructureNotFound
from prefect.workers.process import ProcessWorker


class EndingWorker(ProcessWorker):
    async def kill_infrastructure(self, infrastructure_pid, configuration, grace_seconds=30):
        try:
            os.kill(int(infrastructure_pid.rpartition(":")[2]), signal.SIGKILL)
        except ProcessLookupError as error:
            raise InfrastructureNotFound(infrastructure_pid) from error


if __name__ == "__main__":
    asyncio.run(EndingWorker(work_pool_name=sys.argv[1], name="ending").start())
