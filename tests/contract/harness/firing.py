"""A stage for automations: makes some, plays events to them at chosen times, and shows what fired and what the actions came to.

Waits for no fixed time. A fence, an automation of its own whose event follows the last one played, says that the server has
looked at all before it; a sentinel, a trigger that waits for an absence and whose window closes last, says the same of windows.
"""

import datetime
import uuid

from harness.normalise import utc_now

TRIGGERED, RESOLVED = "prefect.automation.triggered", "prefect.automation.resolved"
ACTED = ("prefect.automation.action.executed", "prefect.automation.action.failed")
SPOKEN = [TRIGGERED, RESOLVED, "prefect.automation.action.triggered", *ACTED]
# Of the windows under test; the reference knows none that is shorter.
WINDOW = 10
# The sentinel closes that much later than every window of the case.
MARGIN = 3
# What a server needs to look at a few events; only a scenario that fails takes this long.
SETTLED_IN = 60
DO_NOTHING = {"type": "do-nothing"}


class Stage:
    """What one case plays on. Times are seconds from the stage's beginning; every event's payload carries its number."""

    def __init__(self, c):
        self.c = c
        self.began = utc_now()
        self.played = 0
        self.fences = self.gates = 0
        self.is_open = False
        self.last: str | None = None
        self.made: dict[str, dict] = {}
        self.automation("fence", self._own("fence"))
        if self.made["fence"]["id"] == c.nil:
            raise RuntimeError("the server makes no automations")

    def reactive(self, of="one", **fields):
        """A trigger for events of the thing that `of` names."""
        return {"type": "event", "posture": "Reactive", "expect": ["thing.happened"], "match": {"prefect.resource.id": self.thing(of)}, "threshold": 1, "within": 0, **fields}

    def proactive(self, of="one", **fields):
        return self.reactive(of, **{"posture": "Proactive", "after": ["thing.began"], "within": WINDOW, **fields})

    def thing(self, of):
        return f"thing.{self.c.token}.{of}"

    def automation(self, name, trigger, actions=(DO_NOTHING,), **fields):
        body = {"name": self.c.name(name), "trigger": trigger, "actions": list(actions), **fields}
        made = self.c.post("/automations/", body, quiet=True)
        self.is_open = False
        self.made[name] = {"id": str(made["id"]), "actions": len(body["actions"]) + len(fields.get("actions_on_trigger", ()))}
        return made

    def event(self, name="thing.happened", at=0.0, of="one", related=(), payload=None, labels=None, **fields):
        self.played += 1
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.c.token}-{self.played}"))
        resource = {"prefect.resource.id": self.thing(of), **(labels or {})}
        made = self._event(identity, name, self.began + datetime.timedelta(seconds=at), resource)
        return {**made, "related": list(related), "payload": {"n": self.played, **(payload or {})}, "follows": self.last, **fields}

    def play(self, name="thing.happened", at=0.0, **fields):
        """Sends one event; the next one follows it, so that both servers take them in this order."""
        if not self.is_open:
            self.ready()
        event = self.event(name, at, **fields)
        self.send(event)
        self.last = event["id"]
        return event

    def send(self, *events):
        self.c.post("/events", list(events), quiet=True)

    def ready(self):
        """Waits until the server knows of every change of automations so far: the reference loads them after it has answered."""
        self.gates += 1
        gate = f"gate-{self.gates}"
        self.automation(gate, self._own(gate))

        def opened():
            event = self._event(str(uuid.uuid4()), f"{gate}.{self.c.token}", utc_now(), {"prefect.resource.id": self.thing("gate")})
            self.send(event)
            return self.c.wait(lambda: self._count([gate], TRIGGERED) > 0, 3, strict=False)

        self.c.wait(opened, SETTLED_IN)
        self.is_open = True

    def settle(self):
        """Waits until everything played so far is evaluated, and every action that it caused has come to its end."""
        self.fences += 1
        self.play(f"fence.{self.c.token}", of="fence")
        self.c.wait(lambda: self._count(["fence"], TRIGGERED) >= self.fences and self._all_acted(), SETTLED_IN)

    def windows_closed(self):
        """Waits until every window that is open now has closed and been looked at."""
        absent = {"expect": ["never"], "after": ["sentinel.began"], "within": WINDOW + MARGIN}
        self.automation("sentinel", self.proactive("sentinel", **absent))
        self.play("sentinel.began", at=(utc_now() - self.began).total_seconds(), of="sentinel")
        self.c.wait(lambda: self._count(["sentinel"], TRIGGERED) >= 1 and self._all_acted(), 3 * (WINDOW + MARGIN))

    def begin_again(self):
        """Counts time from now: setting the stage took as long as it took."""
        self.ready()
        self.began = utc_now()

    def until_fired(self, name, times):
        """Waits for firings whose events the server makes itself, which no fence follows."""
        self.c.wait(lambda: self._count([name], TRIGGERED) >= times and self._all_acted(), SETTLED_IN)

    def names(self):
        return [name for name in self.made if name not in ("fence", "sentinel") and not name.startswith("gate-")]

    def fired(self, name, full=False, first=None):
        """Adds a step that shows the firings of one automation, in their order, each with its actions."""
        events = self._spoken(name)
        firings = sorted((event for event in events if event["event"] in (TRIGGERED, RESOLVED)), key=lambda event: (event["occurred"], event["id"]))
        shown = [self._firing(firing, events, full) for firing in firings[:first]]
        self.c.note(f"{name} fired", shown)

    def _own(self, name):
        """A trigger of the stage's own: for every event of its name."""
        return self.reactive(expect=[f"{name}.{self.c.token}"], match={})

    def _event(self, identity, name, occurred, resource):
        return {"id": identity, "event": name, "occurred": occurred.isoformat(timespec="microseconds").replace("+00:00", "Z"), "resource": resource}

    def _firing(self, firing, events, full):
        caused = f"prefect.event.{firing['id']}"
        actions = [event for event in events if any(related["prefect.resource.id"] == caused for related in event["related"] if related["prefect.resource.role"] == "automation-triggered-event")]
        actions.sort(key=lambda event: (event["payload"]["action_index"], event["event"] != "prefect.automation.action.triggered"))
        if full:
            return {**_essential(firing), "actions": [_essential(action) for action in actions]}
        ends = [action for action in actions if action["event"] in ACTED]
        triggering = firing["payload"]["triggering_event"]
        return {
            "labels": firing["payload"]["triggering_labels"], "event": triggering and (triggering["payload"].get("n") or triggering["event"]),
            "actions": [f"{end['payload']['action_type']} {end['event'].rsplit('.', 1)[-1]}" for end in ends],
        }

    def _spoken(self, name):
        return list(self._asked([name], SPOKEN, 50)["events"])

    def _count(self, names, *kinds):
        return self._asked(names, kinds, 1)["total"]

    def _asked(self, names, kinds, limit):
        resources = [f"prefect.automation.{self.made[name]['id']}" for name in names]
        return self.c.ask("POST", "/events/filter", {"filter": {"resource": {"id": resources}, "event": {"name": list(kinds)}}, "limit": limit})

    def _all_acted(self):
        """Whether as many actions have come to their end as were caused; asked of all automations with equally many at once."""
        alike: dict[int, list[str]] = {}
        for name, made in self.made.items():
            alike.setdefault(made["actions"], []).append(name)
        return all(self._count(names, *ACTED) >= self._count(names, TRIGGERED) * actions for actions, names in alike.items())


def _essential(event):
    essential = {key: event[key] for key in ("event", "resource", "related", "payload", "follows", "id")}
    if "template_error" in event["payload"]:
        # Each engine of templates has its own words for what is wrong with one.
        reason = event["payload"]["reason"].partition(":")[0]
        essential["payload"] = {**event["payload"], "reason": f"{reason}: <words>", "template_error": "<words>"}
    return essential
