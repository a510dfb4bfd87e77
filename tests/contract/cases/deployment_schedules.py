"""Cases: schedules of deployments; create, read, update, delete, slugs, and replacing them through the deployment."""

from cases.support import deployment, flow
from harness.registry import case

DAILY = {"interval": 86400, "anchor_date": "2020-01-01T00:00:00Z", "timezone": "UTC"}


def _show(body):
    return sorted((row.get("slug") or "", row["active"], str(sorted(row["schedule"].items(), key=str))) for row in body["schedules"])


@case
def shapes(c):
    """How each kind of schedule is stored and read back."""
    made = deployment(c, flow(c)["id"])
    path = f"/deployments/{made['id']}/schedules"
    for schedule in (
        {"interval": 60}, {"interval": 60.5}, {"interval": "PT1H"}, {"interval": 86400, "anchor_date": "2020-01-01T00:00:00+02:00"}, {"interval": 3600, "anchor_date": "2020-01-01T00:00:00", "timezone": "America/New_York"}, {"interval": 3600, "timezone": "Europe/Berlin"}, {"interval": 3600, "anchor_date": "2020-06-01"},
        {"cron": "*/5 * * * *"}, {"cron": "0 9 * * MON-FRI", "timezone": "Asia/Tokyo", "day_or": False}, {"cron": "@daily"}, {"cron": "0 0 1 * * 30"}, {"cron": "0 0 * * 7"}, {"cron": "0 0 L * *"},
        {"rrule": "FREQ=DAILY"}, {"rrule": "FREQ=WEEKLY;BYDAY=MO,WE", "timezone": "Europe/Paris"}, {"rrule": "DTSTART:20200101T000000\nRRULE:FREQ=HOURLY;COUNT=3"}, {"rrule": "RRULE:FREQ=DAILY;UNTIL=20300101T000000Z"},
    ):
        c.post(path, [{"schedule": schedule, "active": False}], show=lambda body: [{key: row[key] for key in ("schedule", "active", "slug", "parameters", "max_scheduled_runs")} for row in body])
    c.get(path, show=lambda body: [row["schedule"] for row in body])


@case
def create_errors(c):
    made = deployment(c, flow(c)["id"])
    path = f"/deployments/{made['id']}/schedules"
    for schedule in (
        {}, {"interval": 0}, {"interval": -1}, {"interval": "soon"}, {"interval": None}, {"interval": 60, "timezone": "Nowhere"}, {"interval": 60, "anchor_date": "x"}, {"interval": 60, "unknown": 1}, {"cron": "bad"}, {"cron": ""}, {"cron": "60 * * * *"}, {"cron": "* * * *"}, {"cron": "R * * * *"}, {"cron": 5},
        {"cron": "* * * * *", "timezone": "Nowhere"}, {"cron": "* * * * *", "day_or": "x"}, {"rrule": "bad"}, {"rrule": ""}, {"rrule": "FREQ=NEVER"}, {"rrule": "FREQ=DAILY", "timezone": "Nowhere"}, {"rrule": 5}, {"rrule": "FREQ=DAILY;" + "X" * 7000}, {"cron": "* * * * *", "rrule": "FREQ=DAILY"}, "x", None, [],
    ):
        c.post(path, [{"schedule": schedule}], show="status")
    for row in ({}, {"schedule": DAILY, "active": "x"}, {"schedule": DAILY, "active": None}, {"schedule": DAILY, "max_scheduled_runs": 0}, {"schedule": DAILY, "max_scheduled_runs": 1000}, {"schedule": DAILY, "max_scheduled_runs": "x"}, {"schedule": DAILY, "parameters": None}, {"schedule": DAILY, "parameters": []}, {"schedule": DAILY, "slug": "UPPER"}, {"schedule": DAILY, "slug": "a b"}, {"schedule": DAILY, "slug": ""}, {"schedule": DAILY, "slug": 5}, {"schedule": DAILY, "replaces": "x"}, {"schedule": DAILY, "unknown": 1}, 5):
        c.post(path, [row], show="status")
    for body in ({}, {"schedule": DAILY}, "x", [DAILY]):
        c.post(path, body)
    c.post(path)
    c.post(path, [])
    c.post(f"/deployments/{c.nil}/schedules", [{"schedule": DAILY}])
    c.get(f"/deployments/{c.nil}/schedules")
    c.get("/deployments/abc/schedules")


