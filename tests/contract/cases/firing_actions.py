"""Cases: what each kind of action comes to; with what it names, with what it infers, and with nothing to act on."""

from cases.support import deployment, flow, flow_run, pool
from harness.firing import DO_NOTHING, Stage
from harness.registry import case


class Acts:
    """Automations of one action each, every one with an event of its own; all are played, then all are shown."""

    def __init__(self, c):
        self.stage = Stage(c)
        self.events: list[dict] = []

    def one(self, name, action, of=None, related=(), labels=None, trigger=None, **fields):
        stage = self.stage
        event = f"act.{name}"
        match = {"prefect.resource.id": of} if of else {"prefect.resource.id": stage.thing(name)}
        stage.automation(name, {**stage.reactive(expect=[event], match=match), **(trigger or {})}, [action], **fields)
        self.events.append({"name": event, "of": name, "related": related, "labels": {**(labels or {}), **({"prefect.resource.id": of} if of else {})}})

    def play(self, full=True, before=None):
        for event in self.events:
            self.stage.play(**event)
        self.stage.settle()
        if before:
            before()
        for name in self.stage.names():
            self.stage.fired(name, full=full)


def _related(kind, identity, role, **labels):
    return {"prefect.resource.id": f"prefect.{kind}.{identity}", "prefect.resource.role": role, **labels}


@case
def do_nothing(c):
    acts = Acts(c)
    acts.one("nothing", DO_NOTHING)
    acts.play()


@case
def deployments(c):
    acts = Acts(c)
    d = deployment(c, flow(c)["id"])["id"]
    for verb in ("pause", "resume"):
        kind = f"{verb}-deployment"
        acts.one(f"{verb}-selected", {"type": kind, "deployment_id": d})
        acts.one(f"{verb}-inferred", {"type": kind, "source": "inferred"}, of=f"prefect.deployment.{d}")
        acts.one(f"{verb}-related", {"type": kind, "source": "inferred"}, related=[_related("flow", d, "flow"), _related("deployment", d, "deployment")])
        acts.one(f"{verb}-none", {"type": kind, "source": "inferred"})
        acts.one(f"{verb}-no-id", {"type": kind, "source": "inferred"}, of=f"prefect.deployment.{acts.stage.thing(verb)}")
        acts.one(f"{verb}-absent", {"type": kind, "deployment_id": c.nil.replace("0000-0000-", "0000-4000-", 1)})
    acts.play()
    c.get(f"/deployments/{d}", show=["paused", "status"])


@case
def run_deployment(c):
    acts = Acts(c)
    f = flow(c)["id"]
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "text": {"type": "string"}}, "required": []}
    d = deployment(c, f, parameter_openapi_schema=schema, enforce_parameter_schema=True, parameters={"n": 1})["id"]
    run = {"type": "run-deployment", "deployment_id": d}
    acts.one("plain", run)
    acts.one("inferred", {"type": "run-deployment", "source": "inferred"}, of=f"prefect.deployment.{d}")
    acts.one("parameters", {**run, "parameters": {"n": 2, "text": "{{ event.payload.n }} of {{ event.resource.id }}"}})
    acts.one("not-valid", {**run, "parameters": {"n": "x"}})
    acts.one("unknown-parameter", {**run, "parameters": {"other": 1}})
    acts.one("broken-template", {**run, "parameters": {"text": "{{ 1 / 0 }}"}})
    acts.one("later", {**run, "schedule_after": 7200})
    acts.one("variables", {**run, "job_variables": {"a": 1}})
    acts.one("none", {"type": "run-deployment", "source": "inferred"})
    acts.one("absent", {"type": "run-deployment", "deployment_id": c.nil.replace("0000-0000-", "0000-4000-", 1)})
    asked = {"flow_runs": {"deployment_id": {"any_": [d]}}, "sort": "START_TIME_ASC"}
    acts.play(before=lambda: c.normaliser.note_names(c.ask("POST", "/flow_runs/filter", asked).body))
    runs = c.ask("POST", "/flow_runs/filter", asked)
    shown = [{key: row[key] for key in ("parameters", "job_variables", "state_type", "state_name", "next_scheduled_start_time", "created_by", "auto_scheduled", "tags")} for row in runs]
    c.note("the runs", sorted(shown, key=lambda row: (row["next_scheduled_start_time"], str(row["parameters"]), str(row["created_by"]["display_value"]))))


