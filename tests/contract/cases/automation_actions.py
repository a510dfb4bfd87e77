"""Cases: every kind of action with everything that it asks for, too little, too much, and wrong values."""

from harness.registry import case, named

UUID = "0e5be0a6-3a07-4f0c-9d3c-5f2a7a1f1c11"
KINDS = (
    "do-nothing", "run-deployment", "pause-deployment", "resume-deployment", "cancel-flow-run", "delete-flow-run", "change-flow-run-state", "pause-work-queue", "resume-work-queue", "send-notification", "call-webhook", "pause-automation",
    "resume-automation", "suspend-flow-run", "resume-flow-run", "pause-work-pool", "resume-work-pool",
)
TARGETS = {"deployment": ("run-deployment", "pause-deployment", "resume-deployment"), "work_queue": ("pause-work-queue", "resume-work-queue"), "work_pool": ("pause-work-pool", "resume-work-pool"), "automation": ("pause-automation", "resume-automation")}
LOOPS = "{% for a in b %}{% endfor %}" * 11
TEMPLATES = ("plain", "", "{{ event.id }}", "{{ flow_run | ui_url }}", "{{ bad", "{% if %}", "{{ a | unknown_filter }}", LOOPS, None, 5, {"a": 1})
JINJA = {"__prefect_kind": "jinja", "template": "{{ event.id }}"}
PARAMETERS = (
    None, {}, {"a": 1}, {"a": "plain"}, {"a": "{{ event.id }}"}, {"a": "{{ bad"}, {"a": {"b": ["{{ bad", 1]}}, {"a": {"b": "{% if %}"}}, {"a": JINJA}, {"a": {"__prefect_kind": "jinja"}}, {"a": {"__prefect_kind": "jinja", "template": "{{ bad"}}, {"a": {"__prefect_kind": "jinja", "template": 5}},
    {"a": {"__prefect_kind": "json", "value": "[1]"}}, {"a": {"__prefect_kind": "json", "value": "[1"}}, {"a": {"__prefect_kind": "json"}}, {"a": {"__prefect_kind": "json", "value": JINJA}}, {"a": {"__prefect_kind": "none", "value": 5}}, {"a": {"__prefect_kind": "workspace_variable", "variable_name": "x"}},
    {"a": {"__prefect_kind": "workspace_variable"}}, {"a": {"__prefect_kind": "unknown"}}, [], "x", 5,
)


def _try(c, actions, where="actions", **options):
    for position, action in enumerate(actions):
        body = {"name": c.name(f"one-{position}"), "trigger": {"type": "event", "posture": "Reactive"}, "actions": [], "enabled": False, where: [action]}
        c.post("/automations/", body, show=where, **options)


def _bare(c, kind):
    _try(c, [{"type": kind}], brief=True)


for _kind in KINDS:
    named("automation_actions", f"bare_{_kind}")(lambda c, kind=_kind: _bare(c, kind))


@case
def targets(c):
    """`source` and the id of what is meant have to agree."""
    for target, kinds in TARGETS.items():
        identity = f"{target}_id"
        for kind in kinds:
            for fields in (
                {identity: UUID}, {"source": "selected", identity: UUID}, {"source": "inferred"}, {"source": "inferred", identity: UUID}, {"source": "inferred", identity: None}, {"source": "selected"}, {"source": "selected", identity: None}, {"source": None, identity: UUID}, {"source": "x"}, {identity: "x"}, {identity: 5}, {identity: UUID, "unknown": 1},
            ):
                _try(c, [{"type": kind, **fields}])
                _only_of(c, kind)


def _only_of(c, kind):
    """Of the errors of a 422 those of one kind of action: the other sixteen say only that they are not meant."""
    body = c.steps[-1].get("body")
    if c.steps[-1]["status"] == 422 and isinstance(body, dict) and "exception_detail" in body:
        errors = [[error["type"], error["loc"], error["msg"]] for error in body["exception_detail"]]
        said = [error for error in errors if any(str(part).replace("_", "-").lower().find(kind.replace("-", "")) >= 0 or str(part) == kind for part in error[1])]
        c.steps[-1]["body"] = [len(errors), said or errors[:6]]


@case
def run_deployment(c):
    base = {"type": "run-deployment", "deployment_id": UUID}
    _try(c, [{**base, "parameters": parameters} for parameters in PARAMETERS], brief=True)
    _try(c, [{**base, "parameters": {"a": "{{ bad"}}])
    _try(c, [{**base, "job_variables": variables} for variables in (None, {}, {"a": {"b": 1}}, [], "x")])
    _try(c, [{**base, "schedule_after": after} for after in (0, 60, 1.5, "PT1M", "60", -1, "-PT1S", None, "x", 1e20)])


@case
def change_flow_run_state(c):
    base = {"type": "change-flow-run-state", "state": "FAILED"}
    _try(c, [{**base, "state": state} for state in ("COMPLETED", "SCHEDULED", "PAUSED", "CANCELLING", "failed", "Failed", "x", None, 5)])
    _try(c, [{**base, **fields} for fields in ({"name": "n", "message": "m", "force": True}, {"name": None}, {"name": 5}, {"message": 5}, {"force": "yes"}, {"force": "x"}, {"force": None})])


@case
def notifications(c):
    base = {"type": "send-notification", "block_document_id": UUID, "body": "b"}
    for field in ("subject", "body"):
        _try(c, [{**base, field: template} for template in TEMPLATES])
    _try(c, [{**base, "block_document_id": identity} for identity in ("x", None, 5)])


@case
def webhooks(c):
    base = {"type": "call-webhook", "block_document_id": UUID}
    _try(c, [{**base, "payload": payload} for payload in (*TEMPLATES, {"message": "{{ event.id }}"}, {"message": "{{ bad"}, [], [1, {"a": None}], True, 1.5)])


@case
def shapes(c):
    _try(c, [{}, None, 5, "do-nothing", [], {"type": None}, {"type": "nope"}, {"type": "Do-Nothing"}, {"type": "do-nothing", "unknown": 1}, {"type": "declare-incident"}], brief=True)
    for where in ("actions_on_trigger", "actions_on_resolve"):
        _try(c, [{"type": "do-nothing"}, {"type": "nope"}, {"type": "run-deployment", "source": "inferred"}, {"type": "pause-work-pool"}], where, brief=True)
        _try(c, [{"type": "do-nothing"}], where)
    trigger = {"type": "event", "posture": "Reactive"}
    for actions in (None, {}, "x", 5, [], [{"type": "do-nothing"}] * 20):
        c.post("/automations/", {"name": c.name("list"), "trigger": trigger, "actions": actions, "enabled": False}, brief=True)
