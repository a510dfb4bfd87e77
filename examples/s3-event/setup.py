"""Sets up the example: the deployment, the webhook that S3's notifications are sent to, and the automation between them.

Prints the webhook's path. Running it again makes another webhook and another automation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import httpx
from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import EventTrigger, Posture

from flow import new_measurements

HERE = Path(__file__).resolve().parent


def deploy(pool: str):
    """Registers `new-measurements/from-s3`, to run from this folder."""
    return new_measurements.from_source(source=str(HERE), entrypoint="flow.py:new_measurements").deploy(
        name="from-s3", work_pool_name=pool, tags=["example", "s3"], print_next_steps=False
    )


def make_webhook(secret: str) -> str:
    """Makes the webhook; answers its path. EventBridge and SNS both can send a user and a password."""
    with get_client(sync_client=True) as client:
        headers = dict(client._client.headers)
        url = str(client.api_url).rstrip("/")
    webhook = {
        "name": "s3-notifications",
        "description": "Notifications of S3 buckets, from EventBridge or SNS",
        "template": (HERE / "template.jinja").read_text(),
        "verification": {"type": "basic", "secret": secret},
    }
    answer = httpx.post(f"{url}/webhooks/", json=webhook, headers=headers)
    answer.raise_for_status()
    return f"/hooks/{answer.json()['slug']}"


def automate(deployment_id) -> None:
    """Runs the deployment for each new object of the bucket."""
    Automation(
        name="new measurements start a run",
        trigger=EventTrigger(
            expect={"aws.s3.object-created"},
            match={"prefect.resource.id": "aws.s3.measurements/*"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            RunDeployment(
                deployment_id=deployment_id,
                parameters={
                    "bucket": "{{ event.payload.bucket }}",
                    "key": "{{ event.payload.key }}",
                    "size": "{{ event.payload.bytes }}",
                },
            )
        ],
    ).create()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pool", default="local", help="a work pool of type process (default: local)")
    arguments.add_argument("--secret", default="s3:change-me", help="user:password that the sender proves itself with")
    given = arguments.parse_args()
    automate(deploy(given.pool))
    print(make_webhook(given.secret))


if __name__ == "__main__":
    main()
