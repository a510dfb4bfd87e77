"""Cases: text search over logs and events: words, phrases, exclusions, requirements.

To record these the reference needs SQLite 3.44 or newer; with an older one it answers 500.
"""

import uuid

from cases.support import flow, flow_run
from harness.registry import case

QUERIES = (
    "error", "ERROR", "err", "disk network", "-error", "!error", "error -disk", "+error", "+error +disk", "+error disk", '"disk full"', '-"disk full"', '+"disk full"', '"Disk Full" network', "", "   ", "- error", "-", "+", "!", '""', '"open quote', 'say \\"hi\\"', '"say \\"hi\\""',
    "100%", "a_b", "*", "ünï", "ÜNÏ", "error\tdisk", "--error", "-+error", "e-r", "network-1", "\\", "alpha", "logger.beta", "+alpha -disk", "no such words", "disk disk", "x" * 200, "(", "'", ";", "--", "NULL",
)
MESSAGES = (
    "Error: disk full", "network error on eth0", "all fine", "disk is fine", 'please say "hi"', "progress 100% done", "a_b and axb", "Ünï code", "network-1 up", "it's; -- quoted", "",
)


@case
def logs(c):
    run = flow_run(c, flow(c)["id"])
    rows = [{"name": "alpha" if index % 2 else "logger.beta", "level": 20, "message": message, "timestamp": f"2035-01-01T00:00:{index:02}Z", "flow_run_id": run["id"]} for index, message in enumerate(MESSAGES)]
    c.post("/logs/", rows, quiet=True)
    for query in QUERIES:
        c.post("/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}, "text": {"query": query}}, "sort": "TIMESTAMP_ASC"}, show="message")
    for text in ({}, {"query": None}, {"query": 5}, {"query": "x" * 201}, "error", []):
        c.post("/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}, "text": text}}, show="message")


@case
def events(c):
    rows = [
        {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{c.token}-{index}")), "occurred": c.now(minutes=index - 60), "event": f"thing.happened.{index}", "resource": {"prefect.resource.id": f"thing.{c.token}.{index}", "prefect.resource.name": "alpha" if index % 2 else "logger.beta"},
            "related": [{"prefect.resource.id": f"flow.{index}", "prefect.resource.role": "flow"}], "payload": {"message": message},
        }
        for index, message in enumerate(MESSAGES)
    ]
    c.post("/events", rows, quiet=True)
    own = {"any_resource": {"id_prefix": [f"thing.{c.token}"]}, "order": "ASC"}
    c.until(lambda answer: answer["total"] == len(rows), "POST", "/events/filter", {"filter": own})
    for query in (*QUERIES, "thing.happened.3", "happened.1", "flow.2", f"thing.{c.token}.4", "+alpha +error", "prefect.resource.role"):
        c.post("/events/filter", {"filter": {**own, "text": {"query": query}}}, show=lambda body: [event["event"] for event in body["events"]])
