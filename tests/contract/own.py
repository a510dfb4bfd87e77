"""What only our server has, asked once: every answer must be what our own document declares. Nothing is recorded, as there is
nobody to record; what the operations do is told by the server's own tests.
"""

import hashlib
import hmac
import json
import uuid

ABSENT = "00000000-0000-4000-8000-000000000001"
# More than the log keeps of a request that was refused.
LARGE = "x" * 100_000


def ask_everything(c) -> None:
    accounts(c)
    limits(c)
    automations(c)
    claims(c)
    webhooks(c)
    imports(c)


def accounts(c):
    for path in ("/me", "/me/accounts", "/me/workspaces", f"/accounts/{ABSENT}/settings", "/collections/work_pool_types", "/tidegate/version", "/admin/services"):
        c.get(path)


def limits(c):
    limit = c.post("/v2/concurrency_limits/", {"name": c.name("limit"), "limit": 2})
    holders = f"/v2/concurrency_limits/{limit['name']}/holders"
    run = c.post("/flow_runs/", {"flow_id": c.post("/flows/", {"name": c.name("flow")})["id"]})
    for holder in (None, {"type": "flow_run", "id": run["id"]}):
        c.post("/v2/concurrency_limits/increment-with-lease", {"names": [limit["name"]], "slots": 1, "holder": holder})
    held = c.get(holders)
    for _ in range(2):
        c.post(f"{holders}/{held[0]['lease_id']}/release")
    c.get(f"/v2/concurrency_limits/{ABSENT}/holders")


def automations(c):
    trigger = {"type": "event", "posture": "Reactive", "expect": ["seen"], "match": {"prefect.resource.id": f"thing.{c.token}"}, "threshold": 1, "within": 0}
    made = c.post("/automations/", {"name": c.name("automation"), "trigger": trigger, "actions": [{"type": "do-nothing"}]})
    path = f"/automations/{made['id']}"
    event = {"id": str(uuid.uuid4()), "occurred": c.now(), "event": "seen", "resource": {"prefect.resource.id": f"thing.{c.token}"}, "related": [], "payload": {}}
    c.post("/events", [event])
    c.until(lambda answer: answer.body and answer.body[0]["actions"] and answer.body[0]["actions"][0]["outcome"], "GET", f"{path}/firings")
    c.get(f"{path}/firings?limit=x")
    for body in ({"since": c.now(hours=-1), "until": c.now(hours=1)}, {"since": "x"}):
        c.post(f"{path}/test", body)
    c.post(f"/automations/{ABSENT}/test", {})


def claims(c):
    pool = c.name("pool")
    c.post("/work_pools/", {"name": pool, "type": "process"})
    deployment = c.post("/deployments/", {"name": "d", "flow_id": c.post("/flows/", {"name": c.name("flow")})["id"], "work_pool_name": pool})
    c.post(f"/deployments/{deployment['id']}/create_flow_run", {})
    wanted = {"worker_name": "w", "limit": 1, "wait_seconds": 5}
    claimed = c.post(f"/work_pools/{pool}/claim", wanted)["runs"][0]
    run, token = claimed["flow_run"]["id"], claimed["owner"]["token"]
    renewal = {"worker_name": "w", "runs": [{"flow_run_id": run, "token": token}]}
    crash = {"token": token, "state": {"type": "CRASHED"}, "failure": {"class": "exit_code", "exit_code": 1}}
    for path, body in ((f"/work_pools/{pool}/claim", wanted), (f"/work_pools/{pool}/leases/renew", renewal), (f"/flow_runs/{run}/verdict", crash)):
        if not path.endswith("claim"):
            c.post(path, body)
        c.post(path.replace(pool, "absent").replace(str(run), ABSENT), body)
        c.post(path, {"worker_name": []})
    # Once more: the run has ended already.
    c.post(f"/flow_runs/{run}/verdict", crash)
    c.get(f"/flow_runs/{run}/infrastructure")
    c.get(f"/flow_runs/{ABSENT}/infrastructure")


def webhooks(c):
    secret = "not told"
    template = '{"event": "pushed", "resource": {"prefect.resource.id": "repository"}, "payload": {{ body | tojson }}}'
    good = {"name": c.name("hook"), "template": template, "verification": {"type": "github", "secret": secret}}
    made = c.post("/webhooks/", good)
    c.post("/webhooks/", {**good, "verification": {"type": "unheard"}})
    path, absent = f"/webhooks/{made['id']}", f"/webhooks/{ABSENT}"
    c.get("/webhooks/")
    c.get("/webhooks/?limit=x")
    c.post("/webhooks/filter")
    c.post("/webhooks/filter", {"limit": "x"})
    for one in (path, absent):
        c.get(one)
        c.put(one, {"name": c.name("again"), "template": template})
        c.patch(one, {"description": "of pushes"})
    c.put(path, {"template": []})
    c.patch(path, {"requests_per_minute": 0})
    address = c.post(f"{path}/rotate")["slug"]
    c.post(f"{absent}/rotate")
    for content in (json.dumps({"ref": "main"}), LARGE):
        signature = hmac.new(secret.encode(), content.encode(), hashlib.sha256).hexdigest() if content != LARGE else "wrong"
        headers = {"x-hub-signature-256": f"sha256={signature}", "content-type": "application/json"}
        c.client.post(c.base_url.removesuffix("/api") + f"/hooks/{address}", content=content, headers=headers)
    logged = c.get(f"{path}/requests")
    c.get(f"{path}/requests?outcome=accepted")
    c.get(f"{path}/requests?outcome=unheard")
    c.get(f"{absent}/requests")
    for request in logged:
        c.get(f"{path}/requests/{request['id']}")
        c.post(f"{path}/requests/{request['id']}/replay")
    c.get(f"{path}/requests/{ABSENT}")
    c.post(f"{path}/requests/{ABSENT}/replay")
    for _ in range(2):
        c.delete(path)


def imports(c):
    flow = c.post("/flows/", {"name": c.name("flow")})["id"]
    state = {"id": str(uuid.uuid4()), "type": "COMPLETED", "name": "Completed", "timestamp": c.now()}
    run = {"id": str(uuid.uuid4()), "name": "past", "flow_id": flow, "state": state}
    for _ in range(2):
        c.post("/imports/runs", {"flow_runs": [{"flow_run": run, "states": [state]}]})
    c.post("/imports/runs", {"flow_runs": [{"flow_run": {**run, "state": None}}]})
    c.post("/imports/runs", {"flow_runs": [{"flow_run": {**run, "id": str(uuid.uuid4()), "flow_id": ABSENT}}]})
