"""What stands around a quotation is shown to whoever confirms it: no less than it needs, and bounded."""

from typing import Any

import pytest

from contracts.evidence import AROUND_MAX_CHARS, PASSAGES_MAX, Evidence

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
