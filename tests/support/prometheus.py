"""Prometheus's programs, for the tests that need them."""

from pathlib import Path

import pytest

from observe.prometheus import PrometheusError, find


def need(program: str) -> Path:
    """`prometheus` or `promtool`, which is fetched where that is possible; else the test is skipped."""
    try:
        return find(program)
    except PrometheusError as error:
        pytest.skip(f"this machine has no {error}")
