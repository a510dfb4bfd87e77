"""Cases: logs; batches in, filters by run, level, time and logger."""

from cases.support import flow, flow_run, task_run
from harness.registry import case

AT = "2035-01-01T00:00:0{}Z"


@case
def create_and_filter(c):
    run = flow_run(c, flow(c)["id"])
    task = task_run(c, run["id"])
    worker = "88888888-8888-4888-8888-888888888888"
    rows = [
        {"name": "alpha", "level": 10, "message": "debug ONE", "timestamp": AT.format(1), "flow_run_id": run["id"]},
        {"name": "alpha", "level": 20, "message": "info two", "timestamp": AT.format(2), "flow_run_id": run["id"], "task_run_id": task["id"]},
        {"name": "beta", "level": 30, "message": "warning three", "timestamp": "2035-01-01T02:00:03+02:00", "flow_run_id": run["id"]},
        {"name": "beta", "level": 40, "message": "error\nfour", "timestamp": "2035-01-01T00:00:04.123456Z", "flow_run_id": run["id"], "worker_id": worker},
        {"name": "gamma", "level": 50, "message": "", "timestamp": AT.format(5), "flow_run_id": run["id"]},
    ]
    c.post("/logs/", rows)
    own = {"any_": [run["id"]]}
    c.post("/logs/filter", {"logs": {"flow_run_id": own}, "sort": "TIMESTAMP_ASC"})

    def found(sort="TIMESTAMP_ASC", limit=None, offset=0, **logs):
        c.post("/logs/filter", {"logs": {"flow_run_id": own, **logs}, "sort": sort, "limit": limit, "offset": offset}, show="message")

    found(level={"ge_": 30})
    found(level={"le_": 20})
    found(level={"ge_": 20, "le_": 30})
    found(level={})
    found(timestamp={"after_": AT.format(3)})
    found(timestamp={"before_": AT.format(3)})
    found(timestamp={"after_": AT.format(2), "before_": AT.format(4)})
    found(task_run_id={"any_": [task["id"]]})
    found(task_run_id={"is_null_": True})
    found(task_run_id={"is_null_": False})
    found(flow_run_id={"any_": []})
    found(name={"any_": ["alpha"]})
    found(logger={"any_": ["alpha"]})
    found(operator="or_", flow_run_id=None, task_run_id={"any_": [task["id"]]})
    found(sort="TIMESTAMP_DESC")
    found(limit=2)
    found(limit=2, offset=4)
    found(limit=0)
    c.post("/logs/filter", {"logs": {"flow_run_id": own}}, show="message")
    for body in (
        {"sort": "x"}, {"limit": 201}, {"limit": -1}, {"offset": -1}, {"logs": {"level": {"ge_": "x"}}}, {"logs": {"timestamp": {"after_": "x"}}}, {"logs": {"flow_run_id": {"any_": ["x"]}}}, {"logs": {"task_run_id": {"is_null_": "x"}}}, {"logs": {"unknown": 1}}, {"logs": []}, {"logs": {"operator": "x"}}, {"logs": {"text": {"query": "x" * 201}}}, {"logs": {"text": {}}}, {"logs": {"text": {"query": 5}}},
    ):
        c.post("/logs/filter", body, show="status")


@case
def create_errors(c):
    good = {"name": "n", "level": 20, "message": "m", "timestamp": AT.format(1)}
    for row in (
        {}, {**good, "name": None}, {**good, "name": 1}, {**good, "level": "x"}, {**good, "level": None}, {**good, "level": 1.5}, {**good, "message": None}, {**good, "message": 1}, {**good, "timestamp": "x"}, {**good, "timestamp": None}, {**good, "flow_run_id": "x"}, {**good, "task_run_id": 1}, {**good, "unknown": 1}, {**good, "worker_id": "x"}, 5, None,
        {key: value for key, value in good.items() if key != "name"}, {key: value for key, value in good.items() if key != "timestamp"},
    ):
        c.post("/logs/", [row])
    for body in ({}, good, "x", None, [good, {}], [good, 5, {"name": 1}]):
        c.post("/logs/", body)
    c.post("/logs/")
    c.post("/logs/", [])
    c.post("/logs/", [good])
    c.post("/logs/", [{**good, "level": "20"}])
    c.post("/logs/", [{**good, "level": -5, "flow_run_id": c.nil}])


@case
def many(c):
    run = flow_run(c, flow(c)["id"])
    c.post("/logs/", [{"name": "n", "level": 20, "message": f"line {index:03}", "timestamp": f"2035-01-01T00:{index // 60:02}:{index % 60:02}Z", "flow_run_id": run["id"]} for index in range(250)])
    own = {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"}
    c.post("/logs/filter", own, show=lambda body: [len(body), body[0]["message"], body[-1]["message"]])
    c.post("/logs/filter", {**own, "offset": 200}, show=lambda body: [len(body), body[0]["message"], body[-1]["message"]])
    c.post("/logs/filter", {**own, "sort": "TIMESTAMP_DESC", "limit": 3}, show="message")
