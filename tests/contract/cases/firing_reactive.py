"""Cases: what fires because events came; thresholds, windows, keys, patterns and the order of events."""

from harness.firing import DO_NOTHING, Stage
from harness.registry import case, named


def _plays(name, trigger, *events, **options):
    """A scenario of one automation: `events` are times, or the arguments of each event."""

    def play(c):
        stage = Stage(c)
        stage.automation("one", stage.reactive(**trigger))
        for event in events:
            stage.play(**(event if isinstance(event, dict) else {"at": event}))
        stage.settle()
        stage.fired("one", **options)

    named("firing_reactive", name)(play)


def _at(at, name="thing.happened", **fields):
    return {"at": at, "name": name, **fields}


def _began(at, **fields):
    return _at(at, "thing.began", **fields)


def _role(role, identity, **labels):
    return {"prefect.resource.id": identity, "prefect.resource.role": role, **labels}


_plays("every_event", {}, 0, 1, 2)
_plays("every_event_in_full", {"for_each": ["prefect.resource.id"]}, _at(0, labels={"prefect.resource.name": "one"}, related=[_role("flow", "flow.a")], payload={"deep": {"a": [1, None]}}), full=True)
_plays("same_moment", {}, 0, 0, 0)
_plays("threshold_without_window", {"threshold": 3}, 0, 1, 2, 3, 4, 5, 6)
_plays("threshold_without_window_far_apart", {"threshold": 2}, 0, 3600, 7200)
_plays("threshold_in_window", {"threshold": 3, "within": 60}, 0, 10, 20, 30, 40, 50)
_plays("threshold_missed_by_window", {"threshold": 2, "within": 60}, 0, 61, 130, 140)
_plays("threshold_at_end_of_window", {"threshold": 2, "within": 60}, 0, 60, 119)
_plays("threshold_nothing", {"threshold": 0}, 0, 1)
_plays("threshold_nothing_in_window", {"threshold": 0, "within": 60}, 0, 1, 61)
_plays("window_is_silent_after_firing", {"within": 60}, 0, 10, 59, 60, 61, 119, 120, 121)
_plays("event_after_the_next_window", {"threshold": 2, "within": 60}, 0, 1, 200, 201)
_plays("late_but_in_time", {"threshold": 2, "within": 60}, 0, -600)
_plays("late_by_more_than_is_kept", {"threshold": 2, "within": 60}, 0, -901, 10)
_plays("late_after_firing", {"within": 60}, 0, -10, 30, 61)
_plays("late_without_window", {}, 0, -3600, 5)
_plays("out_of_order", {"threshold": 3, "within": 60}, 30, 0, 15, 20)
_plays("far_in_the_future", {"threshold": 2, "within": 60}, 0, 86_400, 1, 86_401)

_plays("for_each_thing", {"for_each": ["prefect.resource.id"], "match": {}, "expect": ["each.thing"], "threshold": 2, "within": 60}, *(_at(at, "each.thing", of=of) for at, of in enumerate(["a", "b", "b", "c", "a", "b"])))
_plays("for_each_two_labels", {"for_each": ["zone", "colour"], "threshold": 2, "within": 60}, *(_at(at, labels=labels) for at, labels in enumerate([{"zone": "1", "colour": "red"}, {"zone": "2", "colour": "red"}, {"zone": "1", "colour": "red"}, {"zone": "2"}, {"zone": "2", "colour": ""}])))
_plays("for_each_related", {"for_each": ["related:flow:prefect.resource.id"]}, _at(0, related=[_role("tag", "t"), _role("flow", "flow.a"), _role("flow", "flow.b")]), _at(1, related=[_role("flow", "flow.b")]), _at(2))
_plays("for_each_label_that_is_not_there", {"for_each": ["missing"], "threshold": 2, "within": 60}, 0, 1)
_plays("for_each_window_of_its_own", {"for_each": ["zone"], "within": 60}, _at(0, labels={"zone": "1"}), _at(30, labels={"zone": "2"}), _at(61, labels={"zone": "1"}), _at(62, labels={"zone": "2"}))

AFTER = {"after": ["thing.began"], "within": 60}
_plays("after_alone", AFTER, _began(0))
_plays("after_then_expected", AFTER, _began(0), 10)
_plays("after_expected_first", AFTER, 0, _began(10))
_plays("after_expected_too_late", AFTER, _began(0), 61, 62)
_plays("after_is_needed_again", AFTER, _began(0), 10, 20, _began(30), 40)
_plays("after_twice_keeps_the_first_window", AFTER, _began(0), _began(50), 70)
_plays("after_with_threshold", {**AFTER, "threshold": 2}, _began(0), 10, 20, 30, 40)
_plays("after_without_window", {**AFTER, "within": 0}, _began(0), 10, _began(20), 20)
_plays("after_for_each", {**AFTER, "for_each": ["zone"]}, _began(0, labels={"zone": "1"}), _at(10, labels={"zone": "2"}), _at(20, labels={"zone": "1"}))
_plays("after_anything", {"after": ["thing.*"], "within": 60}, 0, 10, 20)
_plays("after_and_nothing_expected", {**AFTER, "expect": []}, 0, _began(10), 20, 30)
SAME = {"after": ["thing.happened"], "within": 60}
_plays("same_event_starts_and_counts", SAME, 0, 10, 20, 30, 40)
_plays("same_event_with_threshold", {**SAME, "threshold": 2}, 0, 10, 20, 30, 40, 50)
_plays("same_event_far_apart", SAME, 0, 61, 70)

