"""Puts background tasks into the queue and prints the ids of their runs."""

from background import doubled, fails

if __name__ == "__main__":
    print("queued", doubled.delay(21).task_run_id, doubled.delay(4).task_run_id, fails.delay().task_run_id)
