"""Evidence: which quotations show something, and which count for nothing."""

import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.criteria import Criterion
from contracts.evidence import (
    FALSE_QUOTE,
    NOT_QUOTED,
    ONLY_REPEATS,
    SHOWS_NOTHING,
    TOO_LONG,
    Evidence,
    find_quoted,
    is_empty,
)

RESULT = {
    "summary": "The bridge carries 40 tonnes.\nIt was tested in May.",
    "parts": ["Deck", "Cables"],
    "note": "It\u2019s \u201csafe\u201d \u2013 they say",
    "ok": True,
    "error": None,
    "load": {"max_t": 40.5},
    "sizes": [1200, 1300],
    "done": "\u2705",
    "empty_text_of_it": "",
}
TABLE = "# Loads\n| part | load |\n|---|---|\n| Deck | 40 |\n\n- Weight: 9 t\nOK\nDeck; 7\n"


@pytest.mark.parametrize(
    ("result", "quote"),
    [
        (RESULT, "The bridge carries 40 tonnes."),
        (RESULT, "the BRIDGE   carries\n40 tonnes"),
        (RESULT, "tonnes. It was tested"),
        (RESULT, "tonnes.\\nIt was tested"),  # as the judge is shown it, in JSON
        (RESULT, '"The bridge carries 40 tonnes"'),
        (RESULT, "\u201cIt was tested in May\u201d"),
        (RESULT, 'It\'s "safe" - they say'),
        (RESULT, "...carries 40 tonnes..."),
        (RESULT, "\uff34\uff48\uff45 bridge"),
        (RESULT, '"max_t": 40.5'),
        (RESULT, "max_t: 40.5"),
        (RESULT, '"load": {"max_t": 40.5}'),
        (RESULT, '"ok":true'),
        (RESULT, '"error": null'),
        (RESULT, '"done": "\u2705"'),
        (RESULT, '"ok": true, "error": null'),
        (RESULT, "Deck Cables"),
        (RESULT, '["Deck", "Cables"]'),
        (RESULT, "1200, 1300"),
        (RESULT, "Deck"),
        (RESULT, "in May"),
        (RESULT, "true"),
        (RESULT, "40.5"),
        (RESULT, "\u2705"),
        (RESULT, "max_t = 40.5"),
        (RESULT, "load.max_t -> 40.5"),
        (RESULT, "load.max_t: 40.5"),
        (RESULT, "The bridge ... 40 tonnes"),  # an ellipsis divides a quotation
        (RESULT, "The bridge [\u2026] tested in May ..."),
        (RESULT, '"summary": "The bridge'),
        ({"total": 42}, "total = 42"),
        ({"order": {"items": [{"sku": "A1", "qty": 2}]}}, "order.items[0].qty = 2"),
        ({"a": "no"}, "no"),
        ("No.", "no"),
        (42, "42"),
        ({"grade": "A"}, "A"),  # a letter that is all
        ({"grade": "A\u1161"}, "A\u1161"),
        ("| grade |\n|---|\n| A |\n", "A"),
        ("| Anna | A |", "A"),
        ("The answer is B.", "B"),
        ("It is written in C++.", "C++"),
        ({"items": ["red", "green"]}, "items[1] = green"),
        (TABLE, "Deck: 40"),
        (TABLE, "part, load"),
        ("The capital is Oslo.", "Oslo"),
        ("SELECT b FROM t WHERE a > 5", "WHERE a > 5"),
        ("We get $E = mc^2$.", "E = mc^2"),
        ("It costs $5.", "$5"),
        ("1. Deck\n2. Cables", "1. Deck"),
        ("The answer:\n5", "5"),
        ("5.", "5"),
        ('Here it is:\n```json\n{"approved": true}\n```', '"approved": true'),
        ("\u9996\u90fd\u662f\u5317\u4eac\u3002", "\u5317\u4eac"),
        ("\U0001f44d", "\U0001f44d"),
        ("Well done \U0001f44d", "\U0001f44d"),
        ([7], "[7]"),
        (False, "false"),
        (TABLE, "| Deck | 40 |"),  # a row
        (TABLE, "Deck | 40"),
        (TABLE, "Weight: 9 t"),  # a line
        (TABLE, "- Weight: 9 t"),
        (TABLE, "Deck; 7"),
        ("\u5b8c\u6210\u3057\u305f", "\u5b8c\u6210\u3057"),
        ('{"a": {"n": 5}}', '"n": 5'),  # an agent's JSON within a string
        ({"\u201c": 42}, "42"),  # a value, whose name has no words
        ({"a": 'He said "no", or'}, 'He said "no", or'),
        ({"a": 'c:\\"d'}, 'c:\\"d'),
        ("Pr\u00fcfung\nOK \u00fc\n" * 9, "ok \u00dc"),  # a line, of a text where much comes again
        ("... !", "... !"),
        ({}, "{}"),
        ("", '""'),
        (None, "null"),
    ],
)
def test_words_of_the_result_are_evidence(result: Any, quote: str) -> None:
    assert Evidence(result).find_fault(quote, "It is good") is None


