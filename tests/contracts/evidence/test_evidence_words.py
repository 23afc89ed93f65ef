"""The words of a text, and where each stands, are those that their definition finds one by one."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts import words
from contracts.words import Phrase, Span, Words, classify, fold_character

# All classes, and what is strange in each: several characters in one, digits that are none, far and unassigned ones.
CHARACTERS = (
    "abz\u0130\u0131\u017f\u00df\ufb01\u0149\u00aa_ 159\u0663\uff11\U0001d7d9 \u00b2\u00bd\u2460\u2474\u2488\u216b "
    ".,'\u2019\uff0e\uff0c "
    "\u6771\u3042\u30ab\uff76\uff9e\uff9f\u3099\uac01\u1100\u1161\u11a8\u115f\u1160\u3164\uffa0\u3005\uf900 "
    "\u0e01\u0e35\u0e33\u0e55\u0f40\u0f71\u1000\u103c\u1780\u17d2\u17b4 "
    "\u0928\u093f\u093c\u05d0\u05b0\u0645\u064e\u20dd "
    "\u0301\u0327\u0345\u200b\u200c\u200d\u00ad\ufe0f\u2060\u00a8 "
    "\u2026-\u2013\u2192/:!?%\U0001f600\U0001f469\u2705\u20ac "
    '"\u201c*[}\u300c \n\t\r\u00a0\u1680\u2028\u3000\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x1c\x85\x7f '
    "\ud800\udfff\ue000\ufdfa\uffff\U00020000\U0002f800\U0003ffff\U00040000\U000e0041\U000e0100\U00100000\U0010ffff"
)
TEXTS = st.lists(st.sampled_from(CHARACTERS), max_size=5, unique=True).flatmap(
    lambda some: st.text(st.sampled_from([*some, *"a1.,'\u200b \u6771"]), max_size=30)
)


#: Stands for a word that is cut out.
CUT = ""


def define(text: str) -> list[tuple[str, Span]]:
    """Return the words of a text and their spans, as they are defined."""
    found = words._WORD.finditer("".join(map(classify, text)))
    return [("".join(map(fold_character, text[slice(*word.span())])), word.span()) for word in found]


def define_places(text: str, phrase: list[str], cut: list[str]) -> list[Span]:
    """Return where a phrase stands in a text of which another is cut out."""
    defined = define(text)
    left = [word for word, _ in defined]
    for at in _list_places(left, cut):
        left[at : at + len(cut)] = [CUT] * len(cut)
    places = _list_places(left, phrase)
    return [(defined[at][1][0], defined[at + len(phrase) - 1][1][1]) for at in places]


def _list_places(within: list[str], phrase: list[str]) -> list[int]:
    places, at = [], 0
    while phrase and at <= len(within) - len(phrase):
        if within[at : at + len(phrase)] == phrase:
            places.append(at)
        at += len(phrase) if at in places[-1:] else 1
    return places


@pytest.fixture(scope="module", params=[1, 4, 1_000], ids="parts of {}".format)
def _part(request: pytest.FixtureRequest) -> Iterator[None]:
    """Texts are read in parts of so many characters, where their words allow it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "_PART", request.param)
        patch.setattr(words, "_END_OF_PART", min(request.param, 100))
        yield


@pytest.mark.usefixtures("_part")
class TestParts:
    @given(TEXTS | st.text())
    @example(
        "3.14 1,000 don\u2019t 5\u200b.\u200b5 x\u200b.5 \u00b2.5 5.\u00b2 .\u200b.5 \u200b.5 1.,2 a''b a'5 \u0e55.5"
    )
    @example(
        "\u6771\u200b\u3099\u3099a\u3099\u200b'b "
        "\uff76\uff9e.\uff9e5 \u1100\u1161\u11a8\uac01\u11a8 \u05d0\u05b0'\u05d0"
    )
    @example("a\U0002f800\U00020000\u3099\U0003ffff\u3099\U00100000\u3099\U000e0041\U0010ffff5\U000e0100.5")
    def test_the_words_of_a_text_are_as_defined(self, text: str) -> None:
        defined, made = define(text), Words(text)
        assert made._searched.split(" ")[1:-1] == [word for word, _ in defined]
        assert (made.spans(0, len(defined)) if defined else []) == [span for _, span in defined]

    @given(TEXTS, st.data())
    def test_a_phrase_is_found_where_it_stands_and_kept_where_nothing_is_cut_out(
        self, text: str, data: st.DataObject
    ) -> None:
        text *= data.draw(st.sampled_from([1, 3]))
        slices = st.slices(len(text))
        phrase, cut = (Phrase(text[data.draw(slices)]) for _ in range(2))
        made = Words(text, [cut] * (len(cut) > 0))
        places = [(place, made.span(place, len(phrase))) for place in made.find(phrase)]
        assert [span for _, span in places] == define_places(text, phrase.folded, [])
        assert (phrase in made) == (places != [])
        kept = [span for place, span in places if made.is_kept(place, phrase)]
        assert set(kept) <= set(define_places(text, phrase.folded, cut.folded))


def test_what_only_begins_like_a_phrase_is_not_cut_out() -> None:
    words = Words("a b a bc a b a b", [Phrase("a b")])
    assert [words.is_kept(place, Phrase("bc")) for place in words.find(Phrase("bc"))] == [True]
    assert [words.is_kept(place, Phrase("b")) for place in words.find(Phrase("b"))] == [False] * 3


def test_what_is_left_of_a_part_is_what_was_not_cut_out() -> None:
    text = "one two three. " + "x " * 2_000 + "Four one, two five"
    words = Words(text, [Phrase("one two")])
    assert words.rest(0, 14).folded == ["three"]
    assert words.rest(text.index("Four"), len(text)).folded == ["four", "five"]


def test_what_stands_far_away_is_found_in_a_text_without_spaces() -> None:
    text = "".join(chr(0x4E00 + number % 9_000) for number in range(30_000)) + "\u5b8c\U00100000" * 3
    made, phrase = Words(text), Phrase("\u5b8c\U00100000\u5b8c")
    assert [made.span(place, len(phrase)) for place in made.find(phrase)] == [(30_000, 30_003)]
