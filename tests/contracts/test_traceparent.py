"""A traceparent is taken only if it is exactly one; ids follow from ids alone."""

from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from contracts.traceparent import (
    TraceContext,
    derive_trace_id,
    enter,
    find_own,
    go_on,
    name_call,
    name_judging,
    read_traceparent,
)
from servicekit.traceparents import take_traceparent

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
EXECUTION = UUID("01900000-0000-7000-8000-000000000001")
MALFORMED = {
    "empty": "",
    "short": GIVEN[:-1],
    "long": f"{GIVEN}-00",
    "of a later version": f"01{GIVEN[2:]}",
    "version ff": f"ff{GIVEN[2:]}",
    "capitals": GIVEN.upper(),
    "no trace": f"00-{'0' * 32}-b7ad6b7169203331-01",
    "no span": f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    "other digits": GIVEN.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
    "line": GIVEN[:-1] + "\n",
    "16 KB": GIVEN * 300,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_traceparent_is_dropped_and_counted(text: str) -> None:
    before = _dropped()
    assert read_traceparent(text) is None
    assert take_traceparent(text.encode("utf-8"), "test") is None
    assert _dropped() == before + 1


def test_a_traceparent_is_taken_as_it_is_and_none_is_not_counted() -> None:
    before = _dropped()
    assert take_traceparent(GIVEN, "test") == GIVEN
    assert take_traceparent(None, "test") is None
    assert _dropped() == before


def test_a_trace_is_that_of_whoever_asked_or_follows_from_the_execution() -> None:
    given = find_own(GIVEN, EXECUTION)
    assert (given.trace_id, given.flags) == ("0af7651916cd43dd8448eb211c80319c", "00")
    own = find_own(None, EXECUTION)
    assert (own.trace_id, own.flags) == (derive_trace_id(EXECUTION), "01")
    assert own.trace_id == "7a8feb6f0f0db47d1ee20ec8360bf71e"  # for ever
    assert own.span_id == given.span_id


def test_the_submission_that_follows_is_of_the_same_trace() -> None:
    assert go_on(GIVEN, EXECUTION) == GIVEN
    follows = go_on(None, EXECUTION)
    assert TraceContext.parse(follows) == find_own(None, EXECUTION)
    assert go_on(follows, "another") == follows


def test_calls_and_judgings_have_spans_of_their_own() -> None:
    spans = [name_call(EXECUTION, 1, 1), name_call(EXECUTION, 1, 2), name_call(EXECUTION, 2, 1)]
    spans.append(name_judging(EXECUTION, 1))
    assert len(set(spans)) == len(spans)
    sent = TraceContext.parse(enter(GIVEN, EXECUTION, spans[0]))
    assert sent == ("0af7651916cd43dd8448eb211c80319c", spans[0], "00")


def _dropped() -> float:
    return REGISTRY.get_sample_value("signoff_traceparents_dropped_total", {"door": "test"}) or 0.0
