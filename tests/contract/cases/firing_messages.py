"""Cases: what goes out because of an automation; webhooks and notifications, their templates and their failures."""

import json

from cases.firing_actions import Acts
from cases.support import flow, flow_run
from harness.receiver import receiving
from harness.registry import case

ABSENT = "00000000-0000-4000-8000-000000000001"


def _kind(c, slug):
    """The block type, made as the SDK makes it where the server does not bring it along; by one of the cases that need it."""
    path = f"/block_types/slug/{slug}"
    if c.ask("GET", path).status != 200:
        made = c.ask("POST", "/block_types/", {"name": slug.replace("-", " ").title(), "slug": slug})
        if made.status == 201:
            fields = {"title": "Sends", "type": "object", "properties": {}, "block_type_slug": slug}
            c.post("/block_schemas/", {"fields": fields, "block_type_id": made["id"], "capabilities": ["notify"]}, quiet=True)
    return c.get(path, quiet=True)


def _block(c, slug, base, data):
    kind = _kind(c, slug)
    of_kind = {"block_schemas": {"block_type_id": {"any_": [kind["id"]]}}}
    schemas = c.until(lambda answer: list(answer), "POST", "/block_schemas/filter", of_kind)
    return c.post("/block_documents/", {"name": c.name(base), "block_type_id": kind["id"], "block_schema_id": schemas[0]["id"], "data": data}, quiet=True)["id"]


def _shown(taken):
    """In an order of their own, and with one way of ending lines: which one a notification has is its receiver's taste."""
    taken = [json.loads(json.dumps(request).replace("\\r\\n", "\\n")) for request in taken]
    return sorted(taken, key=lambda request: (request["request"], str(request["body"])))


def _here(c, address):
    """Makes the receiver's address a symbol: its port is another one each time."""
    c.normaliser.replacements[address] = "<receiver>"
    c.normaliser.replacements[address.removeprefix("http://")] = "<receiver>"


@case
def webhooks(c):
    with receiving() as (address, taken):
        _here(c, address)
        acts = Acts(c)
        # Not with a receiver that refuses: ours tries again later, where the reference is content.
        for name, data in {
            "post": {"method": "POST", "headers": {"x-kept": "sent"}}, "put": {"method": "PUT"}, "get": {"method": "GET"}, "patch": {"method": "PATCH"},
        }.items():
            block = _block(c, "webhook", name, {"url": f"{address}/{name}", **data})
            acts.one(name, {"type": "call-webhook", "block_document_id": block, "payload": "{{ event.payload.n }} {{ automation.name }}"})
        as_object = _block(c, "webhook", "object", {"url": f"{address}/object", "method": "POST"})
        acts.one("object", {"type": "call-webhook", "block_document_id": as_object, "payload": {"message": "{{ event.event }}", "n": 1}})
        acts.one("empty", {"type": "call-webhook", "block_document_id": as_object})
        acts.one("broken-template", {"type": "call-webhook", "block_document_id": as_object, "payload": "{{ 1 / 0 }}"})
        acts.one("absent-block", {"type": "call-webhook", "block_document_id": ABSENT})
        acts.play()
        c.note("what was received", _shown(taken))


@case
def notifications(c):
    with receiving() as (address, taken):
        _here(c, address)
        acts = Acts(c)
        custom = {"name": "ours", "url": f"{address}/custom", "method": "POST", "json_data": {"title": "{{subject}}", "text": "{{body}}", "from": "{{name}}"}}
        # Not with a receiver that refuses: there the reference tries four times and then tells nobody.
        host, _, port = address.removeprefix("http://").partition(":")
        mattermost = {"hostname": host, "port": int(port), "token": "a" * 26, "botname": "ours", "secure": False, "notify_type": "info"}
        blocks = {"custom": _block(c, "custom-webhook", "custom", custom), "mattermost": _block(c, "mattermost-webhook", "mattermost", mattermost)}
        for name, block in blocks.items():
            acts.one(name, {"type": "send-notification", "block_document_id": block, "subject": "{{ automation.name }}", "body": "n is {{ event.payload.n }}"})
        acts.one("no-subject", {"type": "send-notification", "block_document_id": blocks["custom"], "body": "b"})
        acts.one("broken-template", {"type": "send-notification", "block_document_id": blocks["custom"], "body": "{{ 1 / 0 }}"})
        acts.one("absent-block", {"type": "send-notification", "block_document_id": ABSENT, "body": "b"})
        acts.play()
        c.note("what was received", _shown(taken))


