"""Process work pools and what is deployed to them."""

from __future__ import annotations

from typing import Any

from prefect import Flow
from prefect.client.schemas.actions import WorkPoolCreate

from .api import Api
from .clients import ask
from .processes import PROJECTS
from .waiting import wait_until


def make_pool(name: str) -> None:
    """A process pool with an empty template: the first worker fills it in."""
    ask("create_work_pool", WorkPoolCreate(name=name, type="process"))


def wait_for_worker(api: Api, pool: str) -> dict[str, Any]:
    """The pool's first worker, once it is online and the pool is ready."""

    def online() -> dict[str, Any]:
        workers = api.post(f"/work_pools/{pool}/workers/filter")
        assert workers and workers[0]["status"] == "ONLINE", workers
        assert api.get(f"/work_pools/{pool}")["status"] == "READY"
        return workers[0]

    return wait_until(online, what=f"a worker of {pool}")


def deploy(pool: str, name: str, entrypoint: str = "jobs.py:works", **options: Any) -> str:
    """Deploys a flow of the projects folder to the pool; answers the deployment's id."""
    source = Flow.from_source(source=str(PROJECTS), entrypoint=entrypoint)
    return str(source.deploy(name=name, work_pool_name=pool, print_next_steps=False, ignore_warnings=True, **options))
