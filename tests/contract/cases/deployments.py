"""Cases: deployments; upsert, update, delete, pause, work queue check, lists."""

from cases.support import deployment, flow, flow_run, pages, pool, task_run
from harness.registry import case

SCHEMA = {"type": "object", "title": "Parameters", "properties": {"name": {"type": "string", "default": "x"}, "count": {"type": "integer"}}, "required": ["count"]}
EVERY_DAY = {"interval": 86400, "anchor_date": "2020-01-01T00:00:00Z", "timezone": "UTC"}


def _without(key):
    return lambda body: {k: v for k, v in body.items() if k != key}


@case
def create_bare(c):
    parent = flow(c)
    made = c.post("/deployments/", {"name": c.name("d"), "flow_id": parent["id"]})
    c.get(f"/deployments/{made['id']}")
    c.get(f"/deployments/name/{parent['name']}/{c.name('d')}")
    c.get(f"/deployments/name/{parent['name']}/absent")
    c.get(f"/deployments/name/absent/{c.name('d')}")
    c.get(f"/deployments/{c.nil}")
    c.get("/deployments/abc")


@case
def create_with_everything(c):
    parent, home = flow(c, labels={"f": 1}), pool(c)
    made = c.post("/deployments/", {
        "name": c.name("d"), "flow_id": parent["id"], "version": "1", "description": "words", "path": "/p", "entrypoint": "a.py:f", "tags": ["a", "b"], "labels": {"mine": "x"},
        "parameters": {"count": 1}, "parameter_openapi_schema": SCHEMA, "enforce_parameter_schema": True, "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": "/x"}}],
        "job_variables": {"env": {"A": "1"}}, "work_pool_name": home["name"], "work_queue_name": "made-by-deployment", "concurrency_limit": 3, "concurrency_options": {"collision_strategy": "ENQUEUE", "grace_period_seconds": 120},
        "schedules": [{"schedule": EVERY_DAY, "active": False, "slug": "daily", "parameters": {"count": 2}, "max_scheduled_runs": 4}, {"schedule": {"cron": "0 0 * * *", "timezone": "Europe/Berlin"}}],
        "paused": False, "version_info": {"type": "git", "version": "abc"}, "branch": "main",
    })
    c.get(f"/deployments/{made['id']}")
    c.get(f"/deployments/{made['id']}/schedules")
    c.get(f"/work_pools/{home['name']}/queues/made-by-deployment")
    c.get(f"/v2/concurrency_limits/deployment:{made['id']}")


@case
def upsert(c):
    parent, home = flow(c), pool(c)
    body = {"name": c.name("d"), "flow_id": parent["id"], "tags": ["one"], "parameters": {"a": 1}, "description": "first", "version": "1", "schedules": [{"schedule": EVERY_DAY, "active": False}]}
    first = c.post("/deployments/", body, show=["name", "tags", "schedules"])
    c.post("/deployments/", body, show=["name", "tags"])
    c.post("/deployments/", {"name": c.name("d"), "flow_id": parent["id"]})
    c.post("/deployments/", {**body, "tags": ["two"], "work_pool_name": home["name"], "paused": True, "schedules": [{"schedule": {"cron": "1 2 * * *"}, "active": False, "slug": "s"}]})
    c.get(f"/deployments/{first['id']}")
    c.post("/deployments/", {**body, "name": c.name("other")}, show=["name"])
    c.post("/deployments/filter", {"flows": {"id": {"any_": [parent["id"]]}}, "sort": "NAME_ASC"}, show="name")