TEMPLATES = (
    "{{ event.id }}", "{{ event.resource.id }} {{ event.resource.name }} {{ event.resource['k'] }} {{ event.resource.labels.k }}", "{{ event.resource.get('none', 'default') }}", "{{ event.related[0].role }} {{ event.related | length }}", "{{ event.resource_in_role['flow'].id }}", "{{ event.resources_in_role['flow'] | length }}", "{{ event.payload.deep.a[1] }}",
    "{{ event.missing.deeper }}|", "{{ missing }}|", "{{ automation.name }} {{ automation.enabled }} {{ automation.tags }}", "{{ automation.trigger.type }} {{ automation.actions | length }}", "{{ labels.colour }} {{ labels['colour'] }}", "{{ labels | length }}", "{{ firing.trigger.type }} {{ firing.triggering_labels }}", "{{ firings | length }} {{ events | length }} {{ events[0].event }}",
    "{% if event.payload.n > 0 %}yes{% else %}no{% endif %}", "{% for r in event.related %}{{ loop.index }}:{{ r.id }};{% endfor %}", "{% set x = 3 %}{{ x * 2 }} {{ 7 // 2 }} {{ 7 / 2 }} {{ 2 ** 5 }} {{ 7 % 4 }}", "{{ event.event | upper }} {{ event.event | replace('.', '-') }} {{ 'a' ~ 1 }}", "{{ [3, 1, 2] | sort | join(',') }}", "{{ {'a': 1} | tojson }} {{ event.payload | tojson }}",
    "{{ range(3) | list }}", "{{ range(1000) | list }}", "{% for a in range(5) %}{% for b in range(5) %}x{% endfor %}{% endfor %}", "{{ ''.__class__.__mro__ }}|", "{{ event.__init__.__globals__ }}|", "{{ 'x' * 10 }}", "{{ event.event | length }}", "{{ none }} {{ true }} {{ 1.0 }} {{ 'é' }} {{ '<b>' }}", "{{ 'see flow-run/0e5be0a6-3a07-4f0c-9d3c-5f2a7a1f1c11' | flow_run_id }}",
    "{{ 1234567 | humanize_intcomma }} {{ 3000000 | humanize_naturalsize }}", "{{ flow.name }} {{ flow_run.name }} {{ flow_run.state.name }} {{ flow_run.tags }}", "{{ flow_run.parameters.x }}", "{{ deployment.name }}|{{ work_pool.name }}|", "{{ variables.absent }}|", "{% raw %}{{ x }}{% endraw %} {# no #}", "{{ 'a b' | title }} {{ [1,2] | sum }} {{ 'abc'[1:] }} {{ 'a,b'.split(',') }}",
    "{{ undefined_function() }}", "{{ event.event | nope }}", "  padded {{ 1 }}\n\n", "{{ event.payload.get('n') }} {{ event.payload.get('none', 1) }}",
)


@case
def templates(c):
    """Each template is the body of a notification; what came tells what it became."""
    with receiving() as (address, taken):
        _here(c, address)
        acts = Acts(c)
        f = flow(c)["id"]
        run = flow_run(c, f, "rendered", "RUNNING", parameters={"x": 5}, tags=["t"])["id"]
        related = [
            {"prefect.resource.id": f"prefect.flow.{f}", "prefect.resource.role": "flow", "prefect.resource.name": "a flow"}, {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"},
        ]
        data = {"name": "ours", "url": f"{address}/", "method": "POST", "json_data": {"number": "{{subject}}", "text": "{{body}}"}}
        block = _block(c, "custom-webhook", "templates", data)
        for position, template in enumerate(TEMPLATES):
            action = {"type": "send-notification", "block_document_id": block, "subject": str(position), "body": template}
            made = c.post("/automations/", {"name": c.name("try"), "trigger": {"type": "event", "posture": "Reactive"}, "actions": [action], "enabled": False}, show="name")
            if made["id"] != c.nil and made.status == 201:
                acts.one(f"template-{position}", action, related=related, labels={"k": "v", "colour": "red", "prefect.resource.name": "the thing"}, trigger={"for_each": ["colour"]}, tags=["t"])
        for event in acts.events:
            event["payload"] = {"n": 7, "deep": {"a": [1, 2]}}
        for event in acts.events:
            acts.stage.play(**event)
        acts.stage.settle()
        bodies = {request["body"]["number"]: request["body"]["text"] for request in taken}
        for position, template in enumerate(TEMPLATES):
            c.note(f"template {position}", [template, bodies.get(str(position), "<nothing was sent>")])
        for name in acts.stage.names():
            if bodies.get(name.removeprefix("template-")) is None:
                acts.stage.fired(name, full=True)