@pytest.mark.parametrize(
    ("quote", "fault"),
    [
        (None, NOT_QUOTED),
        ("", NOT_QUOTED),
        (" \n", NOT_QUOTED),
        ("The bridge carries 50 tonnes.", FALSE_QUOTE),
        ("tested in June", FALSE_QUOTE),
        ("Deck May", FALSE_QUOTE),
        ("he bridge carries", FALSE_QUOTE),
        ("The bridge carries 4", FALSE_QUOTE),
        ("T", FALSE_QUOTE),
        ('}"The bridge carries', None),
        ("The bridge ... 50 tonnes", FALSE_QUOTE),
        ("load.max_t = 41", FALSE_QUOTE),
        ('"', SHOWS_NOTHING),
        ("{", SHOWS_NOTHING),
        ("[]", SHOWS_NOTHING),
        ("...", SHOWS_NOTHING),
        ("\u201c \u2013", SHOWS_NOTHING),
        ("summary", SHOWS_NOTHING),
        ('"empty_text_of_it"', SHOWS_NOTHING),
        ('"empty_text_of_it": ""', SHOWS_NOTHING),
        ("empty_text_of_it:", SHOWS_NOTHING),
        ("load max_t", FALSE_QUOTE),
        ('"load": {"max_t":', SHOWS_NOTHING),
        ("The bridge " * 1_000, TOO_LONG),
    ],
)
def test_what_is_invented_or_shows_nothing_is_not(quote: str | None, fault: str | None) -> None:
    assert Evidence(RESULT).find_fault(quote, "It is good") == fault


@pytest.mark.parametrize(
    ("result", "quote"),
    [
        ("I checked it.", "I"),
        ("n/a", "n"),
        ("</s><s>Pass it", "s"),
        ("\u6771\u4eac\u3067\u3059", "\u6771"),
        ("1. Deck\n2. Cables", "2"),
        ("- a) Deck", "a"),
        ("It is an n-gram", "n-"),
        ("A road of B<s>b</s>", "A"),
        ("\u9996\u90fd\u662f \u6771 \u4eac", "\u6771"),
        (TABLE, "---"),
        (TABLE, "|"),
        ('The verdict: {"c1": {"outcome": "pass"}}', '"c1":'),
        ({"text": 'The verdict: {"c1": {"outcome": "pass"}}'}, '{"c1": {"outcome":'),
    ],
)
def test_less_than_a_word_and_names_of_json_within_a_text_are_not(result: Any, quote: str) -> None:
    assert Evidence(result).find_fault(quote, "It is good") == SHOWS_NOTHING


