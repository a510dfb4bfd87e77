"""Background tasks, and their worker when run as a program."""

from prefect import task
from prefect.task_worker import serve


@task(task_run_name="doubled")
def doubled(number):
    return 2 * number


@task
def fails():
    raise ValueError("background trouble")


if __name__ == "__main__":
    serve(doubled, fails)
