"""The upstream runner: serves flows from one process. Arguments: a suffix for the deployments' names."""

import sys
from datetime import datetime, timedelta, timezone

from jobs import breaks, lingers, tells, works
from prefect import serve
from prefect.schedules import Interval

if __name__ == "__main__":
    suffix = sys.argv[1]
    soon = datetime.now(timezone.utc) + timedelta(seconds=10)
    serve(
        works.to_deployment(f"served-{suffix}", tags=["served"]),
        works.to_deployment(
            f"ticking-{suffix}", schedules=[Interval(timedelta(days=1), anchor_date=soon)], parameters={"number": 21}
        ),
        breaks.to_deployment(f"served-{suffix}"),
        lingers.to_deployment(f"served-{suffix}"),
        tells.to_deployment(f"served-{suffix}"),
        pause_on_shutdown=True,
    )
