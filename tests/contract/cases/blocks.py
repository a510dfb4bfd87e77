"""Cases: block types, schemas, documents and capabilities; checksums, nested references, secrets, merging."""

from cases.support import deployment, flow
from harness.registry import case

FIELDS = {
    "title": "Thing", "type": "object", "block_type_slug": "", "block_schema_references": {}, "secret_fields": ["token", "nested.password", "headers.*"],
    "properties": {"url": {"type": "string"}, "token": {"type": "string", "format": "password"}, "nested": {"type": "object"}, "headers": {"type": "object"}, "number": {"type": "integer"}}, "required": ["url"],
}


def _slug(c, base):
    return f"{base}-{c.token}"


def _type(c, base="thing", **fields):
    return c.post("/block_types/", {"name": c.name(base), "slug": _slug(c, base), **fields}, quiet=True)


def _schema(c, kind, fields=None, **more):
    fields = {**(fields or FIELDS), "block_type_slug": kind["slug"]}
    return c.post("/block_schemas/", {"fields": fields, "block_type_id": kind["id"], **more}, quiet=True)


def _document(c, kind, schema, base="document", **fields):
    return c.post("/block_documents/", {"name": c.name(base), "block_type_id": kind["id"], "block_schema_id": schema["id"], "data": {"url": "u"}, **fields}, quiet=True)


@case
def types_create_and_read(c):
    made = c.post("/block_types/", {"name": c.name("thing"), "slug": _slug(c, "thing")})
    c.get(f"/block_types/{made['id']}")
    c.get(f"/block_types/slug/{made['slug']}")
    c.post("/block_types/", {"name": c.name("thing"), "slug": _slug(c, "thing")})
    c.post("/block_types/", {"name": c.name("thing"), "slug": _slug(c, "other")}, show=["name", "slug"])
    c.post("/block_types/", {"name": c.name("full"), "slug": _slug(c, "full"), "logo_url": "https://example.com/l.png", "documentation_url": "https://example.com", "description": "d", "code_example": "c"})
    for body in (
        {}, {"name": "x"}, {"slug": "x"}, {"name": "Prefect thing", "slug": "p"}, {"name": "prefect-thing", "slug": "p"}, {"name": "a/b", "slug": "p"}, {"name": "", "slug": "p"}, {"name": 5, "slug": "p"}, {"name": "x", "slug": 5}, {"name": c.name("x1"), "slug": "UPPER"}, {"name": c.name("x2"), "slug": "a b"},
        {"name": c.name("x3"), "slug": "a_b"}, {"name": c.name("x4"), "slug": ""}, {"name": "x", "slug": "x", "logo_url": 5}, {"name": c.name("x5"), "slug": _slug(c, "x5"), "logo_url": "not a url"}, {"name": "x", "slug": "x", "is_protected": True}, {"name": "x", "slug": "x", "unknown": 1}, [],
    ):
        c.post("/block_types/", body, show="status")
    c.post("/block_types/")
    c.get(f"/block_types/{c.nil}")
    c.get("/block_types/abc")
    c.get("/block_types/slug/absent")


@case
def types_update_and_delete(c):
    made = _type(c)
    path = f"/block_types/{made['id']}"
    c.patch(path, {"description": "new", "logo_url": "https://example.com/x.png"})
    c.get(path)
    c.patch(path, {})
    for body in ({"name": "x"}, {"slug": "x"}, {"description": None}, {"description": 5}, {"code_example": "c"}, {"documentation_url": None}, {"unknown": 1}, []):
        c.patch(path, body)
        c.get(path, show=["name", "slug", "description", "logo_url", "code_example", "documentation_url"])
    c.patch(path)
    c.delete(path)
    c.delete(path)
    c.get(path)
    c.patch(f"/block_types/{c.nil}", {"description": "x"})
    c.delete(f"/block_types/{c.nil}")
    c.delete("/block_types/abc")


