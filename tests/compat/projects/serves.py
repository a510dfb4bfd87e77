"""The upstream runner: serves flows from one process. Arguments: a suffix for the deployments' names."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from jobs import breaks, lingers, tells, works
from prefect import serve

if __name__ == "__main__":
    # The oldest SDKs serve only what is below the present folder.
    os.chdir(Path(__file__).parent)
    suffix = sys.argv[1]
    serve(
        works.to_deployment(f"served-{suffix}", tags=["served"]),
        # Paused until its scenario begins: how long the start takes must not decide which dates are still to come.
        works.to_deployment(
            f"ticking-{suffix}", interval=timedelta(seconds=15), parameters={"number": 21}, paused=True
        ),
        breaks.to_deployment(f"served-{suffix}"),
        lingers.to_deployment(f"served-{suffix}"),
        tells.to_deployment(f"served-{suffix}"),
        pause_on_shutdown=True,
    )
