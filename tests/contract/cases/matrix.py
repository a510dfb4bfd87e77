"""Cases made from tables: every field of every request model and filter against values of every JSON kind.

`matrix_fields.json` names the fields (frozen from the reference's OpenAPI document). Only status, and of a 422 the
errors, are compared: what a value does is for the nouns' own cases.
"""

import json
import pathlib

from cases.support import deployment, flow, flow_run, pool, task_run
from harness.registry import named

FIELDS = json.loads(pathlib.Path(__file__).with_name("matrix_fields.json").read_text())
SOME_ID = "99999999-9999-4999-8999-999999999999"
VALUES = (None, True, 5, -1, 1.5, "x", "", "5", "2030-01-01T00:00:00Z", SOME_ID, [], ["x"], [5], [None], [SOME_ID], {}, {"a": 1}, {"a": None})
FILTER_VALUES = (None, True, 5, 1.5, "x", "2030-01-01T00:00:00Z", [], ["x"], [5], [SOME_ID], {}, {"a": 1})


def _put(path, value):
    """`a.b` = value as nested objects."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def _model(noun, model, prepare, values=VALUES):
    """`prepare(c)` returns `send(changes, unique)` that sends the model with `changes` on a good base."""

    for field in FIELDS["models"][model]:

        def run(c, field=field):
            send = prepare(c)
            for index, value in enumerate(values):
                if field in ("name", "slug") and isinstance(value, str) and value:
                    # Names are unique per kind of thing, so that the cases stay independent.
                    value = f"{value.lower()}-{c.token}".replace(":", "-")
                send({field: value}, f"{index}-{c.token}")

        named(noun, f"{model}_{field}")(run)


def _poster(path, base, names=("name",)):
    def prepare(c):
        context = base(c)

        def send(changes, unique):
            body = {**context["body"], **{name: f"m-{unique}" for name in names}, **changes}
            c.post(context.get("path", path), body if not context.get("wrap") else context["wrap"](body), brief=True)

        return send

    return prepare


def _patcher(make):
    def prepare(c):
        path = make(c)
        return lambda changes, unique: c.patch(path, changes, brief=True)

    return prepare


def _nested(path, key, base, wrap=lambda body, inner, key: {**body, key: inner}):
    """A model inside another model's field `key`."""

    def prepare(c):
        context = base(c)

        def send(changes, unique):
            c.post(context.get("path", path), wrap({**context["body"], "name": f"m-{unique}"}, {**context.get("inner", {}), **changes}, key), brief=True)

        return send

    return prepare


def _run_body(c):
    return {"body": {"flow_id": flow(c)["id"]}}


def _state_body(c):
    return {"body": {"flow_id": flow(c)["id"]}, "inner": {"type": "PENDING"}}


def _task_body(c):
    parent = flow_run(c, flow(c)["id"], "parent", "RUNNING")
    return {"body": {"flow_run_id": parent["id"], "task_key": "k", "dynamic_key": "0"}}


def _deployment_run(c):
    made = deployment(c, flow(c)["id"], work_pool_name=pool(c)["name"])
    return {"body": {}, "path": f"/deployments/{made['id']}/create_flow_run"}


def _schedules(c):
    made = deployment(c, flow(c)["id"])
    return {"body": {"schedule": {"interval": 86400, "anchor_date": "2020-01-01T00:00:00Z"}, "active": False}, "path": f"/deployments/{made['id']}/schedules", "wrap": lambda body: [body]}


def _schedule(c):
    made = deployment(c, flow(c)["id"], schedules=[{"schedule": {"interval": 86400}, "active": False, "slug": "s"}])
    return f"/deployments/{made['id']}/schedules/{made['schedules'][0]['id']}"


def _queue(c):
    home = pool(c)
    c.post(f"/work_pools/{home['name']}/queues", {"name": "q"}, quiet=True)
    return f"/work_pools/{home['name']}/queues/q"


