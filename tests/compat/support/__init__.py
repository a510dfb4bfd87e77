"""What the scenarios share: the server under test, its HTTP API read directly, waiting, and child processes."""
