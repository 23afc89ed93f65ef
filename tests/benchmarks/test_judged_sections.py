"""What the benchmark of long results says: a judge's errors add up over sections, unless they are confirmed."""

import pytest
from judging.sections import POLICIES, measure

CHARS, RESULTS = 10_000, 40


@pytest.mark.parametrize("kind", ["meets", "never"])
async def test_what_one_section_decides_errs_seldom_where_it_is_confirmed(kind: str) -> None:
    alone, confirmed = [await measure(policy, kind, CHARS, RESULTS) for policy in POLICIES.values()]
    assert max(alone.bad_accepted, alone.good_refused) > 0.2
    assert max(confirmed.bad_accepted, confirmed.good_refused) <= 0.12
    assert (alone.asks, confirmed.asks < 1.25) == (1, True)
