"""The SDK's asynchronous client, which has had all operations since 3.0; the other one got many of them later."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import get_client


def ask(operation: str, *arguments: Any, **options: Any) -> Any:
    """What the client's method of that name answers."""

    async def asked() -> Any:
        async with get_client() as client:
            return await getattr(client, operation)(*arguments, **options)

    return asyncio.run(asked())


def start(deployment: Any, **options: Any) -> Any:
    """Starts a run of a deployment; answers the run's id."""
    return ask("create_flow_run_from_deployment", deployment, **options).id