for _position, _pattern in enumerate((["thing.*"], ["*"], ["thing.happened", "thing.began"], ["thing.?appened"], ["thing.[hb]*"], ["!thing.began"], ["*.happened"], ["thing.hap"], ["Thing.Happened"], ["thing"])):
    _plays(f"expects_{_position}", {"expect": _pattern}, 0, _began(1), _at(2, "thing.happened.again"), _at(3, "other.happened"))
_plays("expects_anything", {"expect": []}, 0, _began(1), _at(2, "other"))
LABELLED = [_at(0, labels={"k": "v"}), _at(1, labels={"k": "w"}), _at(2, labels={"k": "vw", "l": "m"}), _at(3)]
for _position, _match in enumerate(({"k": "v"}, {"k": ["v", "w"]}, {"k": "v*"}, {"k": "!v"}, {"k": ["!v", "!w"]}, {"k": "v*", "l": "m"}, {"k": "*"}, {"k": []}, {"k": ""}, {"k": "V"}, {"k": "!*"})):
    _plays(f"matches_{_position}", {"match": _match, "expect": [f"matches.{_position}"]}, *({**event, "name": f"matches.{_position}"} for event in LABELLED))
RELATED = [_at(0, related=[_role("flow", "flow.a", k="v"), _role("tag", "tag.b")]), _at(1, related=[_role("flow", "flow.b")]), _at(2), _at(3, related=[_role("tag", "flow.a")])]
for _position, _match in enumerate(({"prefect.resource.role": "flow"}, {"prefect.resource.role": "flow", "prefect.resource.id": "flow.a"}, [{"prefect.resource.role": "flow"}, {"prefect.resource.role": "tag"}], [{"prefect.resource.id": "flow.a"}, {}], {"prefect.resource.id": "!flow.a"}, [], {"k": ["v", "w"]})):
    _plays(f"matches_related_{_position}", {"match_related": _match}, *RELATED)


@case
def two_automations(c):
    stage = Stage(c)
    stage.automation("one", stage.reactive())
    stage.automation("two", stage.reactive(threshold=2), [DO_NOTHING, DO_NOTHING])
    for at in range(4):
        stage.play(at=at)
    stage.settle()
    stage.fired("one")
    stage.fired("two")


@case
def asleep_and_awake(c):
    stage = Stage(c)
    made = stage.automation("one", stage.reactive(), enabled=False)
    stage.play()
    stage.settle()
    c.patch(f"/automations/{made['id']}", {"enabled": True}, quiet=True)
    stage.ready()
    stage.play()
    stage.settle()
    c.patch(f"/automations/{made['id']}", {"enabled": False}, quiet=True)
    stage.ready()
    stage.play()
    stage.settle()
    stage.fired("one")


@case
def changed_begins_anew(c):
    stage = Stage(c)
    trigger = stage.reactive(threshold=2, within=60)
    made = stage.automation("one", trigger)
    stage.play(at=0)
    stage.settle()
    c.put(f"/automations/{made['id']}", {"name": c.name("one"), "trigger": trigger, "actions": [DO_NOTHING]}, quiet=True)
    stage.ready()
    stage.play(at=1)
    stage.settle()
    stage.fired("one")
    stage.play(at=2)
    stage.settle()
    stage.fired("one")


@case
def paused_keeps_its_count(c):
    stage = Stage(c)
    made = stage.automation("one", stage.reactive(threshold=2, within=60))
    stage.play(at=0)
    stage.settle()
    for enabled in (False, True):
        c.patch(f"/automations/{made['id']}", {"enabled": enabled}, quiet=True)
        stage.ready()
    stage.play(at=1)
    stage.settle()
    stage.fired("one")


@case
def deleted(c):
    stage = Stage(c)
    made = stage.automation("one", stage.reactive(threshold=2, within=60))
    stage.play(at=0)
    stage.settle()
    c.delete(f"/automations/{made['id']}", quiet=True)
    stage.ready()
    stage.play(at=1)
    stage.settle()
    stage.fired("one")


@case
def same_event_twice(c):
    stage = Stage(c)
    stage.automation("one", stage.reactive(threshold=2, within=60))
    event = stage.play(at=0)
    stage.send(event)
    stage.settle()
    stage.fired("one")
    stage.play(at=1)
    stage.settle()
    stage.fired("one")


@case
def follower_before_leader(c):
    stage = Stage(c)
    stage.automation("one", stage.reactive())
    leader, follower = stage.event(at=0), stage.event(at=1)
    follower["follows"] = leader["id"]
    stage.send(follower)
    stage.send(leader)
    stage.last = follower["id"]
    stage.settle()
    stage.fired("one")


@case
def logs_are_no_events(c):
    stage = Stage(c)
    stage.automation("one", stage.reactive(expect=["prefect.log.write"]))
    stage.play("prefect.log.write")
    stage.last = None
    stage.settle()
    stage.fired("one")


@case
def on_trigger(c):
    """What is done on the change of state sees the change of state, not the event before it."""
    stage = Stage(c)
    stage.automation("one", stage.reactive(), [DO_NOTHING], actions_on_trigger=[DO_NOTHING, DO_NOTHING], actions_on_resolve=[DO_NOTHING])
    stage.play()
    stage.settle()
    stage.fired("one", full=True)


@case
def automation_of_automations(c):
    stage = Stage(c)
    made = stage.automation("one", stage.reactive())
    watched = {"prefect.resource.id": f"prefect.automation.{made['id']}"}
    stage.automation("watches", stage.reactive(expect=["prefect.automation.triggered"], match=watched))
    stage.automation("watches-actions", stage.reactive(expect=["prefect.automation.action.*"], match=watched))
    stage.play()
    stage.settle()
    stage.until_fired("watches", 1)
    stage.until_fired("watches-actions", 2)
    stage.fired("watches")
    stage.fired("watches-actions")
