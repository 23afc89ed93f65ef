"""Quotations are found at the edges of words, and told in characters of the text that people see."""

# ruff: noqa: RUF001 - letters of many scripts

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evidence import AROUND_MAX_CHARS, PASSAGES_MAX, PLACES_MAX, Evidence, render_result
from contracts.words import Phrase, Words

CHARACTERS = "ab \n\"\\.'é\u0301\u0327\u00a0\ufb01ß\u2019\u201cⅫ😀İ木각\u1100\u1161あ\u3099ก\u0e35\u200d5,"
TEXTS = st.text(CHARACTERS, max_size=60)


def find(text: str, quote: str) -> list[str]:
    words, phrase = Words(text), Phrase(quote)
    return [text[slice(*words.span(place, len(phrase)))] for place in words.find(phrase)]


@given(TEXTS, TEXTS, TEXTS)
def test_what_stands_between_spaces_is_found_where_it_stands(before: str, quote: str, after: str) -> None:
    text, phrase = f"{before} {quote} {after}", Phrase(quote)
    words = Words(text)
    assert (phrase in words) == (len(phrase) > 0)
    spans = [words.span(place, len(phrase)) for place in words.find(phrase)]
    assert all(Phrase(text[start:end]).marked == phrase.marked for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


def test_every_place_of_a_long_text_is_found_where_it_stands() -> None:
    text = "caf\u00e9 noir, cafe\u0301  Noir; " * 300
    assert find(text, "caf\u00e9 noir") == ["caf\u00e9 noir", "cafe\u0301  Noir"] * 300


@pytest.mark.parametrize(
    ("text", "quote", "found"),
    [
        ("The bridge", "bridge", ["bridge"]),
        ("The bridges", "bridge", []),
        ("footbridge", "bridge", []),
        ("foot-bridge", "bridge", ["bridge"]),
        ("obj.bridge_id", "bridge", []),
        ("carries 40.5 t", "carries 40", []),
        ("1,000 and 1.000.000", "000", []),
        ("in May, 2026, it was", "may, 2026", ["May, 2026"]),
        ("ends in 2026.", "in 2026", ["in 2026"]),
        ("it doesn\u2019t", "it doesn", []),
        ("it doesn\u2019t", "it doesn't", ["it doesn\u2019t"]),
        ("the agents' work", "agents work", ["agents' work"]),
        ("東京タワーは高い", "京タワ", ["京タワ"]),
        ("Python的書", "python", ["Python"]),
        ("모든 작업을 합니다", "작업을 합", ["작업을 합"]),
        ("모든 작업을 합니다", "작업을 하", []),
        ("\u1106\u1169\u1103\u1173\u11ab", "모든", ["\u1106\u1169\u1103\u1173\u11ab"]),
        ("ｶﾞﾗｽの", "ガラス", ["ｶﾞﾗｽ"]),
        ("ภาษาไทยง่าย", "ไทย", ["ไทย"]),
        ("ພາສາລາວ", "ລາວ", ["ລາວ"]),
        ("ភាសាខ្មែរ", "ខ្មែរ", ["ខ្មែរ"]),
        ("မြန်မာစာ", "စာ", ["စာ"]),
        ("हिन्दी में", "हिन्", []),
        ("می\u200cخواهم", "میخواهم", ["می\u200cخواهم"]),
        ("میخواهم", "می\u200cخواهم", ["میخواهم"]),
        ("a 👩\u200d💻 b", "a 👩💻 b", ["a 👩\u200d💻 b"]),
        ("\u200fשלום\u200e עולם", "שלום עולם", ["שלום\u200e עולם"]),
        ("an ex\u00adample", "an example", ["an ex\u00adample"]),
        ("Ⅻ ﬁve", "xii five", ["Ⅻ ﬁve"]),
        ("x\x02y", "y", ["y"]),
    ],
)
def test_a_quotation_begins_and_ends_at_the_edge_of_a_word(text: str, quote: str, found: list[str]) -> None:
    assert find(text, quote) == found


@pytest.mark.parametrize(
    ("text", "is_long"),
    [("one, two, three, four", False), ("one two three four 5.0", True), ("木" * 11, False), ("木" * 12, True)],
)
def test_five_words_or_twelve_ideographs_are_long_enough_to_be_known_again(text: str, is_long: bool) -> None:
    assert Phrase(text).is_long == is_long


@pytest.mark.parametrize(
    ("result", "quote", "shown"),
    [
        ("It says  Blue\nSky.", '"blue sky"', ["Blue\nSky"]),
        ("It costs \u201c5\u2013\ufb01ve\u201d", "5-five", ["5\u2013\ufb01ve"]),
        ("cafe\u0301 noir", "café", ["cafe\u0301"]),
        ({"a": 'one "two"\nthree', "b": ["four", 5]}, 'two" three', ['two\\"\\nthree']),
        ({"a": "one \U0001f600 two"}, "one 😀 two", ["one 😀 two"]),
        ({"a": "one", "b": ["two three"]}, "one two", ["one", "two"]),
        ({"a": [1, 2]}, '"a": [1', ['a":[1']),
        ({"one": "two"}, "two", ["two"]),
        ({"one": "two"}, "one", ["one"]),
        ('{"a": "b\\u0063", "n": [1,2]}', "bc 1", ["b\\u0063", "1"]),
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
    assert Evidence("a a a a a").find_spans("a a") == [(0, 3), (4, 7)]
    assert len(Evidence("blue " * 1_000).find_spans("blue")) == PLACES_MAX


def test_all_places_over_several_strings_are_told_in_parts() -> None:
    result = [["the moon", "and June", ""], "moon", ["and", "June"]]
    text = render_result(result)
    shown = [text[start:end] for start, end in Evidence(result).find_spans("moon and June")]
    assert shown == ["moon", "and June", "moon", "and", "June"]


# Each would take hours, were anything in it quadratic.
@pytest.mark.parametrize(
    "text",
    [each * 100_000 for each in ("aaa", "a a ", "...", "a\u0323\u0301", "\u05b0\u05c1", "\u1100")],
)
@pytest.mark.parametrize("shape", [str, lambda text: {"a": [text], "b": text}, lambda text: '["' + text + '"]'])
def test_no_long_result_is_too_strange(text: str, shape: object) -> None:
    evidence = Evidence(shape(text), [text[:1_000], "one two three four five"])  # type: ignore[operator]
    for quote in (text[:2_001], text[1:] + "b", "a a", "b"):
        evidence.find_spans(quote)
        evidence.find_fault(quote, 'says "a"')


CAPITAL = "The capital is Oslo. It is cold there!\nAnother line on Oslo, and more"


@pytest.mark.parametrize(
    ("result", "quote", "passages"),
    [
        (CAPITAL, "Oslo", ["The capital is Oslo.", "Another line on Oslo, and more"]),
        (CAPITAL, "cold", ["It is cold there!"]),
        ("SELECT 1\nWHERE a > 5\n", "a > 5", ["WHERE a > 5"]),
        ("| A1 | 2 |\n| B | 3 |", "3", ["| B | 3 |"]),
        (42, "42", ["42"]),
        (["red", "green"], "green", ['["red","green"]']),
        ({"a": {"qty": 1}, "b": [{"sku": "A", "qty": 2}, {"qty": 3}]}, '"qty": 2', ['{"sku":"A","qty":2}']),
        ({"report": CAPITAL + "x" * AROUND_MAX_CHARS}, "It is cold", ["It is cold there!"]),
        ("\u9053\u8def\u3002\u4e0d\u8fd0\u884c\u3002\u5b8c", "\u4e0d\u8fd0\u884c", ["\u4e0d\u8fd0\u884c\u3002"]),
        (CAPITAL, "Paris", []),
    ],
)
def test_the_sentence_line_row_or_object_around(result: Any, quote: str, passages: list[str]) -> None:
    assert Evidence(result).find_passages([quote]) == passages


def test_each_passage_once_and_few_of_what_stands_everywhere() -> None:
    assert Evidence(CAPITAL).find_passages(["Oslo", "The capital", "Oslo"]) == [
        "The capital is Oslo.",
        "Another line on Oslo, and more",
    ]
    lines = "\n".join(f"Oslo number {n}" for n in range(50))
    assert len(Evidence(lines).find_passages(["Oslo"])) == PASSAGES_MAX


def test_a_passage_without_an_end_is_cut() -> None:
    for result in ("x " * 5_000, {"a": "x " * 5_000}, list(range(5_000))):
        (passage, *_) = Evidence(result).find_passages(["x x x" if "x" in str(result) else "2500"])
        assert len(passage) <= 2 * AROUND_MAX_CHARS + 10
