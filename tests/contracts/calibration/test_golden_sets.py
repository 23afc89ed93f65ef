"""A golden set: made of lines of cases, and read as it was made."""

import json

import pytest

from contracts.judging.calibration.cases import hash_cases, make_case
from contracts.judging.calibration.golden import make_golden, read_golden

GOOD = {"id": "good", "result": "words", "acceptance_criteria": "It rhymes\nIt is short", "label": True}
BAD = {**GOOD, "id": "bad", "label": False}


def make(*lines, **least):
    return make_golden([json.dumps(line).encode() for line in lines], **least)


def test_a_golden_set_is_read_as_it_was_made():
    golden, body = make(GOOD, BAD, {**BAD, "id": "worse"}, flips_max=0.2)
    cases = [make_case(each) for each in (GOOD, BAD, {**BAD, "id": "worse"})]
    assert read_golden(body) == (golden, "\n".join(case.write() for case in cases))
    assert (golden.cases, golden.cases_hash, golden.flips_max) == (3, hash_cases(cases), 0.2)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([GOOD, {"id": "x"}, BAD], "line 2 "),
        ([GOOD, {**GOOD, "id": "x", "label": None, "labels": [True, None]}, BAD], "line 2 says nothing of the whole"),
        ([GOOD], "a golden set needs good results and bad ones"),
        ([BAD], "a golden set needs good results and bad ones"),
        ([], "a golden set needs good results and bad ones"),
    ],
)
def test_a_golden_set_is_of_cases_that_are_good_and_others_that_are_bad(lines, reason):
    with pytest.raises(ValueError, match=f"^{reason}"):
        make(*lines)
