"""What is committed is what the charts say: the rendered manifests, the schemas of the values, and Helm's own opinion."""

from __future__ import annotations

import subprocess
import sys

import pytest
import render
import yaml

CHARTS = ["tidegate-server", "tidegate-worker"]
CASES = [pytest.param(chart, values, id=f"{chart}-{values.stem}") for chart, values in render.cases()]


def test_rendered_manifests_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, render.CHARTS / "render.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_rendered_file_is_left_over() -> None:
    found = {path.relative_to(render.RENDERED).as_posix() for path in render.RENDERED.glob("*/*")}
    assert found == {f"{chart}/{values.name}" for chart, values in render.cases()}


def test_schemas_of_values_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, render.CHARTS / "schema.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_helm_lint(chart, values) -> None:
    done = subprocess.run([render.helm(), "lint", "--strict", render.CHARTS / chart, "--values", values], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("chart", CHARTS)
def test_charts_are_of_the_version_of_the_workspace(chart) -> None:
    manifest = (render.CHARTS.parent / "Cargo.toml").read_text()
    described = yaml.safe_load((render.CHARTS / chart / "Chart.yaml").read_text())
    assert f'\nversion = "{described["appVersion"]}"\n' in manifest
