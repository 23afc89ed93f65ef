"""What the load benchmark takes for wrong: memory that grows under load, and a refusal without a time to come again."""

import pytest
from load import RECOVERY_MAX_S, find_growth, is_delay

FLAT = [{"console": 100.0, "kafka": 500.0}] * 4


def test_memory_that_stays_is_flat() -> None:
    assert find_growth(FLAT) == {}
    assert find_growth([*FLAT, {"console": 115.0, "kafka": 900.0}]) == {}


def test_memory_that_grows_in_the_second_half_is_found() -> None:
    assert find_growth([*FLAT, {"console": 140.0, "kafka": 500.0}]) == {"console": "100 to 140 MiB"}


@pytest.mark.parametrize(("value", "says"), [("1", True), ("30", True), ("0", False), ("soon", False), (None, False)])
def test_a_refusal_says_after_how_many_seconds_to_come_again(value: str | None, says: bool) -> None:
    assert is_delay(value) is says


def test_recovery_is_had_within_ten_seconds() -> None:
    assert RECOVERY_MAX_S == 10
