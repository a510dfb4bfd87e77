"""What stands for the parts of the reference that reach outside of a ruling: events, the task queue, a second session."""

from __future__ import annotations

import contextlib


class Events:
    """Stands for the event client: counts."""

    count = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def emit(self, event):
        Events.count += 1
        return event


class Queue:
    """Stands for the background task queue: remembers what was put where."""

    calls: list[str] = []

    @classmethod
    def for_key(cls, key):
        return cls()

    async def enqueue(self, run):
        Queue.calls.append("scheduled")

    async def retry(self, run):
        Queue.calls.append("retry")


class SameSession:
    """The tag rule opens a second session; inside our open transaction it gets a savepoint of the first one."""

    def __init__(self, session):
        self.session = session

    @contextlib.asynccontextmanager
    async def session_context(self, begin_transaction=False, with_for_update=False):
        savepoint = await self.session.begin_nested()
        outer = self.session

        class Inner:
            rolled_back = False

            async def execute(self, *args, **kwargs):
                return await outer.execute(*args, **kwargs)

            async def rollback(self):
                Inner.rolled_back = True
                await savepoint.rollback()

        yield Inner()
        if not Inner.rolled_back:
            await savepoint.commit()
