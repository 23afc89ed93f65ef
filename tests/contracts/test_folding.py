"""Where quotations stand: found as the validator finds them, and told in characters of the text that people see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evidence import Evidence, Folded, fold, result_text, wanted

CHARACTERS = "ab \n\"\\.'é\u0301\u0327\u00a0\ufb01ß\u2019\u201cⅫ😀İ"
TEXTS = st.text(CHARACTERS, max_size=60)


@given(TEXTS, st.integers(0, 60), st.integers(0, 60))
def test_what_stands_in_a_text_is_found_where_it_stands(text: str, start: int, end: int) -> None:
    sought = wanted(text[start:end])
    found = Folded(text).find(sought)
    assert (found is not None) == (bool(sought) and sought in fold(text))
    assert found is None or sought in fold(text[found[0] : found[1]])


@given(TEXTS)
def test_a_long_text_is_folded_piece_by_piece_as_it_is_in_one(text: str) -> None:
    long = text * 100
    assert Folded(long)._folded == fold(long)


@pytest.mark.parametrize(
    ("result", "quote", "shown"),
    [
        ("It says  Blue\nSky.", '"blue sky"', ["Blue\nSky"]),
        ("It costs \u201c5\u2013\ufb01ve\u201d", "5-five", ["5\u2013\ufb01ve"]),
        ("cafe\u0301 noir", "café", ["cafe\u0301"]),
        ({"a": 'one "two"\nthree', "b": ["four", 5]}, 'two" three', ['two\\"\\nthree']),
        ({"a": "one", "b": ["two three"]}, "one two", ["one", "two"]),
        ({"a": [1, 2]}, '"a": [1', ['a":[1']),
        ({"one": "two"}, "two", ["two"]),
        ("blue", "red", []),
        ("blue", " \"' ", []),
        ("blue", None, []),
    ],
)
def test_the_spans_of_a_quotation_are_of_the_text_that_is_shown(result: object, quote: str, shown: list[str]) -> None:
    text = result_text(result)
    assert [text[start:end] for start, end in Evidence(result).spans(quote)] == shown


def test_only_the_first_place_is_told() -> None:
    assert Evidence("blue, and blue").spans("blue") == [(0, 4)]
