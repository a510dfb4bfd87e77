"""Cases: every field of every kind of trigger against values of every kind; what an answer fills in, what a 422 says."""

from harness.registry import named

ABSENT = object()
UUID = "0e5be0a6-3a07-4f0c-9d3c-5f2a7a1f1c11"


def _event(**fields):
    return {"type": "event", "posture": "Reactive", "expect": ["thing.happened"], "match": {"prefect.resource.id": "thing.*"}, **fields}


def _compound(**fields):
    return {"type": "compound", "require": "all", "within": 60, "triggers": [_event(), _event(expect=["other"])], **fields}


def _sequence(**fields):
    return {"type": "sequence", "within": 60, "triggers": [_event(), _event(expect=["other"])], **fields}


SPECIFICATIONS = (
    {}, {"k": "v"}, {"k": ["v", "w"]}, {"k": []}, {"k": 5}, {"k": None}, {"k": [5]}, {"k": {"a": "b"}}, {"": "v"}, {"k": ""}, None, [], [{}], [{"k": "v"}, {"k": ["w"]}], [{"k": 5}], [5], [None], "x", 5,
)
NAMES = ([], ["a"], ["a", "a"], ["a.*", "*"], "a", None, {}, {"a": 1}, [1], [None], [""], 5, True)
SPANS = (0, 30, 30.5, 0.0001, "30", "PT30S", "P1D", "P1DT1H", "00:01:30", "1 day", "x", "", None, True, [], {}, -1, -0.5, "-PT1S", 86_400, 1e9, 1e20)

EVENT_FIELDS = {
    "within": SPANS,
    "threshold": (1, 0, -1, 2.0, 2.5, "3", "x", None, True, [], 10**10, 10**20),
    "posture": ("Reactive", "Proactive", "reactive", "REACTIVE", "Metric", "x", None, 5, ABSENT),
    "type": (ABSENT, None, "Event", "metric", "nope", 5),
    "id": (UUID, UUID.upper(), "x", None, 5),
    "expect": (ABSENT, *NAMES),
    "after": NAMES,
    "for_each": (*NAMES, ["related:flow:prefect.resource.id"], ["related:x"], ["b", "a"]),
    "match": SPECIFICATIONS,
    "match_related": SPECIFICATIONS,
    "unknown": (1,),
}
COMPOUND_FIELDS = {
    "require": ("any", "all", "ALL", "x", 1, 2, 3, 0, -1, "2", 2.0, 1.5, True, None, [], ABSENT),
    "within": (ABSENT, *SPANS),
    "triggers": (ABSENT, None, [], {}, "x", [5], [{}], [None], [_event()], [_event(posture="x")], [_event(), {"type": "nope"}], [_compound()], [_sequence(), _event()]),
    "id": (UUID, "x"),
    "unknown": (1,),
}
SEQUENCE_FIELDS = {
    "within": (ABSENT, None, 0, 30, "PT30S", -1, "x"),
    "triggers": (ABSENT, None, [], {}, [5], [{}], [_event()], [_event(), _event()], [_compound(), _event()]),
    "require": ("all", 1),
}
PROACTIVE_SPANS = (ABSENT, 0, 0.0, 5, 9.99, 10, 10.5, 60, -1, "PT30S", "10", None, "x", True, [])
METRIC = {
    "type": "metric", "posture": "Metric", "metric": {"name": "lateness", "threshold": 0.5, "operator": "<", "range": 300, "firing_for": 300},
}
DEEP = _event()
for _ in range(12):
    DEEP = {"type": "sequence", "within": 5, "triggers": [DEEP]}
WHOLE = {
    "nothing": {}, "kind_only": {"type": "event"}, "compound_only": {"type": "compound"}, "sequence_only": {"type": "sequence"}, "text": "x", "list": [], "null": None, "number": 5, "no_kind": {"posture": "Reactive"},
    "no_kind_but_triggers": {"triggers": [_event()], "within": 5}, "no_kind_but_require": {"triggers": [_event()], "require": "any", "within": 5}, "metric": METRIC, "deep": DEEP,
    "three_layers": _compound(triggers=[_sequence(triggers=[_compound(require=1), _event()]), _event(for_each=["a"], threshold=3, within=60), _event(posture="Proactive", after=["b"], within=30)], require=2),
    "proactive_child_too_short": _sequence(triggers=[_event(posture="Proactive", within=5)]),
    "everything": _event(id=UUID, after=["one", "two"], for_each=["related:flow:prefect.resource.id", "prefect.resource.id"], match_related=[{"prefect.resource.role": "flow", "prefect.resource.id": ["prefect.flow.*", "!x"]}], threshold=5, within=120),
}


def _put(c, base, triggers):
    """Creates one automation for each trigger and shows what became of the trigger."""
    for position, trigger in enumerate(triggers):
        body = {"name": c.name(f"{base}-{position}"), "trigger": trigger, "actions": [{"type": "do-nothing"}], "enabled": False}
        c.post("/automations/", body, show="trigger")


def _with(make, field, value):
    trigger = make()
    if value is ABSENT:
        trigger.pop(field, None)
    else:
        trigger[field] = value
    return trigger


def _field_case(kind, make, field, values):
    named("automation_triggers", f"{kind}_{field}")(lambda c: _put(c, field, [_with(make, field, value) for value in values]))


for _kind, _make, _fields in (("event", _event, EVENT_FIELDS), ("compound", _compound, COMPOUND_FIELDS), ("sequence", _sequence, SEQUENCE_FIELDS)):
    for _field, _values in _fields.items():
        _field_case(_kind, _make, _field, _values)
_field_case("proactive", lambda: _event(posture="Proactive"), "within", PROACTIVE_SPANS)
for _name, _trigger in WHOLE.items():
    named("automation_triggers", f"whole_{_name}")(lambda c, trigger=_trigger: _put(c, "whole", [trigger]))
