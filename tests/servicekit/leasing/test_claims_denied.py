"""What a denied claim makes of its record."""

import pytest

from servicekit.errors import DoubtfulError, PermanentError, PostponedError
from servicekit.leasing.client import ClaimDenied


@pytest.mark.parametrize(
    ("outcome", "code", "error"),
    [
        ("INVALID", "unknown_job", PermanentError),
        ("DOUBTFUL", "database_error", DoubtfulError),
        ("DOUBTFUL", "storage_full", PostponedError),
        ("QUEUED", "no_room", type(None)),
        ("REFUSED", "execution_live", type(None)),
    ],
)
def test_a_record_is_dead_or_claimed_again_or_waits_in_its_topic(outcome: str, code: str, error: type) -> None:
    assert type(ClaimDenied(outcome, code, "why").to_error()) is error
