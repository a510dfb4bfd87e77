"""`flow.serve`: one flow, one deployment. Arguments: the deployment's name."""

import sys

from jobs import works

if __name__ == "__main__":
    works.serve(name=sys.argv[1], cron="0 0 1 1 *")