def _block(c):
    kind = c.post("/block_types/", {"name": c.name("kind"), "slug": c.name("kind")}, quiet=True)
    fields = {"title": "K", "type": "object", "properties": {}, "block_type_slug": kind["slug"], "block_schema_references": {}}
    schema = c.post("/block_schemas/", {"fields": fields, "block_type_id": kind["id"]}, quiet=True)
    return kind, schema, fields


def _document(c):
    kind, schema, _ = _block(c)
    made = c.post("/block_documents/", {"name": c.name("d"), "block_type_id": kind["id"], "block_schema_id": schema["id"], "data": {}}, quiet=True)
    return f"/block_documents/{made['id']}"


def _block_schema_body(c):
    kind, _, fields = _block(c)
    return {"body": {"block_type_id": kind["id"], "fields": fields}}


def _block_document_body(c):
    kind, schema, _ = _block(c)
    return {"body": {"block_type_id": kind["id"], "block_schema_id": schema["id"], "data": {}}}


def _made(path, body=None, quiet_path=None):
    """The path of a freshly made object."""
    return lambda c: f"{path}{c.post(quiet_path or path, {'name': c.name('m'), **(body(c) if body else {})}, quiet=True)['id']}"


LOG = {"name": "n", "level": 20, "message": "m", "timestamp": "2035-01-01T00:00:00Z"}
EVENT = {"id": SOME_ID, "occurred": "2035-01-01T00:00:00Z", "event": "e", "resource": {"prefect.resource.id": "r"}}

_model("matrix_flows", "FlowCreate", _poster("/flows/", lambda c: {"body": {}}))
_model("matrix_flows", "FlowUpdate", _patcher(_made("/flows/")))
_model("matrix_runs", "FlowRunCreate", _poster("/flow_runs/", _run_body))
_model("matrix_runs", "FlowRunUpdate", _patcher(lambda c: f"/flow_runs/{flow_run(c, flow(c)['id'])['id']}"))
_model("matrix_runs", "DeploymentFlowRunCreate", _poster("", _deployment_run))
_model("matrix_runs", "StateCreate", _nested("/flow_runs/", "state", _state_body))
_model("matrix_runs", "StateDetails", _nested("/flow_runs/", "state", _state_body, lambda body, inner, key: {**body, key: {"type": "PENDING", "state_details": {k: v for k, v in inner.items() if k != "type"}}}))
_model("matrix_runs", "FlowRunPolicy", _nested("/flow_runs/", "empirical_policy", _run_body))
_model("matrix_runs", "TaskRunCreate", _poster("/task_runs/", _task_body))
_model("matrix_runs", "TaskRunPolicy", _nested("/task_runs/", "empirical_policy", _task_body))
_model("matrix_runs", "TaskRunUpdate", _patcher(lambda c: f"/task_runs/{task_run(c, flow_run(c, flow(c)['id'])['id'])['id']}"))
_model("matrix_deployments", "DeploymentCreate", _poster("/deployments/", _run_body))
_model("matrix_deployments", "DeploymentUpdate", _patcher(lambda c: f"/deployments/{deployment(c, flow(c)['id'])['id']}"))
_model("matrix_deployments", "DeploymentScheduleCreate", _poster("", _schedules, names=()))
_model("matrix_deployments", "DeploymentScheduleUpdate", _patcher(_schedule))
_model("matrix_pools", "WorkPoolCreate", _poster("/work_pools/", lambda c: {"body": {"type": "process"}}))
_model("matrix_pools", "WorkPoolUpdate", _patcher(lambda c: f"/work_pools/{pool(c)['name']}"))
_model("matrix_pools", "WorkQueueCreate", _poster("", lambda c: {"body": {}, "path": f"/work_pools/{pool(c)['name']}/queues"}))
_model("matrix_pools", "WorkQueueUpdate", _patcher(_queue), [value for value in VALUES if value not in ("x", "5", SOME_ID, "2030-01-01T00:00:00Z")])
_model("matrix_blocks", "BlockTypeCreate", _poster("/block_types/", lambda c: {"body": {}}, names=("name", "slug")))
_model("matrix_blocks", "BlockTypeUpdate", _patcher(lambda c: f"/block_types/{_block(c)[0]['id']}"))
_model("matrix_blocks", "BlockSchemaCreate", _poster("/block_schemas/", _block_schema_body, names=()))
_model("matrix_blocks", "BlockDocumentCreate", _poster("/block_documents/", _block_document_body))
_model("matrix_blocks", "BlockDocumentUpdate", _patcher(_document))
_model("matrix_small", "VariableCreate", _poster("/variables/", lambda c: {"body": {"value": 1}}))
_model("matrix_small", "VariableUpdate", _patcher(_made("/variables/", lambda c: {"value": 1})), [value for value in VALUES if value not in ("x", "5", SOME_ID)])
_model("matrix_small", "ArtifactCreate", _poster("/artifacts/", lambda c: {"body": {}}, names=()))
_model("matrix_small", "ArtifactUpdate", _patcher(lambda c: f"/artifacts/{c.post('/artifacts/', {'data': 1}, quiet=True)['id']}"))
_model("matrix_small", "ConcurrencyLimitV2Create", _poster("/v2/concurrency_limits/", lambda c: {"body": {"limit": 1}}))
_model("matrix_small", "ConcurrencyLimitV2Update", _patcher(_made("/v2/concurrency_limits/", lambda c: {"limit": 1})), [value for value in VALUES if value not in ("x", "5", SOME_ID, "2030-01-01T00:00:00Z")])
_model("matrix_small", "LogCreate", _poster("/logs/", lambda c: {"body": LOG, "wrap": lambda body: [body]}, names=()))
_model("matrix_small", "Event", _poster("/events", lambda c: {"body": EVENT, "wrap": lambda body: [body]}, names=()))

