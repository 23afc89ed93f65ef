"""A run at a steady rate ends flat by what stays of it alone: the lines of removed jobs grow, and are told apart."""

from collections.abc import Mapping

import pytest
import steady

MINUTES = 60


def run(**changes: float) -> list[Mapping[str, float]]:
    """The minutes of a run, in whose second half jobs are removed; `changes` are added by then, more each minute."""
    flat = {"tables_mib": 100.0, "topics_mib": 200.0, "memory_mib": 300.0, "life_p99_ms": 50.0, "list_p99_ms": 20.0}
    flat |= {"jobs": 12_000.0, "lines": 0.0, "lines_mib": 0.0, "archive_mib": 10.0, "failed": 0.0}
    removing = [max(0, minute - MINUTES // 2) for minute in range(1, MINUTES + 1)]
    return [
        {name: value + since * changes.get(name, 0.0) for name, value in flat.items()}
        | {"lines": 1_200.0 * since, "lines_mib": float(since)}
        for since in removing
    ]


def test_lines_of_removed_jobs_grow_and_are_told_apart() -> None:
    rows, is_well = steady.judge(run())
    assert is_well
    assert ("lines of removed jobs", "36,000", "30 MiB, which are not in the tables") in rows
    assert ("tables, MiB", "100", "100 to 100; drift +0.0%") in rows


@pytest.mark.parametrize("name", steady.FLAT)
def test_what_grows_by_more_than_a_tenth_does_not_end_flat(name: str) -> None:
    assert steady.judge(run(**{name: 0.1}))[1]
    assert not steady.judge(run(**{name: 3.0}))[1]


@pytest.mark.parametrize("name", ["life_p99_ms", "list_p99_ms"])
def test_others_may_wait_for_a_third_longer_than_before_removal(name: str) -> None:
    before = run()[0][name]
    assert steady.judge(run(**{name: before * 0.01}))[1]
    assert not steady.judge(run(**{name: before * 0.03}))[1]


def test_a_failed_request_is_not_well() -> None:
    assert not steady.judge(run(failed=1.0))[1]
