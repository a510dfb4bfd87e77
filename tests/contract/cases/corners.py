"""Cases: answers of operations that no noun's cases ask for, so that each declared answer is seen once."""

from harness.registry import case


@case
def queries_of_block_types(c):
    kind = c.post("/block_types/", {"name": c.name("kind"), "slug": f"kind-{c.token}"}, quiet=True)
    documents = f"/block_types/slug/{kind['slug']}/block_documents"
    c.get(f"{documents}?include_secrets=x")
    c.get(f"{documents}/name/absent?include_secrets=x")


@case
def variables_by_name(c):
    made = c.post("/variables/", {"name": f"v_{c.token}", "value": 1}, quiet=True)
    for body in ({"name": "Bad Name"}, {"tags": "x"}, []):
        c.patch(f"/variables/name/{made['name']}", body)


@case
def settings(c):
    # Each server has settings of its own; the shape is what the document says.
    c.get("/admin/settings", show="status")
