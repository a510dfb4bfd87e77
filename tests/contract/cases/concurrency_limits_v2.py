"""Cases: global concurrency limits; create to delete, slots with and without leases, modes, decay."""

from cases.support import flow, flow_run
from harness.registry import case

PATH = "/v2/concurrency_limits"


def _limit(c, base="limit", limit=2, **fields):
    return c.post(f"{PATH}/", {"name": c.name(base), "limit": limit, **fields}, quiet=True)


@case
def create_and_read(c):
    made = c.post(f"{PATH}/", {"name": c.name("limit"), "limit": 3})
    c.get(f"{PATH}/{made['id']}")
    c.get(f"{PATH}/{c.name('limit')}")
    c.post(f"{PATH}/", {"name": c.name("limit"), "limit": 3})
    c.post(f"{PATH}/", {"name": c.name("full"), "limit": 10, "active": False, "active_slots": 4, "denied_slots": 2, "slot_decay_per_second": 0.0001})
    c.get(f"{PATH}/{c.name('full')}", show=["active", "active_slots", "slot_decay_per_second", "limit"])
    c.get(f"{PATH}/absent")
    c.get(f"{PATH}/{c.nil}")
    for body in (
        {}, {"name": "x"}, {"limit": 1}, {"name": "", "limit": 1}, {"name": "a/b", "limit": 1}, {"name": None, "limit": 1}, {"name": 5, "limit": 1}, {"name": "x", "limit": -1}, {"name": "x", "limit": "x"}, {"name": "x", "limit": 1.5}, {"name": "x", "limit": None}, {"name": "x", "limit": 1, "active": "x"}, {"name": "x", "limit": 1, "active_slots": -1},
        {"name": "x", "limit": 1, "denied_slots": -1}, {"name": "x", "limit": 1, "slot_decay_per_second": -0.1}, {"name": "x", "limit": 1, "slot_decay_per_second": "x"}, {"name": "x", "limit": 1, "unknown": 1}, {"name": "x", "limit": 1, "avg_slot_occupancy_seconds": 2}, [],
    ):
        c.post(f"{PATH}/", body, show="status")
    c.post(f"{PATH}/")
    c.post(f"{PATH}/", {"name": c.name("zero"), "limit": 0}, show=["limit"])


@case
def update_and_delete(c):
    made = _limit(c)
    path = f"{PATH}/{made['id']}"
    # So slow that the slot is there to the end of the case.
    c.patch(path, {"limit": 5, "active_slots": 1, "slot_decay_per_second": 0.0001})
    c.get(path)
    c.patch(f"{PATH}/{c.name('limit')}", {"active": False})
    c.get(path, show=["active", "limit"])
    c.patch(path, {})
    for body in ({"limit": None}, {"limit": -1}, {"active": None}, {"active": "x"}, {"name": None}, {"name": "a/b"}, {"active_slots": None}, {"active_slots": -1}, {"denied_slots": 9}, {"slot_decay_per_second": None}, {"slot_decay_per_second": 0}, {"unknown": 1}, []):
        c.patch(path, body)
        c.get(path, show=["name", "limit", "active", "active_slots", "slot_decay_per_second"])
    c.patch(path)
    _limit(c, "other")
    c.patch(path, {"name": c.name("other")})
    c.patch(path, {"name": c.name("renamed")})
    c.get(f"{PATH}/{c.name('renamed')}", show=["name"])
    c.get(f"{PATH}/{c.name('limit')}")
    c.patch(f"{PATH}/absent", {"limit": 1})
    c.patch(f"{PATH}/{c.nil}", {"limit": 1})
    c.delete(path)
    c.delete(path)
    c.delete(f"{PATH}/{c.name('other')}")
    c.delete(f"{PATH}/absent")
    c.delete(f"{PATH}/{c.nil}")


@case
def lists(c):
    for base in ("bb", "aa"):
        _limit(c, base)
    c.post(f"{PATH}/filter", {}, own=True, show=["name", "limit"])
    c.post(f"{PATH}/filter", {}, own=True)
    for body in ({"limit": 0}, {"limit": 201}, {"limit": -1}, {"limit": "x"}, {"offset": -1}, {"offset": "x"}, {"offset": 100000}):
        c.post(f"{PATH}/filter", body)


