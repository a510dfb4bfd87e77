"""Cases: what fires because other triggers fired; any, all, some, in order, and one inside the other."""

from harness.firing import Stage
from harness.registry import case, named


def _child(stage, letter, **fields):
    return stage.reactive(expect=[f"thing.{letter}"], **fields)


def _plays(name, make, letters, **options):
    """A scenario: `make` answers the trigger, `letters` are the events in their order."""

    def play(c):
        stage = Stage(c)
        stage.automation("one", make(stage))
        for at, letter in enumerate(letters):
            stage.play(f"thing.{letter}", at=at)
        stage.settle()
        stage.fired("one", **options)

    named("firing_composite", name)(play)


def _compound(require, letters="ab", within=60, **fields):
    return lambda stage: {"type": "compound", "require": require, "within": within, "triggers": [_child(stage, letter, **fields) for letter in letters]}


def _sequence(letters="ab", within=60, **fields):
    return lambda stage: {"type": "sequence", "within": within, "triggers": [_child(stage, letter, **fields) for letter in letters]}


def _of(kind, *makes, within=60, **fields):
    return lambda stage: {"type": kind, "within": within, **fields, "triggers": [make(stage) for make in makes]}


def _one(letter, **fields):
    return lambda stage: _child(stage, letter, **fields)


_plays("any", _compound("any"), "ab")
_plays("any_in_full", _compound("any"), "b", full=True)
_plays("all", _compound("all"), "ab")
_plays("all_in_full", _compound("all"), "ab", full=True)
_plays("all_in_another_order", _compound("all"), "ba")
_plays("all_one_missing", _compound("all"), "aaa")
_plays("all_twice", _compound("all"), "abab")
_plays("all_again_with_one", _compound("all"), "abb")
_plays("all_of_one", _compound("all", "a"), "aa")
_plays("all_no_window", _compound("all", within=None), "ab")
_plays("all_window_of_nothing", _compound("all", within=0), "ab")
_plays("one_of_three", _compound(1, "abc"), "cab")
_plays("two_of_three", _compound(2, "abc"), "ac")
_plays("two_of_three_again", _compound(2, "abc"), "acbabc")
_plays("children_with_thresholds", _compound("all", threshold=2), "abab")
_plays("children_with_windows", _compound("all", within=60, for_each=["prefect.resource.id"]), "aabb")
_plays("same_children", _compound("all", "aa"), "aa")
_plays("sequence", _sequence(), "ab")
_plays("sequence_in_full", _sequence(), "ab", full=True)
_plays("sequence_wrong", _sequence(), "ba")
_plays("sequence_wrong_then_right", _sequence(), "bab")
_plays("sequence_repeated_first", _sequence(), "aab")
_plays("sequence_twice", _sequence(), "abab")
_plays("sequence_of_three", _sequence("abc"), "acbc")
_plays("sequence_of_three_again", _sequence("abc"), "acbabc")
_plays("sequence_of_one", _sequence("a"), "aa")
_plays("sequence_window_of_nothing", _sequence(within=0), "ab")
_plays("sequence_in_compound", _of("compound", _sequence("ab"), _one("c"), require="all"), "cab")
_plays("sequence_in_compound_in_full", _of("compound", _sequence("ab"), _one("c"), require="all"), "acb", full=True)
_plays("sequence_in_compound_wrong", _of("compound", _sequence("ab"), _one("c"), require="all"), "cba")
_plays("compound_in_sequence", _of("sequence", _compound("any", "ab"), _one("c")), "bc")
_plays("compound_in_sequence_wrong", _of("sequence", _compound("all", "ab"), _one("c")), "acb")
_plays("three_layers", _of("sequence", _of("compound", _sequence("ab"), _one("c"), require="all"), _one("d")), "cabd")
_plays("after_in_a_child", _of("compound", _one("b", after=["thing.a"], within=60), _one("c"), require="all"), "bcab")


@case
def separate_automations(c):
    """Firings of one automation's children count for no other's."""
    stage = Stage(c)
    for name in ("one", "two"):
        stage.automation(name, _compound("all")(stage))
    stage.play("thing.a", at=0)
    stage.settle()
    stage.automation("three", _compound("all")(stage))
    stage.play("thing.b", at=1)
    stage.settle()
    for name in ("one", "two", "three"):
        stage.fired(name)


@case
def late_events_of_a_sequence(c):
    """The order of a sequence is the order of firing, not of the events' own times."""
    stage = Stage(c)
    stage.automation("one", _sequence()(stage))
    stage.play("thing.a", at=30)
    stage.play("thing.b", at=0)
    stage.settle()
    stage.fired("one")
