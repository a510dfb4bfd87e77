"""`flow.serve`: one flow, one deployment. Arguments: the deployment's name."""

import os
import sys
from pathlib import Path

from jobs import works

if __name__ == "__main__":
    # The oldest SDKs serve only what is below the present folder.
    os.chdir(Path(__file__).parent)
    works.serve(name=sys.argv[1], cron="0 0 1 1 *")
