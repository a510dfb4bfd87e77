"""Cases: where results go by default, as the SDK's command line and engine ask for it."""

from harness.registry import case

FIELDS = {"title": "Storage", "type": "object", "block_schema_references": {}, "properties": {"path": {"type": "string"}}}


def _document(c, base, capabilities):
    slug = f"{base}-{c.token}"
    kind = c.post("/block_types/", {"name": c.name(base), "slug": slug}, quiet=True)
    fields = {**FIELDS, "block_type_slug": slug}
    schema = c.post("/block_schemas/", {"fields": fields, "block_type_id": kind["id"], "capabilities": capabilities}, quiet=True)
    body = {"name": c.name(base), "block_type_id": kind["id"], "block_schema_id": schema["id"], "data": {"path": "p"}}
    return c.post("/block_documents/", body, quiet=True)


@case
def default_result_storage(c):
    storage, other = _document(c, "storage", ["read-path", "write-path"]), _document(c, "reader", ["read-path"])
    c.delete("/admin/storage")
    c.get("/admin/storage")
    c.put("/admin/storage", {"default_result_storage_block_id": storage["id"]})
    c.get("/admin/storage")
    for block in (other["id"], c.nil, "x", None, 5):
        c.put("/admin/storage", {"default_result_storage_block_id": block})
    for body in ({}, [], {"default_result_storage_block_id": storage["id"], "unknown": 1}):
        c.put("/admin/storage", body, brief=True)
    c.put("/admin/storage")
    c.get("/admin/storage")
    c.delete(f"/block_documents/{storage['id']}")
    c.get("/admin/storage")
    c.delete("/admin/storage")
    c.delete("/admin/storage")
