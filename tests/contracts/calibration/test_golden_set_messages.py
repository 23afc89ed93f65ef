"""A golden set is received as it was sent, also where what is said of it is zero."""

from datetime import UTC, datetime

import pytest

from signoff.judging import NamedGoldenSet
from signoff.types import read_model
from signoff.v1 import judge_service_pb2 as pb

AT = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize("is_retired", [False, True])
@pytest.mark.parametrize("least", [0.0, 0.9])
def test_a_golden_set_is_received_as_it_was_sent(is_retired: bool, least: float):
    rates = {"true_positive_rate_min": least, "true_negative_rate_min": least}
    said = {
        "name": "strict",
        "version": 1,
        "cases": 2,
        "good": 1,
        "bad": 1,
        "cases_hash": "a" * 64,
        "actor": "anna",
        "cases_jsonl": "{}",
    }
    sent = pb.GoldenSet(**said, **rates, is_retired=is_retired, created_at=AT)
    received = read_model(pb.GoldenSet.FromString(sent.SerializeToString()))
    assert received == NamedGoldenSet(**said, **rates, is_retired=is_retired, created_at=AT)
