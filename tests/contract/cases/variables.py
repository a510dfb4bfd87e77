"""Cases: variables; by id and by name, name rules, value sizes, filters."""

from harness.registry import case


def _name(c, base="variable"):
    return f"{base}_{c.token}"


@case
def create_and_read(c):
    for index, value in enumerate(("text", 5, 1.5, True, None, [1, "a"], {"k": {"n": [1]}}, "", [], {})):
        made = c.post("/variables/", {"name": _name(c, f"v{index}"), "value": value, "tags": ["t"] if index else []})
        c.get(f"/variables/{made['id']}")
        c.get(f"/variables/name/{_name(c, f'v{index}')}", show=["name", "value", "tags"])
    c.post("/variables/", {"name": _name(c, "v0"), "value": "again"})
    c.get(f"/variables/{c.nil}")
    c.get("/variables/abc")
    c.get("/variables/name/absent")


@case
def names(c):
    for name in ("Upper", "has space", "a.b", "a/b", "ümlaut", "", "-", "_", "a-b_c", "9", "quote'", "x" * 256, None, 5):
        c.post("/variables/", {"name": name if not isinstance(name, str) or len(name) > 200 or name in ("", "-", "_", "9") else name + c.token, "value": 1}, show="status")
    c.post("/variables/", {"name": "x" * 240 + c.token, "value": 1}, show=["value"])


@case
def create_errors(c):
    for body in ({}, {"name": "x"}, {"value": 1}, {"name": _name(c), "value": 1, "tags": "x"}, {"name": _name(c), "value": 1, "tags": [1]}, {"name": _name(c), "value": 1, "tags": None}, {"name": _name(c), "value": 1, "unknown": 1}, {"name": _name(c), "value": 1, "id": c.nil}, []):
        c.post("/variables/", body, show="status")
    c.post("/variables/")
    c.post("/variables/", {"name": _name(c, "big"), "value": "x" * 4998}, show="status")
    c.post("/variables/", {"name": _name(c, "bigger"), "value": "x" * 5000}, show="status")
    body = c.steps[-1].get("body", {})
    body.pop("request_body", None)
    for detail in body.get("exception_detail", []):
        detail.pop("input", None)


@case
def update(c):
    made = c.post("/variables/", {"name": _name(c), "value": 1, "tags": ["a"]}, quiet=True)
    other = c.post("/variables/", {"name": _name(c, "other"), "value": 1}, quiet=True)
    by_id, by_name = f"/variables/{made['id']}", f"/variables/name/{_name(c)}"
    c.patch(by_id, {"value": {"new": 1}})
    c.get(by_id)
    c.patch(by_name, {"tags": ["b", "c"]})
    c.get(by_name)
    c.patch(by_id, {})
    c.patch(by_id, {"value": None})
    c.get(by_id, show=["name", "value", "tags"])
    for body in ({"name": None}, {"tags": None}, {"name": "Bad Name"}, {"name": 5}, {"tags": "x"}, {"unknown": 1}, {"name": ""}, []):
        c.patch(by_id, body)
        c.get(by_id, show=["name", "value", "tags"])
    c.patch(by_id)
    for path in (by_id, by_name):
        c.patch(path, {"name": _name(c, "other")})
    c.patch(by_name, {"name": _name(c, "renamed")})
    c.get(by_name)
    c.get(f"/variables/name/{_name(c, 'renamed')}", show=["name"])
    c.patch(f"/variables/{c.nil}", {"value": 1})
    c.patch("/variables/abc", {"value": 1})
    c.patch("/variables/name/absent", {"value": 1})
    assert other is not None


@case
def delete(c):
    one = c.post("/variables/", {"name": _name(c, "one"), "value": 1}, quiet=True)
    c.post("/variables/", {"name": _name(c, "two"), "value": 1}, quiet=True)
    c.delete(f"/variables/{one['id']}")
    c.delete(f"/variables/{one['id']}")
    c.delete(f"/variables/name/{_name(c, 'two')}")
    c.delete(f"/variables/name/{_name(c, 'two')}")
    c.delete("/variables/abc")


@case
def lists(c):
    for index, (name, tags) in enumerate((("aa", ["x", "y"]), ("bb", ["x"]), ("cc", []))):
        c.post("/variables/", {"name": _name(c, name), "value": index, "tags": tags}, quiet=True)
    every = {"any_": [_name(c, name) for name in ("aa", "bb", "cc")]}
    ids = [row["id"] for row in c.send("POST", "/variables/filter", {"variables": {"name": every}, "sort": "NAME_ASC"}, quiet=True)]

    def found(**variables):
        c.post("/variables/filter", {"variables": {"name": every, **variables}, "sort": "NAME_ASC"}, show="name")
        c.post("/variables/count", {"variables": {"name": every, **variables}})

    found()
    found(id={"any_": ids[:2]})
    found(id={"any_": []})
    found(name={"like_": f"A_{c.token}".lower()})
    found(name={"like_": c.token, "any_": every["any_"][:1]})
    found(name={"any_": []})
    found(tags={"all_": ["x"]})
    found(tags={"all_": ["x", "y"]})
    found(tags={"is_null_": True})
    found(tags={"is_null_": False})
    found(tags={"all_": []})
    found(operator="or_", tags={"all_": ["y"]}, name={"like_": f"cc_{c.token}"})
    for sort in ("CREATED_DESC", "UPDATED_DESC", "NAME_DESC", "NAME_ASC"):
        c.post("/variables/filter", {"variables": {"name": every}, "sort": sort}, show="name")
    for body in (
        {"sort": "x"}, {"limit": 201}, {"limit": -1}, {"limit": "x"}, {"offset": -1}, {"variables": {"id": {"any_": ["x"]}}}, {"variables": {"name": {"like_": 1}}}, {"variables": {"value": {"any_": [1]}}}, {"variables": {"tags": {"all_": 1}}}, {"variables": []}, {"variables": {"operator": "x"}}, {"variables": {"unknown": 1}},
    ):
        c.post("/variables/filter", body, show="status")
    c.post("/variables/filter", {"variables": {"name": every}, "sort": "NAME_ASC", "limit": 1, "offset": 1})
    c.post("/variables/filter", {"variables": {"name": every}, "sort": "NAME_ASC", "limit": 0})
