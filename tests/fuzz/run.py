#!/usr/bin/env python3
"""Asks every operation what a generator makes of its schema, and refuses answers that are 5xx or that no document allows.

    run.py [--binary PATH | --url URL] [--small] [--seed N] [--examples N]

Runs schemathesis, unmodified, over our own document (`document.py`). `--small` is what CI has time for: a seeded
run of a few requests for each operation. Prints schemathesis's findings and a closing line that counts operations.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "contract")]

import document  # noqa: E402
from harness import servers  # noqa: E402

CHECKS = ("not_a_server_error", "status_code_conformance", "response_schema_conformance")
# Of the whole run; the number is schemathesis's for one operation, and there are some two hundred.
EXAMPLES, SMALL_EXAMPLES = 20, 6
LEAST_REQUESTS = 20_000


def main() -> int:
    options = _arguments()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, _server(options) as url:
        schema = pathlib.Path(folder) / "document.json"
        schema.write_text(json.dumps(document.amended()))
        output = _run(_command(options, schema, url), folder)
    requests = _number(r"Test cases:\s+(\d+) generated", output)
    tested = _number(r"Tested: (\d+)", output)
    failed = _number(r"found (\d+) unique failure", output) + _number(r"(\d+) errors?\b[^\n]* in [\d.]+s", output)
    print(f"{requests} requests to {tested} operations")
    if not options.small and requests < LEAST_REQUESTS:
        print(f"fewer than {LEAST_REQUESTS} requests")
        failed += 1
    print(f"{max(tested - failed, 0)} passed, {failed} failed")
    return 1 if failed or not tested else 0


def _command(options, schema, url) -> list[str]:
    phases = "examples,fuzzing" if options.small else "examples,coverage,fuzzing"
    return [
        str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", str(HERE / "schemathesis.toml"), "run", str(schema), "--url", url, "--checks", ",".join(CHECKS), "--phases", phases, "--seed", str(options.seed),
        "--max-examples", str(options.examples or (SMALL_EXAMPLES if options.small else EXAMPLES)), "--workers", "2", "--continue-on-failure", "--no-color", "--suppress-health-check", "all", "--request-timeout", "30",
    ]


def _run(command, folder) -> str:
    """Shows the output as it comes, and keeps it."""
    kept = []
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": folder, "COLUMNS": "160"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            kept.append(line)
    return "".join(kept)


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0


def _server(options):
    return contextlib.nullcontext(options.url) if options.url else servers.ours(options.binary or os.environ["TIDEGATE_BIN"])


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="our binary to start on a fresh folder (default: TIDEGATE_BIN)")
    parser.add_argument("--url", help="API address of a running server, with /api")
    parser.add_argument("--small", action="store_true", help="a few requests for each operation")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same requests")
    parser.add_argument("--examples", type=int, help="requests that are made up for each operation")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