FILTERED = {
    "FlowFilter": ("/flows/filter", "flows"), "FlowRunFilter": ("/flow_runs/filter", "flow_runs"), "TaskRunFilter": ("/task_runs/filter", "task_runs"), "DeploymentFilter": ("/deployments/filter", "deployments"),
    "WorkPoolFilter": ("/work_pools/filter", "work_pools"), "LogFilter": ("/logs/filter", "logs"), "VariableFilter": ("/variables/filter", "variables"), "ArtifactFilter": ("/artifacts/filter", "artifacts"),
    "ArtifactCollectionFilter": ("/artifacts/latest/filter", "artifacts"), "BlockTypeFilter": ("/block_types/filter", "block_types"), "BlockSchemaFilter": ("/block_schemas/filter", "block_schemas"),
    "BlockDocumentFilter": ("/block_documents/filter", "block_documents"), "EventFilter": ("/events/filter", "filter"), "WorkQueueFilter": ("/flow_runs/filter", "work_pool_queues"),
}
# The reference needs a newer SQLite for text search than many machines have.
SKIPPED = ("text",)


def _filter(model, path, key):
    def run(c):
        for field in FIELDS["filters"][model]:
            if field.split(".")[0] not in SKIPPED:
                for value in FILTER_VALUES:
                    c.post(path, {key: _put(field, value), "limit": 1}, brief=True)

    named("matrix_filters", model)(run)


for _model_name, (_path, _key) in FILTERED.items():
    _filter(_model_name, _path, _key)


@named("matrix_filters", "list_options")
def list_options(c):
    for path in sorted({path for path, _ in FILTERED.values()}):
        for field in ("limit", "offset", "sort"):
            for value in FILTER_VALUES:
                c.post(path, {field: value}, brief=True)
    for path in ("/flows/paginate", "/flow_runs/paginate", "/task_runs/paginate", "/deployments/paginate"):
        for field in ("limit", "page", "sort"):
            for value in FILTER_VALUES:
                c.post(path, {field: value}, brief=True)
