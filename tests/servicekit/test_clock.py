"""A worker's time of day is read in one place, and nothing that must last depends on it."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

import executor
import servicekit
import validator
from servicekit import clock

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def http_date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


@pytest.mark.parametrize("ahead_h", [-1, 0, 1])
def test_a_date_to_come_again_is_read_by_the_clock_of_whoever_wrote_it(
    monkeypatch: pytest.MonkeyPatch, ahead_h: int
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=ahead_h))
    headers = {"Date": http_date(NOW), "Retry-After": http_date(NOW + timedelta(seconds=5))}
    assert clock.read_retry_after(headers, 60.0) == 5.0
    assert clock.read_retry_after({"Retry-After": "7"}, 60.0) == 7.0


def test_where_it_tells_no_time_of_its_own_ours_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    for date in ("soon", None):
        headers = {"Retry-After": http_date(NOW + timedelta(seconds=5))} | ({"Date": date} if date else {})
        assert clock.read_retry_after(headers, 60.0) == 5.0


def test_workers_read_the_time_of_day_in_no_other_way() -> None:
    read = re.compile(r"time\.time\(|time_ns\(|datetime\.now\(|utcnow\(")
    others = [
        f"{path}: {line.strip()}"
        for package in (executor, servicekit, validator)
        for path in Path(package.__path__[0]).rglob("*.py")
        for line in path.read_text().splitlines()
        if path.name != "clock.py" and read.search(line)
    ]
    assert others == []