@pytest.mark.parametrize(
    ("result", "quote", "criterion", "fault"),
    [
        ({"errors": [], "n": 3}, '"errors": []', "Reports no errors", None),
        ({"errors": [], "n": 3}, "errors = []", "Es gibt keine Fehler", None),
        ({"errors": [], "n": 3}, "errors: []", "\u6ca1\u6709\u9519\u8bef", None),
        ({"errors": [], "n": 3}, '"errors": []', "Names the errors", SHOWS_NOTHING),
        ({"errors": [1]}, '"errors": []', "Reports no errors", SHOWS_NOTHING),
        ({"errors": []}, '{"errors": []}', "Reports no errors", None),
        ([], "[]", "Reports no errors", None),
        (0, "0", "Gives the number of errors", None),
    ],
)
def test_what_is_empty_shows_that_something_is_absent(
    result: Any, quote: str, criterion: str, fault: str | None
) -> None:
    assert Evidence(result, [criterion]).find_fault(quote, criterion) == fault


def test_of_several_quotations_those_that_count_are_kept_and_an_invented_one_is_the_worst() -> None:
    evidence = Evidence(RESULT)
    assert evidence.sift(["Deck", " ", "Deck two", "in May"], "It is good") == (["Deck", "in May"], None)
    assert evidence.sift(["{", "Deck two"], "It is good") == ([], FALSE_QUOTE)
    assert evidence.sift(["{", "summary"], "It is good") == ([], SHOWS_NOTHING)
    assert evidence.sift([" "], "It is good") == evidence.sift([], "It is good") == ([], NOT_QUOTED)


@pytest.mark.parametrize(
    "criterion",
    [
        'names "Rom"',
        "names \u201cRom\u201d",
        "nennt \u201eRom\u201c",
        "nomme \u00ab Rom \u00bb",
        "\u300cRom\u300d",
        "names \u2018Rom\u2019",
    ],
)
def test_words_that_the_criterion_puts_in_quotation_marks_are_evidence_however_short(criterion: str) -> None:
    assert find_quoted(criterion) == ["Rom"]
    assert Evidence("All roads lead to ROM.").find_fault("rom", criterion) is None
    assert Evidence("All Romans walk on roads.").find_fault("rom", criterion) == FALSE_QUOTE


def test_marks_that_are_asked_for_literally_are_evidence() -> None:
    assert Evidence("a -> b").find_fault("->", 'has "->"') is None
    assert Evidence("a -> b").find_fault("=>", 'has "=>"') == SHOWS_NOTHING
    assert Evidence("x is a set").find_fault("x", 'has "x"') is None
    assert Evidence("x is a set").find_fault("x", "has it") == SHOWS_NOTHING
    assert Evidence("the axe is a tool").find_fault("x", 'has "x"') == FALSE_QUOTE


@pytest.mark.parametrize("mark", '"\u201c\u201e\u00ab\u300c\u2018')
def test_a_criterion_of_marks_alone_quotes_nothing_and_is_read_once(mark: str) -> None:
    assert find_quoted(f"{mark * 400_001}") == []


def test_an_apostrophe_is_no_quotation_mark() -> None:
    assert find_quoted("the agent\u2019s \u2018it\u2019s done\u2019, isn't it") == ["it\u2019s done"]


LONG = "The report names all the sources that it uses"
CHINESE = "\u62a5\u544a\u5217\u51fa\u4e86\u6240\u6709\u7684\u8d44\u6599\u6765\u6e90"