@case
def flow_runs(c):
    acts = Acts(c)
    f = flow(c)["id"]
    runs = {}

    def one(name, action, state, **options):
        runs[name] = flow_run(c, f, name, {"type": state} if isinstance(state, str) else state)["id"]
        acts.one(name, action, of=f"prefect.flow-run.{runs[name]}", **options)

    change = {"type": "change-flow-run-state", "state": "FAILED"}
    one("cancel-running", {"type": "cancel-flow-run"}, "RUNNING")
    one("cancel-scheduled", {"type": "cancel-flow-run"}, "SCHEDULED")
    one("cancel-finished", {"type": "cancel-flow-run"}, "COMPLETED")
    one("suspend-running", {"type": "suspend-flow-run"}, "RUNNING")
    one("suspend-finished", {"type": "suspend-flow-run"}, "FAILED")
    one("delete", {"type": "delete-flow-run"}, "RUNNING")
    one("change", {**change, "name": "Broken", "message": "said so"}, "RUNNING")
    one("change-without-words", change, "RUNNING")
    one("change-finished", {**change, "state": "RUNNING"}, "COMPLETED")
    one("change-finished-by-force", {**change, "state": "RUNNING", "force": True}, "COMPLETED")
    one("resume-running", {"type": "resume-flow-run"}, "RUNNING")
    one("by-label", change, "RUNNING", trigger={"for_each": ["prefect.resource.id"]})
    related = flow_run(c, f, "related", "RUNNING")["id"]
    runs["related"] = related
    acts.one("by-related", change, related=[_related("flow", f, "flow"), _related("flow-run", related, "flow-run")])
    for kind in ("cancel-flow-run", "suspend-flow-run", "resume-flow-run", "delete-flow-run"):
        acts.one(f"{kind}-none", {"type": kind})
    absent = c.nil.replace("0000-0000-", "0000-4000-", 1)
    acts.one("cancel-absent", {"type": "cancel-flow-run"}, of=f"prefect.flow-run.{absent}")
    acts.one("delete-absent", {"type": "delete-flow-run"}, of=f"prefect.flow-run.{absent}")
    acts.play()
    for run in runs.values():
        c.get(f"/flow_runs/{run}", show=lambda body: [body["name"], body["state"]["type"], body["state"]["name"], body["state"]["message"]])


@case
def resumes_what_it_suspended(c):
    acts = Acts(c)
    stage = acts.stage
    f = flow(c)["id"]
    run = flow_run(c, f, "run", "RUNNING", deployment_id=deployment(c, f)["id"])["id"]
    thing = f"prefect.flow-run.{run}"
    for name, kind in (("suspend", "suspend-flow-run"), ("resume", "resume-flow-run")):
        stage.automation(name, stage.reactive(expect=[f"act.{name}"], match={"prefect.resource.id": thing}), [{"type": kind}])
    for name in ("suspend", "resume"):
        stage.play(f"act.{name}", labels={"prefect.resource.id": thing})
        stage.settle()
        c.get(f"/flow_runs/{run}", show=lambda body: [body["state"]["type"], body["state"]["name"], body["state"]["state_details"]["pause_timeout"]])
    for name in ("suspend", "resume"):
        stage.fired(name, full=True)