@case
def create_errors(c):
    parent = flow(c)
    good = {"name": c.name("d"), "flow_id": parent["id"]}
    for body in (
        {}, {"name": "x"}, {"flow_id": parent["id"]}, {**good, "name": None}, {**good, "name": ""}, {**good, "name": "a/b"}, {**good, "name": 1}, {**good, "flow_id": "x"}, {**good, "flow_id": None}, {**good, "flow_id": c.nil},
        {**good, "work_pool_name": "absent"}, {**good, "work_pool_name": 1}, {**good, "work_queue_name": 1}, {**good, "storage_document_id": c.nil}, {**good, "infrastructure_document_id": c.nil}, {**good, "storage_document_id": "x"},
        {**good, "tags": "x"}, {**good, "tags": [1]}, {**good, "tags": None}, {**good, "parameters": []}, {**good, "parameters": None}, {**good, "labels": {"a": None}}, {**good, "job_variables": []}, {**good, "job_variables": None}, {**good, "version": 1}, {**good, "description": 1},
        {**good, "path": 1}, {**good, "entrypoint": 1}, {**good, "pull_steps": {}}, {**good, "pull_steps": [1]}, {**good, "paused": "maybe"}, {**good, "enforce_parameter_schema": "x"}, {**good, "parameter_openapi_schema": []},
        {**good, "concurrency_limit": 0}, {**good, "concurrency_limit": -1}, {**good, "concurrency_limit": "x"}, {**good, "concurrency_limit": 1.5}, {**good, "concurrency_options": {}}, {**good, "concurrency_options": {"collision_strategy": "NOPE"}},
        {**good, "concurrency_options": {"collision_strategy": "ENQUEUE", "grace_period_seconds": 59}}, {**good, "concurrency_options": {"collision_strategy": "ENQUEUE", "grace_period_seconds": 86401}}, {**good, "concurrency_options": 1}, {**good, "global_concurrency_limit_id": c.nil}, {**good, "global_concurrency_limit_id": "x"},
        {**good, "schedules": {}}, {**good, "schedules": [{}]}, {**good, "schedules": [1]}, {**good, "schedules": [{"schedule": {}}]}, {**good, "schedules": [{"schedule": {"cron": "bad"}}]}, {**good, "schedules": [{"schedule": {"cron": "* * *"}}]}, {**good, "schedules": [{"schedule": {"interval": 0}}]},
        {**good, "schedules": [{"schedule": {"interval": -5}}]}, {**good, "schedules": [{"schedule": {"interval": "x"}}]}, {**good, "schedules": [{"schedule": {"rrule": "nope"}}]}, {**good, "schedules": [{"schedule": {"rrule": "FREQ=SECONDLY"}}]}, {**good, "schedules": [{"schedule": {"cron": "0 0 * * *", "timezone": "Mars/One"}}]},
        {**good, "schedules": [{"schedule": {"interval": 60, "timezone": "Mars/One"}}]}, {**good, "schedules": [{"schedule": {"interval": 60, "cron": "0 0 * * *"}}]}, {**good, "schedules": [{"schedule": EVERY_DAY, "active": "x"}]}, {**good, "schedules": [{"schedule": EVERY_DAY, "max_scheduled_runs": 0}]},
        {**good, "schedules": [{"schedule": EVERY_DAY, "max_scheduled_runs": -1}]}, {**good, "schedules": [{"schedule": EVERY_DAY, "slug": "Bad Slug"}]}, {**good, "schedules": [{"schedule": EVERY_DAY, "slug": ""}]}, {**good, "schedules": [{"schedule": EVERY_DAY, "slug": 1}]}, {**good, "schedules": [{"schedule": EVERY_DAY, "parameters": []}]},
        {**good, "schedules": [{"schedule": EVERY_DAY, "slug": "s"}, {"schedule": EVERY_DAY, "slug": "s"}]}, {**good, "schedules": [{"schedule": EVERY_DAY, "unknown": 1}]}, {**good, "unknown": 1}, {**good, "is_schedule_active": True}, {**good, "schedule": EVERY_DAY}, {**good, "manifest_path": "x"},
        {**good, "infra_overrides": {}}, {**good, "version_info": 1}, {**good, "version_info": {"type": 1}}, {**good, "branch": 1}, [],
    ):
        c.post("/deployments/", body, show="status")