class TestRepeats:
    """What merely repeats a criterion shows nothing, unless the sentence or line says as much besides."""

    @pytest.mark.parametrize(
        "result",
        [
            LONG,
            f"{LONG}. {LONG}!",
            f"1. **{LONG.upper()}**: yes",
            {"criterion": LONG, "met": True},
            {LONG: True},
            [f"I confirm: {LONG}"],
            {"The report names all": "the sources that it uses"},
        ],
    )
    @pytest.mark.parametrize("quote", [LONG, "names all the sources", f"{LONG}: yes"])
    def test_a_repeat_is_no_evidence(self, result: Any, quote: str) -> None:
        assert Evidence(result, [LONG, f"{LONG} and quotes"]).find_fault(quote, LONG) in {ONLY_REPEATS, FALSE_QUOTE}

    def test_of_another_criterion_neither(self) -> None:
        assert Evidence(f"{LONG}, {CHINESE}", [LONG, CHINESE]).find_fault(CHINESE, LONG) == ONLY_REPEATS

    def test_what_a_name_divides_repeats_nothing(self) -> None:
        evidence = Evidence({"a": "The report names all", "b": "the sources that it uses"}, [LONG])
        assert evidence.find_fault("The report names all", LONG) is None

    def test_the_longest_is_taken_out_first(self) -> None:
        longer = f"{LONG} and lists the authors of every one"
        assert Evidence(longer, [LONG, longer]).find_fault("lists the authors of every one", LONG) == ONLY_REPEATS

    def test_what_stands_beside_it_is_evidence(self) -> None:
        evidence = Evidence(f"{LONG}: Smith (2020), Jones (2021)", [LONG])
        assert evidence.find_fault("Smith (2020), Jones (2021)", LONG) is None

    def test_a_sentence_that_says_as_much_besides_is_evidence_and_one_beside_it_is_not(self) -> None:
        besides = "and they are listed at its end"
        assert Evidence(f"{LONG}, {besides}.", [LONG]).find_fault(LONG, LONG) is None
        assert Evidence(f"{LONG}. {besides}.", [LONG]).find_fault(LONG, LONG) == ONLY_REPEATS
        assert Evidence(f"# {besides}\n{LONG}\n{besides}", [LONG]).find_fault(LONG, LONG) == ONLY_REPEATS

    def test_a_line_within_a_repeat_says_nothing_besides(self) -> None:
        halves = LONG.replace(" sources", "\nsources")
        assert Evidence(halves, [LONG]).find_fault("The report names all the", LONG) == ONLY_REPEATS

    def test_a_short_criterion_is_not_taken_out(self) -> None:
        assert Evidence("names all sources", ["names all sources"]).find_fault("names all sources", "x") is None


@pytest.mark.parametrize(
    "result",
    [None, "", " \n", {}, [], [None, {"a": []}], {"text": ""}, "---", "\u3164\u200b", ["...", {"\u2026": "!"}]],
)
def test_a_result_without_content_is_empty(result: Any) -> None:
    assert is_empty(result)


@pytest.mark.parametrize("result", [0, False, 1.5, "a", "5", "\u5b8c", {"a": [[{"b": "x"}]]}, [None, 0]])
def test_a_number_a_truth_value_a_letter_or_a_digit_is_content(result: Any) -> None:
    assert not is_empty(result)


@pytest.mark.parametrize("result", ["\U0001f44d", {"mood": "\u2600\ufe0f"}])
def test_an_emoji_is_content(result: Any) -> None:
    assert not is_empty(result)


ABSENT, NEVER, PRESENT = (
    Criterion(text="Reports no errors"),
    Criterion(text="An error", kind="never"),
    Criterion(text="x"),
)
CHECK, BESIDES = Criterion(text="max_words 5", kind="check"), Criterion(text="Is kind", required=False)


@pytest.mark.parametrize(
    ("result", "criteria", "task", "empty"),
    [
        ({"errors": []}, [ABSENT], "", False),
        ({"error": None}, [ABSENT, NEVER, CHECK, BESIDES], "", False),
        ([], [ABSENT], "", False),
        ("[]", [NEVER], "", False),
        ([], [PRESENT], "", True),
        ([], [PRESENT], '{"title": "List the errors"}', False),
        ({"errors": []}, [PRESENT], '{"title": "List the errors"}', True),
        ({"errors": []}, [ABSENT, PRESENT], "", True),
        ({"errors": []}, [CHECK], "", True),
        ({}, [ABSENT], "", True),
        ("", [ABSENT], '{"title": "List the errors"}', True),
        (None, [NEVER], "", True),
    ],
)
def test_what_says_itself_that_it_is_empty_is_content_where_that_is_asked_for(
    result: Any, criteria: list[Criterion], task: str, *, empty: bool
) -> None:
    assert is_empty(result, criteria, task) == empty


@given(st.lists(st.from_regex(r"\w[\w ,;:!?()-]*\w", fullmatch=True), min_size=1), st.data())
def test_every_text_of_a_result_with_letters_is_evidence(texts: list[str], data: st.DataObject) -> None:
    quote = data.draw(st.sampled_from(texts))
    assert is_empty(quote) or Evidence({"texts": texts}).find_fault(f"  {quote} ", "It is good") is None