@case
def slots(c):
    one, two = _limit(c, "one", 2), _limit(c, "two", 5)
    names = [c.name("one"), c.name("two")]
    c.post(f"{PATH}/increment", {"names": names, "slots": 1})
    c.post(f"{PATH}/increment", {"names": names, "slots": 1, "mode": "concurrency"})
    c.post(f"{PATH}/increment", {"names": names, "slots": 1})
    c.get(f"{PATH}/{one['id']}", show=["active_slots"])
    c.get(f"{PATH}/{two['id']}", show=["active_slots"])
    c.post(f"{PATH}/increment", {"names": names, "slots": 3})
    c.post(f"{PATH}/increment", {"names": [c.name("two")], "slots": 3})
    c.post(f"{PATH}/increment", {"names": [c.name("absent")], "slots": 1})
    c.post(f"{PATH}/increment", {"names": [c.name("absent"), c.name("one")], "slots": 1})
    c.post(f"{PATH}/decrement", {"names": names, "slots": 1})
    c.get(f"{PATH}/{one['id']}", show=["active_slots"])
    c.post(f"{PATH}/decrement", {"names": names, "slots": 10, "occupancy_seconds": 4.0})
    c.get(f"{PATH}/{two['id']}", show=["active_slots"])
    c.post(f"{PATH}/decrement", {"names": [c.name("absent")], "slots": 1})
    c.patch(f"{PATH}/{one['id']}", {"active": False})
    c.post(f"{PATH}/increment", {"names": names, "slots": 5})
    c.post(f"{PATH}/increment", {"names": [c.name("one")], "slots": 50})
    c.get(f"{PATH}/{one['id']}", show=["active_slots", "active"])
    for verb in ("increment", "decrement"):
        for body in ({}, {"names": names}, {"slots": 1}, {"names": [], "slots": 1}, {"names": "x", "slots": 1}, {"names": [1], "slots": 1}, {"names": names, "slots": 0}, {"names": names, "slots": -1}, {"names": names, "slots": "x"}, {"names": names, "slots": 1.5}, {"names": names, "slots": 1, "mode": "x"}, {"names": names, "slots": 1, "occupancy_seconds": 0}, {"names": names, "slots": 1, "occupancy_seconds": "x"}, {"names": names, "slots": None}, []):
            c.post(f"{PATH}/{verb}", body, show="status")
        c.post(f"{PATH}/{verb}")
    c.post(f"{PATH}/increment", {"names": [c.name("made")], "slots": 1, "create_if_missing": True})
    c.get(f"{PATH}/{c.name('made')}", show=["limit", "active_slots"])


@case
def rate_limits(c):
    decaying, steady = _limit(c, "decaying", 2, slot_decay_per_second=0.0001), _limit(c, "steady", 2)
    c.post(f"{PATH}/increment", {"names": [c.name("decaying")], "slots": 2, "mode": "rate_limit"})
    c.post(f"{PATH}/increment", {"names": [c.name("decaying")], "slots": 1, "mode": "rate_limit"})
    c.post(f"{PATH}/increment", {"names": [c.name("steady")], "slots": 1, "mode": "rate_limit"})
    c.post(f"{PATH}/increment", {"names": [c.name("steady"), c.name("decaying")], "slots": 1, "mode": "rate_limit"})
    c.get(f"{PATH}/{decaying['id']}", show=["active_slots", "slot_decay_per_second"])
    fast = _limit(c, "fast", 1, slot_decay_per_second=1000)
    c.post(f"{PATH}/increment", {"names": [c.name("fast")], "slots": 1, "mode": "rate_limit"})
    c.until(lambda answer: answer["active_slots"] == 0, "GET", f"{PATH}/{fast['id']}")
    c.get(f"{PATH}/{fast['id']}", show=["active_slots"])
    assert steady is not None


@case
def leases(c):
    made = _limit(c, "limit", 2)
    run = flow_run(c, flow(c)["id"])
    names = [c.name("limit")]
    first = c.post(f"{PATH}/increment-with-lease", {"names": names, "slots": 1, "lease_duration": 60})
    second = c.post(f"{PATH}/increment-with-lease", {"names": names, "slots": 1, "holder": {"type": "flow_run", "id": run["id"]}})
    c.post(f"{PATH}/increment-with-lease", {"names": names, "slots": 1})
    c.get(f"{PATH}/{made['id']}", show=["active_slots"])
    c.post(f"{PATH}/leases/{first['lease_id']}/renew", {"lease_duration": 120})
    c.post(f"{PATH}/leases/{first['lease_id']}/renew")
    c.post(f"{PATH}/decrement-with-lease", {"lease_id": first["lease_id"]})
    c.get(f"{PATH}/{made['id']}", show=["active_slots"])
    c.post(f"{PATH}/decrement-with-lease", {"lease_id": first["lease_id"]})
    c.get(f"{PATH}/{made['id']}", show=["active_slots"])
    c.post(f"{PATH}/leases/{first['lease_id']}/renew", {"lease_duration": 120})
    c.post(f"{PATH}/leases/{c.nil}/renew", {"lease_duration": 120})
    c.post(f"{PATH}/leases/abc/renew", {"lease_duration": 120})
    c.post(f"{PATH}/decrement-with-lease", {"lease_id": c.nil})
    for body in ({"lease_duration": 59}, {"lease_duration": 86401}, {"lease_duration": "x"}, {"lease_duration": 60.5}, []):
        c.post(f"{PATH}/leases/{second['lease_id']}/renew", body)
    for body in (
        {}, {"names": names, "slots": 0}, {"names": names, "slots": 1, "lease_duration": 59}, {"names": names, "slots": 1, "lease_duration": 86401}, {"names": names, "slots": 1, "lease_duration": "x"}, {"names": names, "slots": 1, "holder": {}}, {"names": names, "slots": 1, "holder": {"type": "x", "id": c.nil}}, {"names": names, "slots": 1, "holder": {"type": "flow_run", "id": "x"}},
        {"names": names, "slots": 1, "mode": "x"}, {"names": names, "slots": 3}, {"names": [c.name("absent")], "slots": 1}, {"names": names, "slots": 1, "mode": "rate_limit"},
    ):
        c.post(f"{PATH}/increment-with-lease", body)
    for body in ({}, {"lease_id": "x"}, {"lease_id": None}, []):
        c.post(f"{PATH}/decrement-with-lease", body)
    c.post(f"{PATH}/decrement-with-lease", {"lease_id": second["lease_id"]})
    c.get(f"{PATH}/{made['id']}", show=["active_slots"])