@case
def parameters_against_the_schema(c):
    parent = flow(c)
    good = {"name": c.name("d"), "flow_id": parent["id"], "parameter_openapi_schema": SCHEMA}
    c.post("/deployments/", {**good, "parameters": {"count": "x"}}, show=["parameters"])
    c.post("/deployments/", {**good, "parameters": {"count": "x"}, "enforce_parameter_schema": False}, show=["parameters", "enforce_parameter_schema"])
    c.post("/deployments/", {**good, "parameters": {}}, show=["parameters", "enforce_parameter_schema"])
    c.post("/deployments/", {**good, "parameters": {"count": 1, "extra": 2}}, show=["parameters"])
    circular = {"type": "object", "properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"$ref": "#/definitions/A"}}}
    c.post("/deployments/", {"name": c.name("circular"), "flow_id": parent["id"], "parameter_openapi_schema": circular, "parameters": {"a": 1}}, show=["parameters"])
    c.post("/deployments/", {"name": c.name("broken"), "flow_id": parent["id"], "parameter_openapi_schema": {"type": "nope"}, "parameters": {"a": 1}}, show=["parameters"])
    c.post("/deployments/", {"name": c.name("empty"), "flow_id": parent["id"], "parameter_openapi_schema": {}, "parameters": {"a": 1}}, show=["parameters", "parameter_openapi_schema"])
    c.post("/deployments/", {"name": c.name("null"), "flow_id": parent["id"], "parameter_openapi_schema": None, "parameters": {"a": 1}}, show=["parameters", "parameter_openapi_schema"])


@case
def queues_without_a_pool(c):
    parent = flow(c)
    made = c.post("/deployments/", {"name": c.name("d"), "flow_id": parent["id"], "work_queue_name": c.name("legacy")})
    c.get(f"/deployments/{made['id']}/work_queue_check", own=True)
    c.get(f"/work_queues/name/{c.name('legacy')}", show=["name", "priority", "is_paused", "work_pool_name", "filter"])
    none = deployment(c, parent["id"], "none")
    c.get(f"/deployments/{none['id']}/work_queue_check", own=True)
    home = pool(c)
    pooled = deployment(c, parent["id"], "pooled", work_pool_name=home["name"])
    c.get(f"/deployments/{pooled['id']}/work_queue_check", own=True)
    c.get(f"/deployments/{c.nil}/work_queue_check")
    c.get("/deployments/abc/work_queue_check")


@case
def update(c):
    parent, home = flow(c), pool(c)
    made = deployment(c, parent["id"], tags=["a"], description="d", version="1", parameters={"a": 1})
    path = f"/deployments/{made['id']}"
    c.patch(path, {"description": "new", "version": "2", "tags": ["b"], "parameters": {"z": 1}, "path": "/y", "entrypoint": "b.py:g", "job_variables": {"k": 1}, "enforce_parameter_schema": False})
    c.get(path)
    c.patch(path, {"work_pool_name": home["name"]})
    c.get(path, show=["work_pool_name", "work_queue_name", "status"])
    c.patch(path, {"work_pool_name": home["name"], "work_queue_name": "fresh"})
    c.get(path, show=["work_pool_name", "work_queue_name"])
    c.patch(path, {"work_queue_name": "default"})
    c.get(path, show=["work_pool_name", "work_queue_name"])
    c.patch(path, {"paused": True})
    c.get(path, show=["paused", "updated"])
    c.patch(path, {"concurrency_limit": 2, "concurrency_options": {"collision_strategy": "CANCEL_NEW"}})
    c.get(path, show=["concurrency_limit", "concurrency_options", "global_concurrency_limit"])
    c.patch(path, {"concurrency_limit": 5})
    c.get(path, show=["concurrency_limit", "concurrency_options", "global_concurrency_limit"])
    c.patch(path, {"concurrency_limit": None})
    c.get(path, show=["concurrency_limit", "concurrency_options", "global_concurrency_limit"])
    c.patch(path, {"concurrency_options": None})
    c.get(path, show=["concurrency_options"])
    c.patch(path, {})
    for body in (
        {"name": "x"}, {"flow_id": c.nil}, {"tags": None}, {"tags": "x"}, {"parameters": None}, {"parameters": []}, {"description": None}, {"version": None}, {"version": 1}, {"paused": "x"}, {"paused": None}, {"work_pool_name": "absent"}, {"work_pool_name": None}, {"work_queue_name": None},
        {"job_variables": None}, {"job_variables": 1}, {"pull_steps": []}, {"pull_steps": None}, {"concurrency_limit": -1}, {"concurrency_options": {"collision_strategy": "x"}}, {"global_concurrency_limit_id": c.nil}, {"storage_document_id": c.nil}, {"infrastructure_document_id": c.nil},
        {"storage_document_id": "x"}, {"parameter_openapi_schema": {"type": "object"}}, {"enforce_parameter_schema": None}, {"labels": {}}, {"unknown": 1}, {"manifest_path": "x"}, {"is_schedule_active": False}, {"schedule": EVERY_DAY}, {"version_info": {"type": "t", "version": "v"}}, {"branch": "b"}, {"path": None}, {"entrypoint": None}, [],
    ):
        c.patch(path, body)
    c.patch(path)
    c.get(path)
    c.patch(f"/deployments/{c.nil}", {"description": "x"})
    c.patch("/deployments/abc", {"description": "x"})


@case
def update_enforced_parameters(c):
    parent = flow(c)
    made = deployment(c, parent["id"], parameter_openapi_schema=SCHEMA, parameters={"count": 1})
    path = f"/deployments/{made['id']}"
    c.patch(path, {"parameters": {"count": "x"}})
    c.patch(path, {"parameters": {"name": "y"}})
    c.patch(path, {"parameters": {"count": {"__prefect_kind": "json", "value": "7"}}})
    c.get(path, show=["parameters"])
    c.patch(path, {"parameters": {"count": {"__prefect_kind": "json", "value": "{"}}})
    c.patch(path, {"parameters": {"count": "x"}, "enforce_parameter_schema": False})
    c.get(path, show=["parameters", "enforce_parameter_schema"])
    bare = deployment(c, parent["id"], "bare")
    c.patch(f"/deployments/{bare['id']}", {"parameters": {"any": 1}})
    c.get(f"/deployments/{bare['id']}", show=["parameters", "parameter_openapi_schema", "enforce_parameter_schema"])


@case
def shared_concurrency_limit(c):
    parent = flow(c)
    limit = c.post("/v2/concurrency_limits/", {"name": c.name("limit"), "limit": 4}, quiet=True)
    made = c.post("/deployments/", {"name": c.name("d"), "flow_id": parent["id"], "global_concurrency_limit_id": limit["id"]}, show=["concurrency_limit", "global_concurrency_limit", "concurrency_options"])
    c.get(f"/deployments/{made['id']}", show=["concurrency_limit", "global_concurrency_limit"])
    c.patch(f"/deployments/{made['id']}", {"global_concurrency_limit_id": None})
    c.get(f"/deployments/{made['id']}", show=["concurrency_limit", "global_concurrency_limit"])
    c.post("/deployments/", {"name": c.name("both"), "flow_id": parent["id"], "global_concurrency_limit_id": limit["id"], "concurrency_limit": 2}, show=["concurrency_limit", "global_concurrency_limit"])


@case
def delete(c):
    parent = flow(c)
    made = deployment(c, parent["id"], concurrency_limit=1, schedules=[{"schedule": EVERY_DAY, "active": False}])
    run = c.post(f"/deployments/{made['id']}/create_flow_run", {"name": "run"}, quiet=True)
    c.delete(f"/deployments/{made['id']}")
    c.delete(f"/deployments/{made['id']}")
    c.get(f"/deployments/{made['id']}")
    c.get(f"/flow_runs/{run['id']}", show=["name", "deployment_id", "state_type"])
    c.get(f"/v2/concurrency_limits/deployment:{made['id']}")
    c.get(f"/deployments/{made['id']}/schedules")
    c.delete(f"/deployments/{c.nil}")
    c.delete("/deployments/abc")


@case
def pause_and_resume(c):
    made = deployment(c, flow(c)["id"], schedules=[{"schedule": EVERY_DAY, "active": True}, {"schedule": {"cron": "0 0 1 1 *"}, "active": False}])
    path = f"/deployments/{made['id']}"
    show = lambda body: {"paused": body["paused"], "active": [row["active"] for row in body["schedules"]]}  # noqa: E731
    c.get(path, show=show)
    c.post(f"{path}/pause_deployment")
    c.get(path, show=show)
    c.post(f"{path}/pause_deployment")
    c.post(f"{path}/resume_deployment")
    c.get(path, show=show)
    c.post(f"{path}/resume_deployment", {"anything": 1})
    for verb in ("pause_deployment", "resume_deployment"):
        c.post(f"/deployments/{c.nil}/{verb}")
        c.post(f"/deployments/abc/{verb}")


def _some(c):
    one, two, home = flow(c, "one", tags=["ft"]), flow(c, "two"), pool(c)
    made = {
        "a": deployment(c, one["id"], "a", tags=["x", "y"], concurrency_limit=1),
        "b": deployment(c, one["id"], "b", tags=["x"], work_pool_name=home["name"], paused=True),
        "c": deployment(c, two["id"], "c", work_queue_name=c.name("wq")),
    }
    return one, two, home, made


@case
def filter_by_each_field(c):
    one, two, home, made = _some(c)
    own = {"any_": [row["id"] for row in made.values()]}

    def found(**deployments):
        body = {"deployments": {"id": own, **deployments}, "sort": "NAME_ASC"}
        c.post("/deployments/filter", body, show="name")
        c.post("/deployments/count", {"deployments": body["deployments"]})

    found()
    found(id={"any_": [made["a"]["id"]]})
    found(id={"any_": []})
    found(id={"any_": own["any_"], "not_any_": [made["a"]["id"]]})
    found(name={"any_": [c.name("a"), c.name("b")]})
    found(name={"like_": "B-"})
    found(name={"any_": []})
    found(flow_or_deployment_name={"like_": "two-"})
    found(flow_or_deployment_name={"like_": "a-"})
    found(flow_or_deployment_name={"like_": c.token})
    found(flow_or_deployment_name={})
    found(paused={"eq_": True})
    found(paused={"eq_": False})
    found(paused={})
    found(tags={"all_": ["x"]})
    found(tags={"all_": ["x", "y"]})
    found(tags={"any_": ["y", "q"]})
    found(tags={"any_": []})
    found(tags={"all_": []})
    found(tags={"is_null_": True})
    found(tags={"is_null_": False})
    found(tags={"operator": "or_", "all_": ["y"], "is_null_": True})
    found(work_queue_name={"any_": ["default", c.name("wq")]})
    found(work_queue_name={"any_": []})
    found(work_queue_id={"any_": [c.nil]})
    found(concurrency_limit={"ge_": 1})
    found(concurrency_limit={"le_": 0})
    found(concurrency_limit={"is_null_": True})
    found(concurrency_limit={"is_null_": False})
    found(operator="or_", name={"like_": "a-"}, paused={"eq_": True}, id={"any_": []})
    for deployments in (
        {"id": {"any_": ["x"]}}, {"name": {"like_": 1}}, {"paused": {"eq_": "x"}}, {"paused": True}, {"tags": {"all_": 1}}, {"flow_or_deployment_name": {"like_": 1}}, {"flow_or_deployment_name": {"like_": None}}, {"work_queue_name": {"any_": 1}},
        {"concurrency_limit": {"ge_": "x"}}, {"unknown": 1}, {"operator": "x"}, [], {"is_schedule_active": {"eq_": True}},
    ):
        c.post("/deployments/filter", {"deployments": deployments}, show="status")


@case
def filter_by_related(c):
    one, two, home, made = _some(c)
    run = flow_run(c, one["id"], "run", "RUNNING", deployment_id=made["a"]["id"], tags=["rt"])
    task_run(c, run["id"], tags=["tt"])
    own = {"deployments": {"id": {"any_": [row["id"] for row in made.values()]}}}

    def found(**filters):
        c.post("/deployments/filter", {**own, "sort": "NAME_ASC", **filters}, show="name")
        c.post("/deployments/count", {**own, **filters})

    found(flows={"id": {"any_": [one["id"]]}})
    found(flows={"tags": {"all_": ["ft"]}})
    found(flows={})
    found(flow_runs={"tags": {"all_": ["rt"]}})
    found(flow_runs={"state": {"type": {"any_": ["RUNNING"]}}})
    found(flow_runs={})
    found(task_runs={"tags": {"all_": ["tt"]}})
    found(task_runs={})
    found(work_pools={"name": {"any_": [home["name"]]}})
    found(work_pools={})
    found(work_pool_queues={"name": {"any_": ["default"]}})
    found(work_pool_queues={"name": {"startswith_": "wq"}})
    found(work_pool_queues={})


@case
def sorts_and_pages(c):
    _, _, _, made = _some(c)
    c.patch(f"/deployments/{made['a']['id']}", {"description": "touched"}, quiet=True)
    own = {"deployments": {"id": {"any_": [row["id"] for row in made.values()]}}}
    for sort in ("NAME_ASC", "NAME_DESC", "CREATED_DESC", "UPDATED_DESC"):
        c.post("/deployments/filter", {**own, "sort": sort}, show="name")
    for sort in ("CREATED_ASC", "x", 1):
        c.post("/deployments/filter", {**own, "sort": sort})
    for limit, offset in ((2, 0), (2, 2), (0, 0), (201, 0), (-1, 0), ("x", 0), (1, -1)):
        c.post("/deployments/filter", {**own, "sort": "NAME_ASC", "limit": limit, "offset": offset}, show="name")
    for limit, page in ((2, 1), (2, 2), (3, 2), (None, 1), (201, 1), (2, 0), (2, "x")):
        c.post("/deployments/paginate", {**own, "sort": "NAME_ASC", "limit": limit, "page": page}, show=pages())
    c.post("/deployments/paginate", {"deployments": {"id": {"any_": []}}})
    c.post("/deployments/paginate", {**own, "limit": 1, "sort": "NAME_ASC"})
    c.post("/deployments/filter", {**own, "sort": "NAME_ASC"})


@case
def bulk_delete(c):
    parent = flow(c)
    made = [deployment(c, parent["id"], name)["id"] for name in ("a", "b", "c")]
    waiting = c.post(f"/deployments/{made[0]}/create_flow_run", {"name": "run"}, quiet=True)
    own = {"flows": {"id": {"any_": [parent["id"]]}}}
    c.post("/deployments/bulk_delete", {"deployments": {"id": {"any_": made[:1]}}})
    c.get(f"/deployments/{made[0]}")
    c.get(f"/flow_runs/{waiting['id']}", show="status")
    c.post("/deployments/count", own)
    c.post("/deployments/bulk_delete", {"deployments": {"id": {"any_": made[1:]}}, "limit": 1}, show=lambda body: len(body["deleted"]))
    c.post("/deployments/count", own)
    c.post("/deployments/bulk_delete", {"deployments": {"id": {"any_": [c.nil]}}})
    for body in ({"deployments": {"id": {"any_": ["x"]}}}, {"deployments": {"id": {"any_": [c.nil]}}, "limit": 51}, {"deployments": {"id": {"any_": [c.nil]}}, "limit": 0}, {"deployments": {"id": {"any_": [c.nil]}}, "unknown": 1}, []):
        c.post("/deployments/bulk_delete", body, brief=True)