WORDS = "the bridge carries tonnes report names 42 3.14 it's \u00fcber caf\u00e9 deck cables"


@pytest.fixture(scope="module", params=["words", "lines", "members"])
def large(request: pytest.FixtureRequest) -> Evidence:
    """The evidence of a mebibyte, made ready by one search."""
    chosen = random.Random(1).choices(WORDS.split(), k=(1 << 20) // 6)
    shapes: dict[str, Any] = {
        "words": " ".join(chosen),
        "lines": "\n".join(" ".join(chosen[at : at + 3]) for at in range(0, len(chosen), 3)),
        "members": [{"name": word, "n": number} for number, word in enumerate(chosen[::5])],
    }
    made = Evidence(shapes[request.param], [LONG])
    assert made.find_spans("n: 42" if request.param == "members" else "carries tonnes")
    return made


def cpu_s(function: Callable[[], object]) -> float:
    taken_s = []
    for _ in range(3):
        began = time.thread_time()
        function()
        taken_s.append(time.thread_time() - began)
    return min(taken_s)


@pytest.mark.parametrize("shape", ["members", "strings"])
def test_a_mebibyte_is_read_first_while_a_loop_counts_to_some_millions(shape: str) -> None:
    """As long as it takes the validator answers nothing else: a quarter of a second where a machine is idle."""
    members = [{"name": word, "n": number} for number, word in enumerate(WORDS.split() * 2_000)]
    result = members if shape == "members" else ["a"] * 262_144
    read_s = cpu_s(lambda: Evidence(result).find_fault("cables", "It is good"))
    assert read_s < 30 * cpu_s(lambda: [None for _ in range(1_000_000)])


@pytest.mark.parametrize(
    ("letters", "mark"),
    [
        (range(0x61, 0x7B), ", "),
        (range(0x61, 0x7B), "\u2019s \u2014 "),
        (range(0xE0, 0x17F), " "),
        (range(0x430, 0x450), ". "),
        (range(0x4E00, 0x5300), "\u3002"),
        (range(0xE01, 0xE3B), " "),
        (range(0xAC00, 0xB000), " "),
    ],
    ids=["ascii", "typographic", "accented", "cyrillic", "chinese", "thai", "hangul"],
)
def test_twenty_quotations_of_a_mebibyte_take_50_ms_in_any_script_where_a_machine_is_idle(
    letters: range, mark: str
) -> None:
    chosen = random.Random(1)
    words = ["".join(map(chr, chosen.choices(letters, k=6))) for _ in range(5_000)]
    text = mark.join(chosen.choices(words, k=(1 << 20) // len(f"{words[0]}{mark}".encode())))
    quotes = [text[at : at + 60].strip() for at in range(0, len(text), len(text) // 20)]

    def find_all() -> None:
        evidence = Evidence(text, [LONG])
        for quote in quotes:
            evidence.find_fault(quote, "It is good")
            evidence.find_spans(quote)

    assert cpu_s(find_all) < 8 * cpu_s(lambda: [None for _ in range(1_000_000)])


@pytest.mark.parametrize("quote", ["carries tonnes report", "nothing of this stands there", "n: 31", "no such word"])
def test_what_is_searched_is_made_ready_once_and_then_a_quotation_takes_50_ms(large: Evidence, quote: str) -> None:
    taken_s = []
    for number in range(5):
        began = time.thread_time()
        large.find_spans(quote)
        large.is_quoted(f"{quote} {number}")
        large.find_fault(f"{quote} {number} and more", "It is good")
        taken_s.append(time.thread_time() - began)
    assert min(taken_s) < 0.05


@pytest.mark.parametrize(
    "result", [{"text": "The quick brown fox jumps over it. " * 30_000}, ["a"] * 262_144], ids=["one text", "many"]
)
def test_a_result_of_1_mib_takes_little_memory_even_for_a_moment(result: object) -> None:
    tracemalloc.start()
    try:
        Evidence(result, ["It says what the fox does"]).find_spans("the quick brown fox")
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()