@case
def create_read_update_delete(c):
    made = deployment(c, flow(c)["id"])
    path = f"/deployments/{made['id']}/schedules"
    rows = c.post(path, [{"schedule": DAILY, "active": True, "slug": "one", "parameters": {"a": 1}, "max_scheduled_runs": 5}, {"schedule": {"cron": "0 0 * * *"}}])
    c.get(path)
    one = f"{path}/{rows[0]['id']}"
    c.patch(one, {"active": False})
    c.get(path, show=["active", "slug", "schedule", "parameters"])
    c.patch(one, {"schedule": {"cron": "5 5 * * *"}, "slug": "renamed", "parameters": {"b": 2}, "max_scheduled_runs": None})
    c.get(path)
    c.patch(one, {})
    for body in ({"active": "x"}, {"active": None}, {"schedule": {"cron": "bad"}}, {"schedule": None}, {"slug": None}, {"slug": "BAD SLUG"}, {"parameters": None}, {"max_scheduled_runs": -1}, {"unknown": 1}, []):
        c.patch(one, body)
    c.patch(one)
    c.get(path, show=["active", "slug", "parameters"])
    c.post(path, [{"schedule": DAILY, "slug": "one"}], show=["slug"])
    c.post(path, [{"schedule": DAILY, "slug": "one"}])
    c.post(path, [{"schedule": DAILY, "slug": "twin"}, {"schedule": DAILY, "slug": "twin"}])
    c.patch(one, {"slug": "one"})
    c.delete(one)
    c.delete(one)
    c.get(path, show=["active", "slug"])
    c.patch(f"{path}/{c.nil}", {"active": False})
    c.delete(f"{path}/{c.nil}")
    c.patch(f"{path}/abc", {"active": False})
    c.patch(f"/deployments/{c.nil}/schedules/{rows[1]['id']}", {"active": False})
    c.delete(f"/deployments/{c.nil}/schedules/{rows[1]['id']}")


@case
def replacing_through_the_deployment(c):
    parent = flow(c)
    made = deployment(c, parent["id"], schedules=[{"schedule": DAILY, "active": False}])
    path = f"/deployments/{made['id']}"
    c.patch(path, {"schedules": [{"schedule": {"cron": "1 1 * * *"}, "active": True}, {"schedule": DAILY}]})
    c.get(path, show=_show)
    c.patch(path, {"schedules": [{"active": True}]})
    c.patch(path, {"schedules": []})
    c.get(path, show=_show)
    c.patch(path, {"schedules": [{"schedule": DAILY, "slug": "a"}, {"schedule": {"cron": "2 2 * * *"}, "slug": "b"}]})
    c.get(path, show=_show)
    c.patch(path, {"schedules": [{"schedule": {"cron": "3 3 * * *"}}]})
    c.patch(path, {"schedules": [{"slug": "a", "active": False}, {"slug": "c", "schedule": {"cron": "4 4 * * *"}}]})
    c.get(path, show=_show)
    c.patch(path, {"schedules": [{"slug": "new"}]})
    c.patch(path, {"schedules": [{"slug": "z", "replaces": "a"}]})
    c.get(path, show=_show)
    c.patch(path, {"schedules": [{"slug": "c", "replaces": "z"}]})
    c.patch(path, {"schedules": [{"slug": "p", "replaces": "c"}, {"slug": "q", "replaces": "c"}]})
    c.patch(path, {"schedules": [{"slug": "n", "replaces": "gone"}]})
    c.patch(path, {"schedules": [{"slug": "n", "replaces": "gone", "schedule": DAILY}]})
    c.get(path, show=_show)
    c.patch(path, {"schedules": None})
    c.get(path, show=_show)
    c.patch(path, {"schedules": [{"schedule": {"cron": "bad"}}]})
    c.patch(path, {"schedules": "x"})
    c.post("/deployments/", {"name": c.name("deployment"), "flow_id": parent["id"], "schedules": [{"schedule": DAILY, "slug": "fresh"}]}, show=_show)
    c.post("/deployments/", {"name": c.name("deployment"), "flow_id": parent["id"]}, show=_show)
