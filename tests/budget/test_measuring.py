"""The benchmarks' building blocks: disturbed rounds are thrown out, hops are told apart, cases are compared."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from growth import EMPTY, EMPTY_AGAIN, FIGURES, STOPPED, compare_cases
from measuring.counting import Note, count
from measuring.host import Reading, compare, read_cpu, repeat
from profiling import find_hops, show_samples


def rounds(*foreign: float) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Rounds beside which others took so many cores; more than 0.15 disturb."""
    left = iter(foreign)

    async def measure() -> dict[str, Any]:
        cores = next(left)
        return {"foreign_cores": cores, "disturbed": cores > 0.15}

    return measure


async def test_a_disturbed_round_is_thrown_out_and_repeated() -> None:
    kept = await repeat(rounds(0.0, 1.0, 0.1, 0.05), 3)
    assert [each["foreign_cores"] for each in kept] == [0.0, 0.05, 0.1]


async def test_repeating_ends_and_keeps_what_was_disturbed_least_and_says_so() -> None:
    kept = await repeat(rounds(0.9, 0.5, 0.0, 0.7), 2)
    assert kept == [{"foreign_cores": 0.0, "disturbed": False}, {"foreign_cores": 0.5, "disturbed": True}]


@pytest.mark.parametrize(("machine", "is_disturbed"), [(1.1, False), (1.2, True)])
def test_a_round_is_disturbed_by_work_beside_its_own(machine: float, is_disturbed: bool) -> None:
    used = compare(Reading(0.0, {"kafka": 5.0}, 10.0, 100.0), Reading(1.0, {"kafka": 5.4}, 11.0, 100.0 + machine))
    assert used.is_disturbed is is_disturbed
    assert used.all_parts == pytest.approx(0.4)


def test_what_stands_in_for_the_outside_world_is_no_cost_of_ours() -> None:
    used = compare(Reading(0, {"judge": 0.0, "kafka": 0.0}, 0, 0), Reading(1, {"judge": 3.0, "kafka": 1.0}, 4, 4))
    assert used.all_parts == 1.0


def test_the_cpu_of_this_machine_can_be_read() -> None:
    assert read_cpu({}).machine > read_cpu({}).own > 0


def note(began: float, kind: str, what: str, connection: int = 1, *, ends: bool = False) -> Note:
    return Note("jobstore", began, began + 1, kind, what, connection, ends, periodic=False)


def test_statements_of_one_transaction_are_one_hop() -> None:
    notes = [
        note(1, "sql", "BEGIN;"),
        note(2, "sql", "SELECT 7", connection=2, ends=True),
        note(3, "sql", "UPDATE jobs"),
        note(4, "produce", "job-changed"),
        note(5, "sql", "COMMIT;", ends=True),
    ]
    assert list(find_hops(notes)) == [
        (2, 3, "jobstore: 1 statements, above all SELECT 7"),
        (4, 5, "jobstore: produce job-changed"),
        (1, 6, "jobstore: 3 statements, above all UPDATE jobs"),
    ]
    assert count(notes) == {"transactions": 2, "statements": 4, "produce": 1, "fetch": 0, "commit": 0}


def test_threads_that_wait_are_not_busy() -> None:
    samples = "main (jobstore/app.py:3);send (asyncpg/connection.py:9) 3\npoll (grpc/x.py:1);wait (threading.py:5) 90"
    lines = "\n".join(show_samples("jobstore", samples))
    assert "100.0 %  asyncpg" in lines
    assert "100.0 %  main (jobstore/app.py)" in lines
    assert "threading" not in lines


def test_cases_are_compared_with_both_empty_ones_and_above_one_is_better() -> None:
    first = {"case": EMPTY, "mib": 10, **dict.fromkeys(FIGURES, 125.0)}
    last = {"case": EMPTY_AGAIN, "mib": 10, **dict.fromkeys(FIGURES, 75.0)}
    stored = {"case": "stored", "mib": 900, **dict.fromkeys(FIGURES, 80.0)}
    still = {"case": "open", "mib": 10, **dict.fromkeys(FIGURES, STOPPED)}
    lines = compare_cases([first, stored, still, last])
    assert "| lives/s at saturation | 125.0 (1.25) | 80.0 (0.80) | stands still | 75.0 (0.75) |" in lines
    assert "| request to final status, p99 ms | 125.0 (0.80) | 80.0 (1.25) | stands still | 75.0 (1.33) |" in lines