@case
def types_protected(c):
    secret = c.get("/block_types/slug/secret", show=["name", "slug", "is_protected"])
    c.patch(f"/block_types/{secret['id']}", {"description": "x"})
    c.delete(f"/block_types/{secret['id']}")
    schemas = c.send("POST", "/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [secret["id"]]}}}, quiet=True)
    c.delete(f"/block_schemas/{schemas[0]['id']}")
    c.get("/block_types/slug/webhook", show=["name", "slug", "is_protected", "description"])
    c.get("/block_types/slug/local-file-system", show=["name", "slug", "is_protected"])


@case
def types_lists(c):
    for base in ("aa", "bb"):
        _schema(c, _type(c, base), capabilities=[f"can-{base}"])
    for body in (
        {"block_types": {"name": {"like_": c.token}}}, {"block_types": {"name": {"like_": f"AA-{c.token}"}}}, {"block_types": {"slug": {"any_": [_slug(c, "bb"), _slug(c, "aa")]}}}, {"block_types": {"slug": {"any_": []}}},
        {"block_types": {"name": {"like_": c.token}}, "block_schemas": {"block_capabilities": {"all_": ["can-aa"]}}}, {"block_types": {"name": {"like_": c.token}}, "block_schemas": {}}, {"block_types": {"name": {"like_": c.token}}, "limit": 1}, {"block_types": {"name": {"like_": c.token}}, "limit": 1, "offset": 1},
        {"limit": 0}, {"limit": 201}, {"limit": -1}, {"limit": "x"}, {"offset": -1}, {"block_types": {"name": {"like_": 5}}}, {"block_types": {"slug": {"any_": 5}}}, {"block_types": {"unknown": 1}}, {"block_types": []}, {"block_types": {"operator": "or_"}},
    ):
        c.post("/block_types/filter", body, show="name")


@case
def schemas_create_and_read(c):
    kind = _type(c)
    fields = {**FIELDS, "block_type_slug": kind["slug"]}
    made = c.post("/block_schemas/", {"fields": fields, "block_type_id": kind["id"], "capabilities": ["read", "write"], "version": "1.2"})
    c.get(f"/block_schemas/{made['id']}")
    c.get(f"/block_schemas/checksum/{made['checksum']}")
    c.get(f"/block_schemas/checksum/{made['checksum']}?version=1.2", show=["version"])
    c.get(f"/block_schemas/checksum/{made['checksum']}?version=9")
    c.get("/block_schemas/checksum/sha256:absent")
    c.post("/block_schemas/", {"fields": fields, "block_type_id": kind["id"], "capabilities": ["read", "write"], "version": "1.2"})
    c.post("/block_schemas/", {"fields": fields, "block_type_id": kind["id"]}, show=["version", "checksum", "capabilities"])
    c.post("/block_schemas/", {"fields": {**fields, "title": "Different"}, "block_type_id": kind["id"]}, show=["version", "checksum"])
    c.post("/block_schemas/", {"fields": {}, "block_type_id": kind["id"]})
    for body in (
        {}, {"fields": fields}, {"fields": [], "block_type_id": kind["id"]}, {"fields": fields, "block_type_id": "x"}, {"fields": fields, "block_type_id": c.nil}, {"fields": fields, "block_type_id": kind["id"], "capabilities": "x"}, {"fields": fields, "block_type_id": kind["id"], "capabilities": [1]}, {"fields": fields, "block_type_id": kind["id"], "version": 1},
        {"fields": fields, "block_type_id": kind["id"], "unknown": 1}, {"fields": fields, "block_type_id": kind["id"], "checksum": "x"}, {"block_type_id": kind["id"]}, [],
    ):
        c.post("/block_schemas/", body, show="status")
    c.post("/block_schemas/")
    c.get(f"/block_schemas/{c.nil}")
    c.get("/block_schemas/abc")


@case
def checksums(c):
    """The checksum is part of the contract: clients look schemas up by it."""
    kind = _type(c, "sum")
    base = {"title": "T", "type": "object", "properties": {"a": {"type": "string"}}, "block_type_slug": "fixed", "block_schema_references": {}}
    for fields in (
        base, {**base, "secret_fields": []}, {**base, "secret_fields": ["a"]}, {**base, "description": "d"}, {**base, "properties": {"b": {"type": "integer", "default": 1.0}}}, {**base, "properties": {"ü": {"title": "Ünï 👋"}}}, {**base, "required": ["a"]}, {**base, "definitions": {}},
        {**base, "definitions": {"Other": {"title": "Other", "type": "object", "properties": {}, "block_type_slug": "other", "block_schema_references": {}, "secret_fields": []}}}, {**base, "definitions": {"Plain": {"title": "Plain", "enum": [1, 2]}}}, {**base, "properties": {"n": {"minimum": 10**20, "x": None, "t": True}}},
    ):
        c.post("/block_schemas/", {"fields": fields, "block_type_id": kind["id"]}, show=["checksum", "fields", "capabilities"])


@case
def schemas_lists_and_delete(c):
    one, two = _type(c, "one"), _type(c, "two")
    made = [_schema(c, one, capabilities=["a", "b"], version="1"), _schema(c, one, {**FIELDS, "title": "v2"}, capabilities=["a"], version="2"), _schema(c, two)]
    own = {"block_type_id": {"any_": [one["id"], two["id"]]}}
    for schemas in (
        own, {**own, "id": {"any_": [made[0]["id"]]}}, {**own, "block_capabilities": {"all_": ["a"]}}, {**own, "block_capabilities": {"all_": ["a", "b"]}}, {**own, "version": {"any_": ["2"]}}, {**own, "version": {"any_": []}}, {"operator": "or_", "id": {"any_": [made[0]["id"]]}, "version": {"any_": ["nope"]}},
        {"id": {"any_": ["x"]}}, {"block_type_id": {"any_": 1}}, {"version": {"any_": [1]}}, {"unknown": 1}, [],
    ):
        c.post("/block_schemas/filter", {"block_schemas": schemas}, show=["version", "checksum", "capabilities"])
    for body in ({"limit": 1}, {"limit": 1, "offset": 1}, {"limit": 0}, {"limit": 201}, {"limit": -1}, {"offset": -1}):
        c.post("/block_schemas/filter", {"block_schemas": own, **body}, show=["version"])
    c.post("/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [two["id"]]}}})
    path = f"/block_schemas/{made[2]['id']}"
    c.delete(path)
    c.delete(path)
    c.get(path)
    c.delete(f"/block_schemas/{c.nil}")
    c.delete("/block_schemas/abc")


@case
def documents_create_and_read(c):
    kind = _type(c)
    schema = _schema(c, kind)
    data = {"url": "u", "token": "hush", "nested": {"password": "p", "user": "n"}, "headers": {"a": "1", "b": "2"}, "number": 5}
    made = c.post("/block_documents/", {"name": c.name("doc"), "block_type_id": kind["id"], "block_schema_id": schema["id"], "data": data})
    path = f"/block_documents/{made['id']}"
    c.get(path)
    c.get(f"{path}?include_secrets=true", show=["data"])
    c.get(f"{path}?include_secrets=false", show=["data"])
    c.get(f"{path}?include_secrets=x")
    by_slug = f"/block_types/slug/{kind['slug']}/block_documents"
    c.get(f"{by_slug}/name/{c.name('doc')}", show=["name", "data"])
    c.get(f"{by_slug}/name/{c.name('doc')}?include_secrets=true", show=["name", "data"])
    c.get(f"{by_slug}/name/absent")
    c.get("/block_types/slug/absent/block_documents/name/x")
    c.get(by_slug, show=["name", "data"])
    c.get(f"{by_slug}?include_secrets=true", show=["name", "data"])
    c.get("/block_types/slug/absent/block_documents")
    good = {"name": c.name("again"), "block_type_id": kind["id"], "block_schema_id": schema["id"], "data": {"url": "u"}}
    c.post("/block_documents/", {**good, "name": c.name("doc")})
    for body in (
        {}, {**good, "name": None}, {**good, "name": "has space"}, {**good, "name": "a/b"}, {**good, "name": ""}, {**good, "name": 5}, {**good, "name": c.name("UPPER")}, {**good, "name": c.name("dots.x")}, {**good, "name": c.name("under_x")}, {**good, "data": []}, {**good, "data": None}, {**good, "block_type_id": "x"}, {**good, "block_schema_id": "x"}, {**good, "block_type_id": c.nil}, {**good, "block_schema_id": c.nil},
        {**good, "is_anonymous": "x"}, {**good, "unknown": 1}, {"name": "x"}, {key: value for key, value in good.items() if key != "block_schema_id"}, [],
    ):
        c.post("/block_documents/", body, show=["name"])
    c.post("/block_documents/")
    c.post("/block_documents/", {**good, "name": c.name("bare"), "data": {}}, show=["name", "data"])
    c.get(f"/block_documents/{c.nil}")
    c.get("/block_documents/abc")


@case
def documents_anonymous(c):
    kind = _type(c)
    schema = _schema(c, kind)
    base = {"block_type_id": kind["id"], "block_schema_id": schema["id"], "data": {"url": "u"}}
    made = c.post("/block_documents/", {**base, "is_anonymous": True}, show=["is_anonymous", "data", "name"])
    c.post("/block_documents/", {**base, "is_anonymous": True, "name": c.name("named")}, show=["is_anonymous", "name"])
    own = {"block_type_id": {"any_": [kind["id"]]}}
    for anonymous in ({"eq_": True}, {"eq_": False}, None):
        c.post("/block_documents/filter", {"block_documents": {**own, "is_anonymous": anonymous}}, show="is_anonymous")
    c.post("/block_documents/filter", {"block_documents": own}, show="is_anonymous")
    c.post("/block_documents/count", {"block_documents": own})
    c.post("/block_documents/count", {"block_documents": {**own, "is_anonymous": None}})
    assert made is not None


@case
def documents_update(c):
    kind, other = _type(c), _type(c, "other")
    schema, foreign = _schema(c, kind), _schema(c, other)
    second = _schema(c, kind, {**FIELDS, "title": "Second"})
    made = _document(c, kind, schema, data={"url": "u", "token": "hush", "nested": {"password": "p", "user": "n"}, "headers": {"a": "1"}})
    path = f"/block_documents/{made['id']}"
    secret = f"{path}?include_secrets=true"
    c.patch(path, {"data": {"number": 7}})
    c.get(secret, show=["data"])
    c.patch(path, {"data": {"token": "********", "url": "v"}})
    c.get(secret, show=["data"])
    c.patch(path, {"data": {"token": "louder", "nested": {"password": "********", "user": "m"}}})
    c.get(secret, show=["data"])
    c.patch(path, {"data": {"url": "only"}, "merge_existing_data": False})
    c.get(secret, show=["data"])
    c.patch(path, {"block_schema_id": second["id"], "data": {"url": "w"}})
    c.get(path, show=["block_schema_id", "data"])
    c.patch(path, {"block_schema_id": foreign["id"]})
    c.patch(path, {"block_schema_id": c.nil})
    c.patch(path, {})
    for body in ({"data": None}, {"data": []}, {"block_schema_id": "x"}, {"block_schema_id": None}, {"merge_existing_data": "x"}, {"name": "x"}, {"unknown": 1}, []):
        c.patch(path, body)
        c.get(secret, show=["name", "data"])
    c.patch(path)
    c.patch(f"/block_documents/{c.nil}", {"data": {}})
    c.delete(path)
    c.delete(path)
    c.get(path)
    c.delete(f"/block_documents/{c.nil}")
    c.delete("/block_documents/abc")


@case
def documents_nested(c):
    inner, outer = _type(c, "inner"), _type(c, "outer")
    inner_fields = {"title": "Inner", "type": "object", "properties": {"key": {"type": "string"}}, "secret_fields": ["key"], "block_type_slug": inner["slug"], "block_schema_references": {}}
    inner_schema = c.post("/block_schemas/", {"fields": inner_fields, "block_type_id": inner["id"]}, show=["checksum", "fields"])
    outer_fields = {
        "title": "Outer", "type": "object", "properties": {"child": {"$ref": "#/definitions/Inner"}, "plain": {"type": "string"}}, "secret_fields": ["child.key"], "block_type_slug": outer["slug"],
        "block_schema_references": {"child": {"block_type_slug": inner["slug"], "block_schema_checksum": inner_schema["checksum"]}}, "definitions": {"Inner": inner_fields},
    }
    outer_schema = c.post("/block_schemas/", {"fields": outer_fields, "block_type_id": outer["id"]})
    c.get(f"/block_schemas/{outer_schema['id']}", show=["fields", "checksum"])
    child = _document(c, inner, inner_schema, "child", data={"key": "secret"})
    parent = c.post("/block_documents/", {"name": c.name("parent"), "block_type_id": outer["id"], "block_schema_id": outer_schema["id"], "data": {"plain": "x", "child": {"$ref": {"block_document_id": child["id"]}}}})
    path = f"/block_documents/{parent['id']}"
    c.get(path)
    c.get(f"{path}?include_secrets=true", show=["data", "block_document_references"])
    c.patch(path, {"data": {"plain": "y"}})
    c.get(path, show=["data", "block_document_references"])
    c.patch(f"/block_documents/{child['id']}", {"data": {"key": "changed"}})
    c.get(f"{path}?include_secrets=true", show=["data"])
    replacement = _document(c, inner, inner_schema, "replacement", data={"key": "other"})
    c.patch(path, {"data": {"child": {"$ref": {"block_document_id": replacement["id"]}}}})
    c.get(f"{path}?include_secrets=true", show=["data"])
    c.post("/block_documents/", {"name": c.name("dangling"), "block_type_id": outer["id"], "block_schema_id": outer_schema["id"], "data": {"child": {"$ref": {"block_document_id": c.nil}}}}, show=["data"])
    c.delete(f"/block_documents/{replacement['id']}")
    c.get(path, show=["data", "block_document_references"])


@case
def documents_lists(c):
    one, two = _type(c, "one"), _type(c, "two")
    first, second = _schema(c, one, capabilities=["cap-one"]), _schema(c, two)
    made = [_document(c, one, first, "bb", data={"url": "1", "token": "t"}), _document(c, one, first, "aa"), _document(c, two, second, "cc")]
    own = {"block_type_id": {"any_": [one["id"], two["id"]]}}

    def found(**filters):
        c.post("/block_documents/filter", {"block_documents": own, **filters}, show="name")
        c.post("/block_documents/count", {"block_documents": own, **filters})

    found()
    found(block_documents={**own, "id": {"any_": [made[0]["id"]]}})
    found(block_documents={**own, "name": {"any_": [c.name("aa")]}})
    found(block_documents={**own, "name": {"like_": "CC-"}})
    found(block_documents={**own, "name": {"any_": []}})
    found(block_documents={"operator": "or_", "id": {"any_": [made[0]["id"]]}, "name": {"any_": [c.name("cc")]}, "is_anonymous": None})
    found(block_types={"slug": {"any_": [one["slug"]]}})
    found(block_types={"name": {"like_": "two"}})
    found(block_schemas={"block_capabilities": {"all_": ["cap-one"]}})
    found(block_schemas={})
    for sort in ("NAME_ASC", "NAME_DESC", "BLOCK_TYPE_AND_NAME_ASC", None):
        c.post("/block_documents/filter", {"block_documents": own, "sort": sort}, show="name")
    for body in ({"limit": 1}, {"limit": 1, "offset": 1}, {"limit": 0}, {"limit": 201}, {"limit": -1}, {"offset": -1}, {"sort": "x"}, {"include_secrets": "x"}):
        c.post("/block_documents/filter", {"block_documents": own, **body}, show="name")
    for documents in ({"id": {"any_": ["x"]}}, {"block_type_id": {"any_": ["x"]}}, {"is_anonymous": {"eq_": "x"}}, {"is_anonymous": {}}, {"name": {"like_": 1}}, {"unknown": 1}, [], {"operator": "x"}):
        c.post("/block_documents/filter", {"block_documents": documents}, show="status")
    c.post("/block_documents/filter", {"block_documents": {"id": {"any_": [made[0]["id"]]}}, "include_secrets": True})
    c.post("/block_documents/filter", {"block_documents": {"id": {"any_": [made[0]["id"]]}}}, show=["name", "data"])


@case
def capabilities(c):
    _schema(c, _type(c), capabilities=[f"special-{c.token}"])
    c.get("/block_capabilities/", show=lambda body: sorted(name for name in body if c.token in name or name in ("read-path", "write-path", "get-directory")))


@case
def install_system_block_types(c):
    c.post("/block_types/install_system_block_types")
    c.get("/block_types/slug/secret", show=["name", "slug", "is_protected"])


@case
def a_deleted_document_takes_its_users_along(c):
    kind = _type(c)
    schema = _schema(c, kind)
    parent = flow(c)
    storage, infrastructure, direct, typed = (_document(c, kind, schema, name)["id"] for name in ("storage", "infrastructure", "direct", "typed"))
    by_storage = deployment(c, parent["id"], "a", storage_document_id=storage)["id"]
    by_infrastructure = deployment(c, parent["id"], "b", infrastructure_document_id=infrastructure)["id"]
    by_type = deployment(c, parent["id"], "c", storage_document_id=typed)["id"]
    inherited = c.post(f"/deployments/{by_infrastructure}/create_flow_run", {"name": "run"}, quiet=True)["id"]
    own = c.post("/flow_runs/", {"name": "run", "flow_id": parent["id"], "infrastructure_document_id": direct}, quiet=True)["id"]
    for document in (storage, infrastructure, direct):
        c.delete(f"/block_documents/{document}")
    for deployed in (by_storage, by_infrastructure, by_type):
        c.get(f"/deployments/{deployed}", show="status")
    for run in (inherited, own):
        c.get(f"/flow_runs/{run}")
    c.delete(f"/block_types/{kind['id']}")
    c.get(f"/deployments/{by_type}")
