"""Cases: the collection views that workers and the UI read templates from."""

from harness.registry import case


@case
def views(c):
    workers = lambda body: {name: sorted(kinds) for name, kinds in sorted(body.items())}  # noqa: E731
    c.get("/collections/views/aggregate-worker-metadata", show=lambda body: workers(body).get("prefect"))
    c.get("/collections/views/aggregate-worker-metadata", show=lambda body: body["prefect"]["process"])
    c.get("/collections/views/aggregate-worker-metadata", show=lambda body: sorted(body)[:1] != [])
    c.get("/collections/views/nope")
