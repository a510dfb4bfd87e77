"""Set-up shared by cases: unrecorded creates whose own behaviour other cases prove. Registers no case."""


def flow(c, base="flow", **fields):
    return c.post("/flows/", {"name": c.name(base), **fields}, quiet=True)


def flow_run(c, flow_id, name="run", state=None, **fields):
    body = {"flow_id": flow_id, "name": name, **fields}
    if state:
        body["state"] = state if isinstance(state, dict) else {"type": state}
    return c.post("/flow_runs/", body, quiet=True)


def task_run(c, flow_run_id, key="task", dynamic_key="0", state=None, **fields):
    body = {"flow_run_id": flow_run_id, "task_key": key, "dynamic_key": dynamic_key, "name": f"{key}-{dynamic_key}", **fields}
    if state:
        body["state"] = state if isinstance(state, dict) else {"type": state}
    return c.post("/task_runs/", body, quiet=True)


def deployment(c, flow_id, base="deployment", **fields):
    return c.post("/deployments/", {"name": c.name(base), "flow_id": flow_id, **fields}, quiet=True)


def pool(c, base="pool", **fields):
    return c.post("/work_pools/", {"name": c.name(base), "type": "process", **fields}, quiet=True)


def states_of(c, run_id):
    """The history of a flow run, oldest first, as a step."""
    return c.get(f"/flow_run_states/?flow_run_id={run_id}", show=["type", "name", "message"])


def pages(key="name"):
    """Show a paginate answer with only one key per row."""
    return lambda body: {**body, "results": [row.get(key) for row in body["results"]]} if isinstance(body, dict) and "results" in body else body
