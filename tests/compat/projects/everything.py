"""Fills a server with something of every kind that `tidegate import-from` copies; run once, with PREFECT_API_URL."""

import asyncio
from datetime import timedelta

from prefect import flow
from prefect.automations import Automation, CompoundTrigger, EventTrigger, SequenceTrigger
from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.events import actions
from prefect.variables import Variable
from pydantic import SecretStr


class Inner(Block):
    number: int
    key: SecretStr = SecretStr("under the mat")


class Outer(Block):
    inner: Inner


class Outermost(Block):
    outer: Outer
    also: Inner


@flow
def hello(name: str = "Ada", number: int = 3):
    pass


@flow
def alone():
    pass


def blocks() -> tuple[str, str]:
    Secret(value="sesame").save("door")
    Secret(value={"deep": ["sesame", 1]}).save("structured")
    hook = Webhook(url="http://127.0.0.1:9/", method="POST", headers={"a": "b"}).save("bell")
    inner = Inner(number=7)
    inner.save("inner")
    outer = Outer(inner=inner)
    # Its name comes before those of what it holds.
    outer.save("an-outer")
    Outermost(outer=outer, also=inner).save("an-outermost")
    Outer(inner=Inner(number=8, key="in the data")).save("around-one-of-its-own")
    unnamed = asyncio.run(Inner(number=9)._save(is_anonymous=True))
    return str(hook), str(unnamed)


def variables() -> None:
    for name, value in {
        "text": "words",
        "number": 42,
        "fraction": 0.5,
        "yes": True,
        "nothing": None,
        "list": [1, [None, "two"]],
        "deep": {"minutes": [15], "of": {"what": None}},
        "unicode": "Zoë – ☃",
    }.items():
        Variable.set(name, value, tags=["every", name])


def pools(client) -> None:
    template = {
        "job_configuration": {"command": "{{ command }}", "env": "{{ env }}"},
        "variables": {"type": "object", "properties": {"command": {"type": "string"}, "env": {"type": "object", "default": {"A": "b"}}}},
    }
    client.create_work_pool(
        WorkPoolCreate(name="here", type="process", concurrency_limit=4, description="of here", base_job_template=template)
    )
    client.create_work_pool(WorkPoolCreate(name="resting", type="docker", is_paused=True))
    client.create_work_queue("urgent", work_pool_name="here", priority=1, concurrency_limit=2, description="first")
    client.create_work_queue("slow", work_pool_name="here", is_paused=True)
    default = client.read_work_queue_by_name("default", work_pool_name="here")
    client.update_work_queue(default.id, concurrency_limit=9)


def deployments(block: str) -> tuple[str, str]:
    limit = ConcurrencyLimitConfig(limit=2, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    first = hello.to_deployment(
        "daily",
        work_pool_name="here",
        work_queue_name="urgent",
        parameters={"name": "Grace"},
        tags=["copied"],
        description="# What it does",
        version="7",
        concurrency_limit=limit,
        enforce_parameter_schema=True,
        job_variables={"env": {"BLOCK": f"the block {block}"}},
        schedules=[
            CronSchedule(cron="0 7 * * *", timezone="Europe/Berlin"),
            IntervalSchedule(interval=timedelta(hours=3)),
            RRuleSchedule(rrule="FREQ=WEEKLY;BYDAY=MO"),
        ],
    ).apply()
    second = hello.to_deployment("plain", paused=True).apply()
    alone.to_deployment("daily", concurrency_limit=1).apply()
    return str(first), str(second)


def automations(client, hook: str, first: str, second: str) -> None:
    queue = client.read_work_queue_by_name("urgent", work_pool_name="here").id
    pool = client.read_work_pool("here").id
    on = {"expect": ["thing.happened"], "threshold": 1, "within": timedelta(0)}
    event = EventTrigger(
        match={"prefect.resource.id": f"prefect.deployment.{first}"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.id": "prefect.flow.*"},
        for_each={"prefect.resource.id"},
        **on,
    )
    silence = EventTrigger(posture="Proactive", expect={"never"}, after={"never.began"}, threshold=1, within=timedelta(hours=1))
    parts = [event, EventTrigger(expect=["another"], threshold=2, within=timedelta(minutes=5))]
    run = actions.RunDeployment(deployment_id=first, parameters={"name": "{{ event.id }}"}, job_variables={"env": {"BLOCK": hook}})
    nothing = [actions.DoNothing()]
    for name, trigger, what in [
        ("event", event, [run, actions.CancelFlowRun()]),
        ("silence", silence, [actions.PauseDeployment(deployment_id=second), actions.ResumeDeployment(source="inferred")]),
        ("all", CompoundTrigger(require="all", triggers=parts, within=timedelta(minutes=1)), [actions.PauseWorkQueue(work_queue_id=queue)]),
        ("in order", SequenceTrigger(triggers=parts, within=timedelta(minutes=1)), [actions.PauseWorkPool(work_pool_id=pool)]),
        ("nested", CompoundTrigger(require=1, within=None, triggers=[SequenceTrigger(triggers=parts, within=timedelta(9)), event]), nothing),
        ("calls", event, [actions.CallWebhook(block_document_id=hook, payload="{{ event.event }}")]),
        ("twice", EventTrigger(**on), nothing),
        ("twice", EventTrigger(**on), nothing),
    ]:
        Automation(name=name, description=f"about {name}", trigger=trigger, actions=what, enabled=name != "silence", tags=["x"]).create()


def main() -> None:
    hook, unnamed = blocks()
    variables()
    with get_client(sync_client=True) as client:
        pools(client)
        first, second = deployments(unnamed)
        automations(client, hook, first, second)
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="machine", limit=3, slot_decay_per_second=0.5))
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="off", limit=1, active=False))
        client.create_concurrency_limit(tag="database", concurrency_limit=5)
        search = {"object": "flow_run", "property": "deployment", "type": "string", "operation": "any", "value": [first]}
        client.request("PUT", "/saved_searches/", json={"name": "of daily", "filters": [search]})


if __name__ == "__main__":
    main()
