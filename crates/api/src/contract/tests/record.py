"""Writes recorded.json: what the reference answers to the bodies below, for the checker's tests.

Run with the Python of an environment that holds the reference. Nothing is served: every operation's own parameters are
given to the reference's validation. A row is [operation, content type, body as sent, refusals or null].
"""

import asyncio
import email.message
import json
import os
import sys
import tempfile
from pathlib import Path

ID = "11111111-1111-4111-8111-111111111111"
JSON = "application/json"
POLICY = {"max_retries": 3, "retry_delay_seconds": "x"}
CASES = {
    "POST /flows/": [
        {}, {"name": "a"}, {"name": ""}, {"name": "a/b"}, {"name": 5}, {"name": None}, {"name": "é"}, [1], "x", 5, None,
        {"name": "a", "tags": 5}, {"name": "a", "tags": "a"}, {"name": "a", "tags": [1, None, "b"]}, {"name": "a", "zz": 1},
        {"tags": {}, "zz": [1], "yy": None}, {"name": "a", "labels": None}, {"name": "a", "labels": {"a": None, "b": [1]}},
        {"name": "a", "labels": {"a": True, "b": 1, "c": 1.5, "d": "x"}}, {"name": "a", "labels": []},
    ],
    "POST /flows/filter": [
        {}, None, [1], "x", {"limit": "x"}, {"limit": 5.5}, {"limit": None}, {"offset": -1, "limit": [], "sort": "q"},
        {"zz": 1}, {"flows": {"zz": 1}}, {"flows": 5}, {"flows": {"id": {"any_": ["x", ID, 5, None]}, "operator": "or"}},
        {"flows": {"id": {"any_": ID}}}, {"flows": {"name": {"any_": [1], "like_": 2}}}, {"flow_runs": {"state": {"type": {"any_": ["NOPE"]}}}},
        {"flow_runs": {"start_time": {"before_": "nope", "after_": []}}}, {"flow_runs": {"start_time": {"is_null_": "maybe"}}},
        {"deployments": {"paused": {"eq_": 3}}},
    ],
    "POST /flow_runs/": [
        {"flow_id": ID, "state": {"type": "NOPE"}}, {"flow_id": ID[:-1]}, {"flow_id": ID + "0"}, {"flow_id": "g" + ID[1:]},
        {"flow_id": ID, "name": None}, {"flow_id": ID, "name": ["a"]}, {"flow_id": ID, "empirical_policy": POLICY},
        {"flow_id": ID, "state": {"type": "RUNNING", "timestamp": "2020-01-01", "state_details": {"zz": 1, "scheduled_time": ""}}},
        {"flow_id": ID, "parameters": [], "context": "x", "tags": {}},
    ],
    "POST /flow_runs/{id}/set_state": [
        {}, {"state": None}, {"state": {"type": 5}, "force": "maybe"}, {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "2020-13-01T00:00:00Z"}}},
        {"force": "yes"}, {"state": {"type": "PENDING", "name": 5, "message": []}, "zz": 1},
    ],
    "POST /task_runs/": [
        {}, {"task_key": 1, "dynamic_key": None}, {"task_key": "a", "dynamic_key": "0", "cache_key": "x" * 2001},
        {"task_key": "a", "dynamic_key": "0", "task_inputs": {"x": [{"input_type": "task_run", "id": "q"}]}},
        {"task_key": "a", "dynamic_key": "0", "task_inputs": {"x": 5}}, {"task_key": "a", "dynamic_key": "0", "empirical_policy": {"retry_delay": ["a", 1.5]}},
        {"task_key": "a", "dynamic_key": "0", "empirical_policy": {"retry_jitter_factor": -1, "retry_delay": [1] * 51}},
    ],
    "POST /deployments/": [
        {}, {"name": "a"}, {"name": "a", "flow_id": ID, "concurrency_limit": 0}, {"name": "a", "flow_id": ID, "concurrency_limit": 1, "global_concurrency_limit_id": ID},
        {"name": "a", "flow_id": ID, "schedules": [{"schedule": {"interval": -5}}]},
        {"name": "a", "flow_id": ID, "schedules": [{"schedule": {}, "max_scheduled_runs": 51}]}, {"name": "a", "flow_id": ID, "pull_steps": {}, "zz": 1},
        {"name": "a", "flow_id": ID, "concurrency_options": {"collision_strategy": "NOPE", "grace_period_seconds": 5}},
        {"name": "a", "flow_id": ID, "version_info": {"type": "a"}}, {"name": "a", "flow_id": ID, "worker_pool_name": "old"},
    ],
    "POST /deployments/{id}/schedule": [{"start_time": "nope"}, {"start_time": "2020-13-01T00:00:00", "min_runs": "a"}, {"end_time": []}],
    "POST /logs/": [
        {"a": 1}, "x", 5, [5], [{"name": "a", "level": "x", "message": 1, "timestamp": "nope"}],
        [{"name": "a", "level": True, "message": "m", "timestamp": {}}], [{"name": "a", "level": 1, "message": "m", "timestamp": "2030-01-01"}],
    ],
    "POST /variables/": [
        {"name": "Bad Name", "value": 1}, {"name": "a" * 256, "value": 1}, {"name": "a"}, {"name": "a", "value": "x" * 5000},
        {"name": "a", "value": "x" * 20, "tags": None},
    ],
    "POST /artifacts/": [{"key": "A b"}, {"metadata_": {"a": 1}}, {"data": [1], "type": 5}],
    "POST /block_documents/": [{"block_schema_id": ID, "block_type_id": ID}, {"name": "A", "block_schema_id": ID, "block_type_id": ID}, {"name": "a/b"}],
    "POST /block_types/": [{"name": "a", "slug": "A b"}, {"name": "<"}],
    "POST /work_pools/": [
        {"name": " "}, {"name": "a%"}, {"name": "a", "concurrency_limit": -1}, {"name": "a", "base_job_template": {"a": 1}},
        {"name": "a", "base_job_template": {"job_configuration": {"c": "{{ x }}"}, "variables": {"properties": {"y": {}}}}},
        {"name": "a", "storage_configuration": {"zz": 1}},
    ],
    "POST /work_pools/{work_pool_name}/queues": [{"name": "a", "priority": 0}, {"name": "a", "priority": "high", "is_paused": []}],
    "POST /v2/concurrency_limits/": [{"name": "a", "limit": -1}, {"name": "a", "limit": 1, "slot_decay_per_second": -1.5}],
    "POST /v2/concurrency_limits/increment-with-lease": [{"slots": 0, "names": "a", "mode": "x", "lease_duration": 5}, {"slots": 1, "names": [], "lease_duration": 1e9, "holder": {"type": "x"}}],
    "POST /events": [
        [{}], [{"occurred": "2020-01-01T00:00:00Z", "event": "e", "resource": {"a": "b"}, "id": ID}],
        [{"occurred": "2020-01-01T00:00:00Z", "event": "e", "resource": {"prefect.resource.id": ""}, "related": [{"prefect.resource.id": "a"}], "id": ID}],
        [{"occurred": "2020-01-01T00:00:00Z", "event": "e", "resource": {"prefect.resource.id": 5}, "related": [5], "id": 5}], {},
    ],
    "POST /events/filter": [
        {"limit": 51}, {"filter": {"related": {"resources_in_roles": [["a"], ["a", "b", "c"], 5]}}}, {"filter": {"order": "UP", "text": {"query": "q" * 201}}},
        {"filter": {"any_resource": 5}},
    ],
    "POST /automations/": [
        {"name": "a", "trigger": {"type": "event", "posture": "Reactive"}, "actions": [{"type": "nope"}]},
        {"name": "a", "trigger": {"type": "event", "posture": "x", "expect": 5}, "actions": []},
        {"name": "a", "trigger": {"type": "event", "posture": "Proactive", "within": 5.5}, "actions": []},
        {"name": "a", "trigger": {"type": "event", "posture": "Reactive"}, "actions": [{"type": "pause-work-queue"}, {"type": "pause-automation", "source": "inferred", "automation_id": ID}]},
    ],
    "POST /templates/validate": [5, {}, "x"],
    "PATCH /flow_runs/{id}/labels": [[], {"a": 1}, None],
    "POST /flow_runs/{id}/input": [{"key": "a", "value": 5}, {"value": "x"}],
}
RAW = [
    ("POST /flows/", JSON, text)
    for text in (
        "{bad", '{"name":1,}', '{"name"', '{"name":', '{"name" 1}', "[1,", "[1 2]", "[", "{", '{"a":1 "b"}', "{} x", '"open', '"a\\q"', '"\\u12"',
        '"a\nb"', "01", "-", "nul", "  ", '{"name":"é","x":}', "1.", "[,]", "{,}", "tru", '{"a":"\\ud83d"', "{'a':1}",
    )
] + [
    ("POST /flows/", "text/plain", '{"name":"a"}'), ("POST /flows/", "application/vnd.x+json; charset=utf-8", '{"name":5}'),
    ("POST /flows/filter", "text/plain", "anything"), ("POST /flows/", JSON, ""), ("POST /flows/filter", JSON, ""),
]  # fmt: skip


