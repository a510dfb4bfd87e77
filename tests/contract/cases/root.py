"""Cases: health, versions, transport rules that every route shares (methods, slashes, bodies, version header)."""

from harness.registry import case


@case
def probes(c):
    c.get("/health")
    c.get("/ready")
    c.get("/version")
    c.get("/hello")
    c.get("/admin/version")


@case
def methods_not_allowed(c):
    for method, path in (
        ("POST", "/health"), ("PUT", "/version"), ("DELETE", "/admin/version"), ("HEAD", "/health"), ("GET", "/flows/filter"),
        ("PUT", "/flows/"), ("OPTIONS", "/flows/"), ("POST", f"/flows/{c.nil}"), ("PUT", f"/flows/{c.nil}"),
        ("GET", "/flow_runs/filter"), ("GET", "/flow_runs/count"), ("PUT", f"/flow_runs/{c.nil}"), ("POST", f"/flow_runs/{c.nil}"),
        ("GET", f"/flow_runs/{c.nil}/set_state"), ("GET", "/deployments/filter"), ("PUT", f"/deployments/{c.nil}"),
        ("GET", "/logs/"), ("DELETE", "/logs/"), ("GET", "/work_pools/"), ("PUT", "/work_pools/filter"),
        ("GET", "/v2/concurrency_limits/"), ("GET", "/block_types/"), ("GET", "/block_documents/"), ("GET", "/block_schemas/"),
        ("POST", "/block_capabilities/"), ("GET", "/variables/"), ("GET", "/artifacts/"), ("GET", "/events"),
        ("POST", "/csrf-token"), ("PATCH", "/task_runs/"), ("DELETE", "/flow_run_states/"), ("POST", "/collections/views/x"),
    ):
        c.send(method, path)


@case
def unknown_routes(c):
    for path in ("/nope", "/flows/abc", "/flows/name", "/flow_runs/abc", f"/flow_runs/{c.nil}/nope", "/deployments/name/x", "/"):
        c.get(path)
    c.post("/flow_runs/abc/set_state", {"state": {"type": "RUNNING"}})
    c.get(f"/flows/{{{c.nil}}}")
    c.get(f"/flows/{c.nil.replace('-', '')}")
    c.get("/flows/ABCDEFAB-0000-0000-0000-000000000000")
    c.get("/flows/name/a%2Fb")
    c.post("/flows//filter", {})


@case
def slashes_redirect(c):
    c.get("/flows")
    c.post("/flows", {"name": c.name("flow")})
    c.post("/flow_runs", {})
    c.get("/health/")
    c.get(f"/flows/{c.nil}/")
    c.post("/flows/filter/", {})
    c.post("/flow_runs/filter/?x=1", {})
    c.post("/logs", [])
    c.post("/work_pools", {})
    c.get("/csrf-token/")
    c.post("/events/", [])
    c.get("/block_capabilities")
    c.delete(f"/flows/{c.nil}/")


@case
def version_header(c):
    versions = ("0.8.4", "0.8.0", "0.9.0", "1.0.0", "0.7.9", "0.0.1", "abc", "0.8", "0.8.4.1", "a.b.c", "0.8.x", "", "-1.0.0", "1.0.0-rc", "00.8.4")
    for version in versions:
        headers = {"x-prefect-api-version": version}
        c.get("/version", headers=headers)
        c.get(f"/flows/{c.nil}", headers=headers)
        c.post("/flows/count", {"flows": {"id": {"any_": [c.nil]}}}, headers=headers)
    for path in ("/health", "/ready", "/hello", "/admin/version", "/block_capabilities/", f"/variables/{c.nil}"):
        c.get(path, headers={"x-prefect-api-version": "0.1.0"}, show="status")


@case
def model_body_variants(c):
    """What a body that should be an object may be, on one create."""
    path, typed = "/flows/", {"content-type": "application/json"}
    c.post(path)
    c.post(path, raw="")
    c.post(path, raw="", headers=typed)
    for raw in (
        "null", "[]", '"x"', "1", "true", "{}", "{", "{bad", '{"name":}', '{"name":"x",}', '{"a" 1}', '{"a":1 "b"}', "  ", "[1,", "[1 2]",
        "[1] x", '"abc', '{"a":"\x01"}', '{"a":"\\x"}', '{"a":"\\u12"}', "nul", "tru", "-", "01", "1.", "1e", "'a'", '{"a":1}}', "\ufeff{}",
        '{"name":"\n"}', "{'name': 1}", "[", "]", "}", ",", '{"a":[1,2', '{"a":{"b":', '{\n "a": 1,\n "b": x\n}',
    ):
        c.post(path, raw=raw, headers=typed)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON", "multipart/form-data"):
        c.post(path, raw="{}", headers={"content-type": kind})
    c.post(path, raw="{}")


@case
def filter_body_variants(c):
    """What the body of a list may be: its parts are all optional."""
    own = {"name": {"any_": [c.name("no-such")]}}
    path, typed = "/flows/count", {"content-type": "application/json"}
    flow = c.post("/flows/", {"name": c.name("flow")})
    c.post(path, {"flows": {"id": {"any_": [flow["id"]]}}, "nonsense": 1})
    c.post(path, {"flows": own})
    c.post(path, {"flows": {}}, show="status")
    c.post(path, {}, show="status")
    c.post(path, show="status")
    for raw in ("", "null"):
        c.post(path, raw=raw, headers=typed, show="status")
    for raw in ("[]", "1", '"x"', "true", "{", "{bad", '{"flows":', '{"flows":{}} x', "  "):
        c.post(path, raw=raw, headers=typed)
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        c.post(path, raw='{"flows":"x"}', headers={"content-type": kind}, show="status")
    c.post(path, raw='{"flows":"x"}')
    for path in (
        "/flows/filter", "/flows/paginate", "/flow_runs/filter", "/flow_runs/paginate", "/flow_runs/count", "/task_runs/filter",
        "/task_runs/count", "/task_runs/paginate", "/deployments/filter", "/deployments/paginate", "/deployments/count", "/logs/filter",
        "/artifacts/filter", "/artifacts/latest/filter", "/artifacts/count", "/artifacts/latest/count", "/variables/filter", "/variables/count",
        "/work_pools/filter", "/work_pools/count", "/block_types/filter", "/block_documents/filter", "/block_documents/count",
        "/block_schemas/filter", "/v2/concurrency_limits/filter", "/flow_runs/lateness", "/deployments/get_scheduled_flow_runs",
        "/events/filter", "/v2/concurrency_limits/increment", "/v2/concurrency_limits/decrement", "/flow_runs/history",
    ):
        c.post(path, [])
        c.post(path, show="status")


@case
def compressed_answers(c):
    """Large answers are gzipped when asked; the body stays the same."""
    names = [c.name(f"flow-{index}") for index in range(5)]
    for name in names:
        c.post("/flows/", {"name": name}, quiet=True)
    body = {"flows": {"name": {"any_": names}}, "sort": "NAME_ASC"}
    for accepted in ("gzip", "gzip, deflate", "identity", "deflate", None):
        answer = c.post("/flows/filter", body, headers={"accept-encoding": accepted}, show="name")
        assert answer.response is not None
        c.steps[-1]["headers"] = {"content-encoding": answer.response.headers.get("content-encoding", "<none>")}


@case
def csrf_is_off(c):
    c.get("/csrf-token?client=me")
    c.get("/csrf-token")
