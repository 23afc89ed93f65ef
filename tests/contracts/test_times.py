"""Times are the same at every door of JSON: in UTC, with six digits and Z."""

import pkgutil
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from typing import Any

import pytest

import console
import contracts
from contracts.resources import JobPatch
from signoff.fields import Model
from signoff.values import time_text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 30, 9, 15, 2, tzinfo=UTC), "2026-11-30T09:15:02.000000Z"),
        (datetime(2026, 11, 30, 9, 15, 2, 120_000, timezone(timedelta(hours=2))), "2026-11-30T07:15:02.120000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_written_in_utc_with_six_digits(at, text):
    assert time_text(at) == text


@pytest.mark.parametrize("text", ["2026-11-30T09:15:02Z", "2026-11-30t11:15:02.0+02:00", "2026-11-30 09:15:02-00:00"])
def test_any_time_of_rfc_3339_is_read(text):
    assert '"2026-11-30T09:15:02.000000Z"' in JobPatch.model_validate({"not_before": text}).model_dump_json()


def _find_bare_times(schema: Any) -> Iterator[Any]:
    """The times of a model's schema that are written as pydantic would."""
    if isinstance(schema, dict):
        if schema.get("type") == "datetime" and "serialization" not in schema:
            yield schema
        for part in schema.values():
            yield from _find_bare_times(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from _find_bare_times(part)


def _find_models(model: type[Model]) -> Iterator[type[Model]]:
    for child in model.__subclasses__():
        yield child
        yield from _find_models(child)


def test_no_model_writes_a_time_in_another_form():
    for package in (contracts, console):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"__main__$|_pb2", module.name):
                import_module(module.name)
    models = set(_find_models(Model))
    assert len(models) > 50
    assert [model for model in models if any(_find_bare_times(model.__pydantic_core_schema__))] == []
