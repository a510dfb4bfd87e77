"""Input that was made to hurt: every operation answers it with a 4xx, for little work and little memory, and goes on.

Work is told in seconds of the server's processor, which a busy machine does not change. A debug build, which this is run with too,
takes some ten times as long as what people run.
"""

import contextlib
import json
import os
import pathlib
import uuid

import pytest
from conftest import DEADLINE

DOCUMENT = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs/openapi.json").read_text())
OPERATIONS = [
    (method.upper(), path.removeprefix("/api"), operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
WITH_BODY = [(method, path) for method, path, operation in OPERATIONS if "requestBody" in operation]
ABSENT = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
# Of the processor, for one request of a few bytes; and for one of ten megabytes.
LITTLE, MORE = 1.0, 15.0
# What the server's peak may rise by, beside what it was sent.
MEMORY = 64 * 1024 * 1024
LARGE = 10_000_000
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def server(make_server):
    return make_server().start()


def filled(path):
    """The path with an id of nothing where it wants one, and a name of nothing elsewhere."""
    def fill(part):
        if not part.startswith("{"):
            return part
        return ABSENT if part == "{id}" or part.endswith("_id}") else "nothing"
    return "/".join(map(fill, path.split("/")))


def work(server):
    """Seconds of the processor that the server has had."""
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@contextlib.contextmanager
def at_most(server, seconds, what):
    before = work(server)
    yield
    took = work(server) - before
    assert took <= seconds, f"{what}: {took} s of the processor"


def send(server, method, path, content, seconds=LITTLE, headers=None):
    headers = {"content-type": "application/json", **(headers or {})}
    with at_most(server, seconds, f"{method} {path} {content[:60]!r}"):
        answer = server.client.request(method, path, content=content, headers=headers, timeout=DEADLINE)
    # A value is repeated for each thing that is wrong with it, of which there are few.
    assert answer.is_success or len(answer.content) < 6 * len(content) + 100_000, (method, path, len(answer.content))
    return answer


def refused(server, method, path, content, **options):
    answer = send(server, method, path, content, **options)
    assert 400 <= answer.status_code < 500, (method, path, content[:60], answer.status_code, answer.text[:300])
    assert answer.json(), (method, path)
    return answer


MALFORMED = {"cut off": '{"name": ', "two values": "{} {}", "a bare word": "nope", "not UTF-8": b'{"name": "\xff"}', "a lone surrogate": '{"name": "\\ud800"}', "NaN": '{"name": NaN}'}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_no_json_is_refused_by_every_operation(server, kind):
    for method, path in WITH_BODY:
        refused(server, method, filled(path), MALFORMED[kind])
    assert server.get("/health") is True


def test_values_of_the_wrong_kind_are_refused_by_every_operation(server):
    for method, path in WITH_BODY:
        for content in ('"text"', "5", "true", "[[]]"):
            answer = send(server, method, filled(path), content)
            # A filter's whole body may be left out, and a few operations take any JSON at all.
            assert answer.status_code < 500, (method, path, content, answer.text[:300])
    for method, path, content in (
        ("POST", "/flows/", '{"name": []}'), ("POST", "/flow_runs/filter", '{"limit": "many"}'), ("POST", "/logs/", '[{"level": "loud"}]'),
        ("POST", "/events", '[{"event": 5}]'), ("POST", "/variables/", '{"name": {}, "value": 1}'), ("POST", "/webhooks/", '{"name": 1, "template": 2}'),
    ):
        assert refused(server, method, path, content).status_code == 422


def test_deep_nesting_is_refused_by_every_operation(server):
    before = peak(server)
    for method, path in WITH_BODY:
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            refused(server, method, filled(path), opening * 10_000 + "1" * (closing == "}") + closing * 10_000)
    assert peak(server) - before < MEMORY


def test_ids_that_are_none_lead_nowhere(server):
    for method, path, _ in OPERATIONS:
        for parameter in (part for part in path.split("/") if part == "{id}" or part.endswith("_id}")):
            if parameter == "{resource_id}":
                # Of an event's resource, which may be any text.
                continue
            for text in ("x", "0", ABSENT[:-1], ABSENT + "0", f"{{{ABSENT}}}", f"urn:uuid:{ABSENT}", "%00", "..%2f", "9" * 10_000):
                refused(server, method, filled(path.replace(parameter, text)), "{}")


def test_large_bodies_cost_what_they_weigh(server):
    text = "x" * LARGE
    for method, path, content in (
        ("POST", "/flows/", json.dumps([text])),
        ("POST", "/flows/", "[" + "1," * (LARGE // 2) + "1]"),
        ("POST", "/flow_runs/filter", json.dumps({"flow_runs": {"id": {"any_": [text]}}})),
        ("POST", "/logs/", json.dumps([{"message": text}])),
        ("POST", "/events", json.dumps([{"event": text}])),
        ("POST", "/deployments/", json.dumps({"name": "d", "flow_id": text})),
        ("POST", f"/flow_runs/{ABSENT}/set_state", json.dumps({"state": text})),
        ("POST", "/templates/validate", json.dumps("{{ " + text[: LARGE - 100])),
    ):
        refused(server, method, path, content, seconds=MORE)
    # However often: what one request needed is given back, or used by the next.
    after = peak(server)
    for _ in range(5):
        refused(server, "POST", "/flows/", json.dumps([text]), seconds=MORE)
    assert peak(server) - after < MEMORY


def test_reserved_names_are_refused(server):
    for method, path, body in (
        ("POST", "/work_pools/", {"name": "prefect-mine", "type": "process"}),
        ("POST", "/block_types/", {"name": "Prefect Mine", "slug": "prefect-mine"}),
        ("POST", "/flows/", {"name": "a/b"}),
        ("POST", "/variables/", {"name": "Not A Name", "value": 1}),
    ):
        refused(server, method, path, json.dumps(body))


CIRCLES = {
    "itself": {"type": "object", "properties": {"x": {"$ref": "#/definitions/a"}}, "definitions": {"a": {"$ref": "#/definitions/a"}}},
    "each other": {"type": "object", "properties": {"x": {"$ref": "#/definitions/a"}}, "definitions": {"a": {"allOf": [{"$ref": "#/definitions/b"}]}, "b": {"anyOf": [{"$ref": "#/definitions/a"}]}}},
    "the whole": {"type": "object", "properties": {"x": {"$ref": "#"}}, "required": ["x"]},
    "many ways": {"type": "object", "properties": {"x": {"$ref": "#/definitions/a0"}}, "definitions": {**{f"a{n}": {"allOf": [{"$ref": f"#/definitions/a{n + 1}"}] * 10} for n in range(20)}, "a20": {"type": "integer"}}},
}


@pytest.mark.parametrize("kind", CIRCLES)
def test_circles_in_schemas_of_parameters_end(server, kind):
    flow = server.flow()
    values = {"x": {"x": {"x": 1}}}
    body = {"name": uuid.uuid4().hex, "flow_id": flow["id"], "parameter_openapi_schema": CIRCLES[kind], "enforce_parameter_schema": True}
    made = send(server, "POST", "/deployments/", json.dumps(body))
    assert made.status_code < 500, made.text[:300]
    if made.status_code == 201:
        run = send(server, "POST", f"/deployments/{made.json()['id']}/create_flow_run", json.dumps({"parameters": values}))
        assert run.status_code < 500, run.text[:300]
    validated = send(server, "POST", "/ui/schemas/validate", json.dumps({"schema": CIRCLES[kind], "values": values}))
    assert validated.status_code < 500, validated.text[:300]


BOMBS = {
    "a long range": "{% for n in range(1000000000) %}x{% endfor %}",
    "a list of a long range": "{{ range(1000000000) | list }}",
    "loops in loops": "{% for a in range(100) %}{% for b in range(100) %}{% for c in range(100) %}{% for d in range(100) %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    "a large text": "{{ 'x' * 1000000000 }}",
    "a large power": "{{ 10 ** 1000000000 }}",
    "powers of powers": "{{ 9 ** 9 ** 9 ** 9 }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a recursive loop": "{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}",
    "wide padding": "{{ 'x'.center(1000000000) }}",
    "deep brackets": "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "deep conditions": "{% if true %}" * 5_000 + "{% endif %}" * 5_000,
    "many operators": "{{ 1" + " + 1" * 100_000 + " }}",
    "operators behind a text": "{{ '}}' ~ 1" + "+1" * 100_000 + " }}",
    "many branches": "{% if 0 %}" + "{% elif 0 %}x" * 10_000 + "{% endif %}",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_templates_that_never_end_are_stopped(server, kind):
    bomb, before = BOMBS[kind], peak(server)
    deployment = server.post("/deployments/", {"name": "d", "flow_id": server.flow()["id"]})
    parameters = {"x": {"__prefect_kind": "jinja", "template": bomb}}
    run = send(server, "POST", f"/deployments/{deployment['id']}/create_flow_run", json.dumps({"parameters": parameters}))
    # What can be made within the bounds is made; none of these needs more than that.
    assert run.status_code < 500 and len(run.content) < 2_000_000 + len(bomb) * 3, (run.status_code, run.text[:300])
    for path in ("/templates/validate", "/automations/templates/validate"):
        assert send(server, "POST", path, json.dumps(bomb)).status_code < 500, path
    webhook = server.post("/webhooks/", {"name": "w", "template": "{{ body }}"})
    changed = send(server, "PATCH", f"/webhooks/{webhook['id']}", json.dumps({"template": bomb}))
    assert changed.status_code < 500, changed.text[:300]
    if changed.status_code == 200:
        address = server.url.removesuffix("/api") + f"/hooks/{webhook['slug']}"
        with at_most(server, LITTLE, f"{kind} in a webhook"):
            answer = server.client.post(address, json={"n": 1})
        assert answer.status_code < 500, answer.text[:300]
    assert peak(server) - before < MEMORY, kind
    assert server.get("/health") is True


@pytest.mark.parametrize("query", ["(a+)+$", "((((" * 50, '"' * 199, "a" * 199, "-" * 199, "+" * 199, ".*" * 99, "%" * 199, "_" * 199, "\\" * 199, "\\x00", "NEAR(a b)", "a OR " * 39, "*", "' OR 1=1 --"])
def test_texts_to_search_for_are_texts(server, query):
    lines = [{"name": "n", "level": 20, "message": "a" * 5_000 + "!", "timestamp": f"2026-01-01T00:00:{second:02}Z"} for second in range(60)]
    assert server.client.post("/logs/", json=lines).status_code == 201
    for path, body in (("/logs/filter", {"logs": {"text": {"query": query}}}), ("/events/filter", {"filter": {"text": {"query": query}}})):
        answer = send(server, "POST", path, json.dumps(body))
        assert answer.status_code < 500, (path, answer.text[:300])


def test_a_text_to_search_for_has_an_end(server):
    for path, body in (("/logs/filter", {"logs": {"text": {"query": "a" * 100_000}}}), ("/events/filter", {"filter": {"text": {"query": "a" * 100_000}}})):
        assert refused(server, "POST", path, json.dumps(body)).status_code == 422