def dependants(dependant):
    for inner in dependant.dependencies:
        yield from dependants(inner)
    yield dependant


def routes(application, found):
    for route in application.routes:
        candidates = getattr(route, "effective_route_contexts", None)
        for candidate in candidates() if callable(candidates) else (route,):
            if hasattr(candidate, "dependant") and getattr(candidate, "methods", None):
                path = candidate.path.removeprefix("/api").replace(":uuid}", "}")
                found.update({f"{method} {path}": candidate for method in candidate.methods})
            elif hasattr(getattr(candidate, "app", None), "routes"):
                routes(candidate.app, found)
    return found


def read(content_type, text):
    if not text:
        return None
    message = email.message.Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    if message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json")):
        return json.loads(text)
    return text.encode()


async def answer(route, content_type, text):
    from fastapi.dependencies.utils import request_body_to_args
    from fastapi.encoders import jsonable_encoder

    try:
        body = read(content_type, text)
    except json.JSONDecodeError as error:
        place = {"loc": ["body", error.pos], "msg": "JSON decode error", "input": {}, "ctx": {"error": error.msg}}
        return [{"type": "json_invalid"} | place]
    embedded = getattr(route, "_embed_body_fields", None)
    if embedded is None:
        embedded = route.route._embed_body_fields
    refusals = []
    for dependant in dependants(route.dependant):
        if dependant.body_params:
            fields = {"body_fields": dependant.body_params, "received_body": body, "embed_body_fields": embedded}
            refusals += (await request_body_to_args(**fields))[1]
    return jsonable_encoder(refusals) or None


def main():
    with tempfile.TemporaryDirectory() as home:
        os.environ["PREFECT_HOME"] = home
        from prefect.server.api.server import create_app

        found = routes(create_app(), {})
        cases = [(op, JSON, json.dumps(body, ensure_ascii=False)) for op, bodies in CASES.items() for body in bodies]
        rows = [[*case, asyncio.run(answer(found[case[0]], *case[1:]))] for case in cases + RAW]
    target = Path(__file__).with_name("recorded.json")
    target.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
    print(f"{len(rows)} rows", file=sys.stderr)


if __name__ == "__main__":
    main()
