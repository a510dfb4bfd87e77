"""Webhooks: the upstream command line keeps them, and senders' requests become events."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid

import httpx
import pytest
from support.waiting import wait_until

pytestmark = pytest.mark.own_worker

TEMPLATE = """{"event": "github.{{ headers['X-GitHub-Event'] }}.{{ body.action }}",
 "resource": {"prefect.resource.id": "github.{{ body.repository.full_name }}"}, "payload": {{ body|tojson }}}"""


def hook_url(api, webhook):
    return f"{api.url.removesuffix('/api')}/hooks/{webhook['slug']}"


def events_of(api, resource):
    return api.post("/events/filter", {"filter": {"resource": {"id": [resource]}}})["events"]


def test_signed_request_becomes_an_event(api, unique):
    repository = unique("repository")
    secret = {"type": "github", "secret": "a secret"}
    webhook = api.post("/webhooks/", {"name": unique("hook"), "template": TEMPLATE, "verification": secret})
    body = json.dumps({"action": "opened", "repository": {"full_name": repository}}).encode()
    signature = hmac.new(b"a secret", body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "issues", "Content-Type": "application/json"}

    forged = httpx.post(hook_url(api, webhook), content=body, headers=headers | {"X-Hub-Signature-256": "sha256=00"})
    genuine = httpx.post(
        hook_url(api, webhook), content=body, headers=headers | {"X-Hub-Signature-256": f"sha256={signature}"}
    )

    assert (forged.status_code, genuine.status_code) == (401, 204)
    (event,) = wait_until(lambda: events_of(api, f"github.{repository}"))
    assert event["event"] == "github.issues.opened"
    assert event["payload"]["repository"] == {"full_name": repository}


def test_cloud_event_is_kept_once(api, unique):
    subject = unique("order")
    webhook = api.post("/webhooks/", {"name": unique("hook"), "template": "{{ body|from_cloud_event(headers) }}"})
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(uuid.uuid4()),
        "ce-source": "/shop",
        "ce-type": "order.placed",
        "ce-subject": subject,
    }

    answers = [httpx.post(hook_url(api, webhook), json={"total": 3}, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    (event,) = wait_until(lambda: events_of(api, subject))
    assert (event["event"], event["payload"], event["id"]) == ("order.placed", {"total": 3}, headers["ce-id"])
