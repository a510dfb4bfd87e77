"""Cases: what fires because events did not come. All windows of a case close before it is looked at, once."""

from harness.firing import WINDOW, Stage
from harness.registry import case


def _began(stage, of, at=0.0, **fields):
    stage.play("thing.began", at=at, of=of, **fields)


@case
def absence(c):
    stage = Stage(c)
    two = {"threshold": 2}
    beats = {"expect": ["thing.beat"], "after": ["thing.beat"]}
    for name, fields in {
        "nothing-came": {}, "came": {}, "came-too-early": {}, "came-too-late": {}, "one-of-two": two, "two-of-two": two, "three-of-two": two, "never-began": {}, "one-beat": beats, "two-beats": beats, "beat-and-end": {"expect": ["thing.beat", "thing.ended"], "after": ["thing.beat"]},
        "began-twice": {}, "expects-anything": {"expect": []}, "threshold-nothing": {"threshold": 0},
    }.items():
        stage.automation(name, stage.proactive(name, **fields))
    stage.automation("each", stage.proactive("each", match={"prefect.resource.id": stage.thing("each.*")}, for_each=["prefect.resource.id"]))
    stage.begin_again()
    for name in ("nothing-came", "came", "came-too-early", "came-too-late", "one-of-two", "two-of-two", "three-of-two", "began-twice", "began-twice", "expects-anything", "threshold-nothing", "each.a", "each.b", "each.c"):
        _began(stage, name)
    stage.play(at=1, of="came")
    stage.play(at=-1, of="came-too-early")
    stage.play(at=WINDOW + 1, of="came-too-late")
    for name, count in (("one-of-two", 1), ("two-of-two", 2), ("three-of-two", 3), ("never-began", 1)):
        for at in range(count):
            stage.play(at=1 + at, of=name)
    for name, times in (("one-beat", [0]), ("two-beats", [0, 1]), ("beat-and-end", [0])):
        for at in times:
            stage.play("thing.beat", at=at, of=name)
    stage.play("thing.ended", at=1, of="beat-and-end")
    stage.play(at=1, of="each.b")
    stage.windows_closed()
    for name in stage.names():
        stage.fired(name)


@case
def always(c):
    """Without a beginning the window opens with the automation, and again when it closes."""
    stage = Stage(c)
    always = {"after": []}
    stage.automation("nothing-came", stage.proactive("nothing-came", **always))
    stage.automation("each-unseen", stage.proactive("each-unseen", for_each=["prefect.resource.id"], **always))
    stage.automation("asleep", stage.proactive("asleep", **always), enabled=False)
    stage.windows_closed()
    for name in stage.names():
        stage.fired(name, first=1)


@case
def in_full(c):
    stage = Stage(c)
    stage.automation("one", stage.proactive(for_each=["prefect.resource.id"]))
    stage.automation("always", stage.proactive("always", after=[]))
    sequence = {"type": "sequence", "within": 60, "triggers": [stage.reactive("two", expect=["thing.began"]), stage.proactive("two")]}
    stage.automation("two", sequence)
    either = {"type": "compound", "require": "any", "within": 60, "triggers": [stage.reactive("three", expect=["never"]), stage.proactive("three")]}
    stage.automation("three", either)
    stage.begin_again()
    for of in ("one", "two", "three"):
        _began(stage, of)
    stage.windows_closed()
    for name in ("one", "always", "two", "three"):
        stage.fired(name, full=True, first=1)
