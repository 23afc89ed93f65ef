"""Evidence: a quotation counts only where it stands in the result."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.evidence import is_quoted_from, to_quotable

RESULT = {
    "summary": "The bridge carries 40 tonnes.\nIt was tested in May.",
    "parts": ["Deck", "Cables"],
    "note": "It\u2019s \u201csafe\u201d \u2013 they say",
    "ok": True,
    "load": {"max_t": 40.5},
}


@pytest.mark.parametrize(
    "quote",
    [
        "The bridge carries 40 tonnes.",
        "the BRIDGE   carries\n40 tonnes",
        "tonnes. It was tested",
        '"The bridge carries 40 tonnes"',
        "\u201cIt was tested in May\u201d",
        'It\'s "safe" - they say',
        "...carries 40 tonnes...",
        "\uff34\uff48\uff45 bridge",
        '"max_t": 40.5',
        '"ok":true',
        "Deck Cables",
    ],
)
def test_words_of_the_result_stand_in_it(quote: str) -> None:
    assert is_quoted_from(quote, to_quotable(RESULT))


@pytest.mark.parametrize("quote", ["The bridge carries 50 tonnes.", "tested in June", "", "  ", "...", "Deck May"])
def test_invented_words_do_not(quote: str) -> None:
    assert not is_quoted_from(quote, to_quotable(RESULT))


def test_a_quote_does_not_reach_from_the_json_text_into_the_strings() -> None:
    assert not is_quoted_from('}"The bridge', to_quotable({"a": "The bridge"}))


@pytest.mark.parametrize("result", [None, "", {}, [], 0, False])
def test_an_empty_result_can_be_quoted_and_invented(result: object) -> None:
    assert not is_quoted_from("something", to_quotable(result))


@pytest.mark.parametrize(("quote", "result"), [("...", "..."), ("cafe", "caf\u00e9 noir"), ("caf\u00e9", "CAFE\u0301")])
def test_marks_and_accents_are_compared_like_letters(quote: str, result: str) -> None:
    assert is_quoted_from(quote, to_quotable(result))


@given(st.lists(st.from_regex(r"\w[\w ,;:!?()-]*\w", fullmatch=True), min_size=1), st.data())
def test_every_text_of_a_result_stands_in_it(texts: list[str], data: st.DataObject) -> None:
    quote = data.draw(st.sampled_from(texts))
    assert is_quoted_from(f"  {quote.casefold()} ", to_quotable({"texts": texts}))
