"""What is done with a new file: here it is only named. Reading it is up to the libraries of your storage."""

from __future__ import annotations

from prefect import flow


@flow(name="new-measurements", log_prints=True)
def new_measurements(bucket: str, key: str, size: int = 0) -> str:
    place = f"s3://{bucket}/{key}"
    print(f"{place} has come, {size} bytes")
    return place