@case
def pools_and_queues(c):
    acts = Acts(c)
    p = pool(c)
    q = p["default_queue_id"]
    absent = c.nil.replace("0000-0000-", "0000-4000-", 1)
    for noun, identity in (("work-pool", p["id"]), ("work-queue", q)):
        field = f"{noun.replace('-', '_')}_id"
        for verb in ("pause", "resume"):
            kind = f"{verb}-{noun}"
            acts.one(f"{kind}-selected", {"type": kind, field: identity})
            acts.one(f"{kind}-inferred", {"type": kind, "source": "inferred"}, related=[_related(noun, identity, noun)])
            acts.one(f"{kind}-none", {"type": kind, "source": "inferred"})
            acts.one(f"{kind}-absent", {"type": kind, field: absent})
    acts.play()
    c.get(f"/work_pools/{p['name']}", show=["is_paused"])
    c.get(f"/work_queues/{q}", show=["is_paused"])


@case
def automations(c):
    acts = Acts(c)
    stage = acts.stage
    target = stage.automation("target", stage.reactive("target"))["id"]
    absent = c.nil.replace("0000-0000-", "0000-4000-", 1)
    for verb in ("pause", "resume"):
        kind = f"{verb}-automation"
        acts.one(f"{verb}-selected", {"type": kind, "automation_id": target})
        acts.one(f"{verb}-inferred", {"type": kind, "source": "inferred"}, related=[_related("automation", target, "automation")])
        acts.one(f"{verb}-none", {"type": kind, "source": "inferred"})
        acts.one(f"{verb}-absent", {"type": kind, "automation_id": absent})
    acts.play()
    c.get(f"/automations/{target}", show="enabled")


@case
def proactive_acts_on_its_labels(c):
    """No event says which run is meant; the label of the window does."""
    stage = Stage(c)
    run = flow_run(c, flow(c)["id"], "run", "RUNNING")["id"]
    thing = f"prefect.flow-run.{run}"
    trigger = stage.proactive(match={"prefect.resource.id": thing}, for_each=["prefect.resource.id"])
    stage.automation("crash", trigger, [{"type": "change-flow-run-state", "state": "CRASHED", "message": "no sign of life"}])
    stage.begin_again()
    stage.play("thing.began", labels={"prefect.resource.id": thing})
    stage.windows_closed()
    stage.fired("crash", full=True)
    c.get(f"/flow_runs/{run}", show=lambda body: [body["state"]["type"], body["state"]["name"], body["state"]["message"]])


@case
def several_actions_one_fails(c):
    stage = Stage(c)
    d = deployment(c, flow(c)["id"])["id"]
    actions = [DO_NOTHING, {"type": "pause-deployment", "source": "inferred"}, {"type": "pause-deployment", "deployment_id": d}]
    stage.automation("one", stage.reactive(), actions)
    stage.play()
    stage.settle()
    stage.fired("one", full=True)


@case
def a_flow_run_that_fails(c):
    """The events that the server makes of state changes fire, too."""
    stage = Stage(c)
    f = flow(c)["id"]
    kind = {"prefect.resource.id": "prefect.flow-run.*"}
    related = {"prefect.resource.role": "flow", "prefect.resource.id": f"prefect.flow.{f}"}
    stage.automation("failed", stage.reactive(expect=["prefect.flow-run.Failed"], match=kind, match_related=related, for_each=["prefect.resource.id"]))
    stage.automation("any-end", stage.reactive(expect=["prefect.flow-run.*"], match={**kind, "prefect.state-type": ["FAILED", "COMPLETED"]}, match_related=related))
    for name, state in (("good", "COMPLETED"), ("bad", "FAILED")):
        run = flow_run(c, f, name, "RUNNING")["id"]
        c.post(f"/flow_runs/{run}/set_state", {"state": {"type": state, "message": "said"}, "force": True}, quiet=True)
    stage.until_fired("failed", 1)
    stage.until_fired("any-end", 2)
    stage.settle()
    stage.fired("failed", full=True)
    stage.fired("any-end")
