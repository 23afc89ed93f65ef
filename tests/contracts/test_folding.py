"""Quotations are found as the validator finds them, and told in characters of the text that people see."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evidence import PLACES_MAX, Evidence, FoldedText, fold, fold_quote, render_result

CHARACTERS = "ab \n\"\\.'é\u0301\u0327\u00a0\ufb01ß\u2019\u201cⅫ😀İ"
TEXTS = st.text(CHARACTERS, max_size=60)


@given(TEXTS, st.integers(0, 60), st.integers(0, 60))
def test_what_stands_in_a_text_is_found_where_it_stands(text: str, start: int, end: int) -> None:
    sought = fold_quote(text[start:end])
    found = list(FoldedText(text).find(sought))
    assert bool(found) == (bool(sought) and sought in fold(text))
    assert all(sought in fold(text[begin:after]) for begin, after in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_every_place_of_a_long_text_is_found_where_it_stands() -> None:
    text = "caf\u00e9 noir, cafe\u0301  Noir; " * 300
    found = [text[start:end] for start, end in FoldedText(text).find(fold_quote("caf\u00e9 noir"))]
    assert found == ["caf\u00e9 noir", "cafe\u0301  Noir"] * 300


@given(TEXTS)
def test_a_long_text_is_folded_piece_by_piece_as_it_is_in_one(text: str) -> None:
    long = text * 100
    assert FoldedText(long)._folded == fold(long)


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
    text = render_result(result)
    assert [text[start:end] for start, end in Evidence(result).find_spans(quote)] == shown


def test_all_places_are_told_up_to_a_number_and_none_twice() -> None:
    assert Evidence("blue, and Blue").find_spans("blue") == [(0, 4), (10, 14)]
    assert Evidence("aaaaa").find_spans("aa") == [(0, 2), (2, 4)]
    assert Evidence("\u00df, s").find_spans("s") == [(0, 1), (3, 4)]
    assert len(Evidence("blue " * 1_000).find_spans("blue")) == PLACES_MAX


def test_all_places_over_several_strings_are_told_in_parts() -> None:
    result = [["the moon", "and June", ""], "moon", ["and", "June"]]
    text = render_result(result)
    shown = [text[start:end] for start, end in Evidence(result).find_spans("moon and June")]
    assert shown == ["moon", "and June", "moon", "and", "June"]
