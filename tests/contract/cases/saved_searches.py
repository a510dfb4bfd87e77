"""Cases: saved searches."""

from harness.registry import case


@case
def life(c):
    filters = [{"object": "flow_run", "property": "state", "type": "string", "operation": "equals", "value": "x"}]
    made = c.put("/saved_searches/", {"name": c.name("s"), "filters": filters})
    c.put("/saved_searches/", {"name": c.name("s"), "filters": []})
    c.put("/saved_searches/", {"name": c.name("s")})
    path = f"/saved_searches/{made['id']}"
    c.get(path)
    c.post("/saved_searches/filter", {}, own=True)
    c.post("/saved_searches/filter", {"limit": 0})
    c.post("/saved_searches/filter", {"limit": 201})
    c.post("/saved_searches/filter", {"offset": -1})
    for body in ({}, {"name": None}, {"name": 5}, {"name": "x", "filters": {}}, {"name": "x", "filters": [{}]}, {"name": "x", "filters": [5]}, {"name": "x", "unknown": 1}, []):
        c.put("/saved_searches/", body, brief=True)
    c.delete(path)
    c.delete(path)
    c.get(path)
    c.get(f"/saved_searches/{c.nil}")
    c.get("/saved_searches/abc")
